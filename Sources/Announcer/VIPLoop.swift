import Kernel
import Model
import Reactor
import VRRP

/// The driver's event loop with everything it owns. The extensions: Orders (which routers run), Adverts (in),
/// Effects (out), Links (the machine's interfaces), Standings.
struct VIPLoop: ~Copyable {
  enum Source {
    case channel(VRRPChannel.Key)
    case verification(VIPVerification)
  }

  struct RouterKey: Hashable {
    var link: Int32
    var family: IPAddress.Family
    var virtualRouter: UInt8
  }

  struct Place: Hashable {
    var unit: Int
    var member: Int
  }

  static let mailToken: UInt64 = 0
  static let newsToken: UInt64 = 1
  /// Adverts of one channel in one turn, so that a flood keeps no timer waiting.
  static let batch = 64

  let mailbox: Mailbox<VIPCommand>
  let report: @Sendable (VIPReport) -> Void
  /// Wall clock in microseconds: where sequence numbers start.
  let startedAt = Clock.wall()

  var epoll: Epoll
  var netlink: Netlink
  let news: NetlinkEvents

  var links: [Int32: NetworkLink]
  var addresses: [Int32: [LinkAddress]]

  var units: [VIPUnit] = []
  /// By unit, in nanoseconds.
  var deadlines: [Int64] = []
  var places: [RouterKey: Place] = [:]
  var channels: [VRRPChannel.Key: (channel: VRRPChannel, token: UInt64)] = [:]
  var frames: [Int32: FrameChannel] = [:]
  var sources: [UInt64: Source] = [:]
  var verifications: [VIPVerification] = []
  var lastToken: UInt64 = 1
  /// Adverts of virtual routers that nobody here runs, and what is no advert at all.
  var strangers = AdvertCounters()

  /// When the links' addresses are to be compared with what is wanted.
  var repairAt: Instant?
  var repairedAt = Instant(nanoseconds: .min / 2)
  var hasCleaned = false
  var isStopping = false
  var isLeaving = false
  /// VIPs that an earlier process has left as they are; only while the first orders are adopted.
  var resuming: Set<String> = []
  var now = Clock.now()

  init(mailbox: Mailbox<VIPCommand>, report: @escaping @Sendable (VIPReport) -> Void) throws {
    let epoll = try Epoll()
    let news = try NetlinkEvents()
    var netlink = try Netlink()
    try epoll.add(mailbox.wakeup.descriptor, token: VIPLoop.mailToken, .level)
    try epoll.add(news.descriptor, token: VIPLoop.newsToken, .level)
    let (links, addresses) = try VIPLoop.list(&netlink)
    self.mailbox = mailbox
    self.report = report
    self.epoll = epoll
    self.news = news
    self.netlink = netlink
    self.links = links
    self.addresses = addresses
  }

  mutating func run() {
    while !isStopping { turn() }
    if !isLeaving { shutDown() }
  }

  private mutating func turn() {
    let count = wait()
    now = Clock.now()
    // Timers first: they are why somebody waits. Then what came, and timers that it has set to now.
    tick()
    for index in 0..<count { dispatch(epoll[index].token) }
    tick()
    tickVerifications()
    if let repairAt, repairAt <= now { repair() }
  }

  private mutating func wait() -> Int {
    var next = Int64.max
    for deadline in deadlines { next = min(next, deadline) }
    for verification in verifications { next = min(next, verification.deadline.nanoseconds) }
    if let repairAt { next = min(next, repairAt.nanoseconds) }
    guard next != .max else { return epoll.wait(milliseconds: -1) }
    return epoll.wait(nanoseconds: max(0, min(next - Clock.now().nanoseconds, 3_600_000_000_000)))
  }

  private mutating func dispatch(_ token: UInt64) {
    switch token {
    case VIPLoop.mailToken: readMail()
    case VIPLoop.newsToken: readNews()
    default:
      switch sources[token] {
      case .channel(let key): readAdverts(key)
      case .verification(let verification): verification.read(ownHardware: ownHardware)
      case nil: break
      }
    }
  }

  private mutating func readMail() {
    for command in mailbox.take() {
      switch command {
      case .run(let orders, let names):
        resuming = hasCleaned ? [] : names
        adopt(orders)
        resuming = []
      case .tell(let question): question.answer(overview())
      case .stop: isStopping = true
      case .leave: (isStopping, isLeaving) = (true, true)
      }
    }
  }

  private mutating func tick() {
    for unit in deadlines.indices where deadlines[unit] <= now.nanoseconds {
      tell(.tick, unit)
    }
  }

  // MARK: Telling the routers

  mutating func tell(_ event: VirtualRouter.Event, _ unit: Int) {
    var effects: [SyncGroup.MemberEffect] = []
    units[unit].group.handle(event, at: now, into: &effects)
    settle(effects, unit)
  }

  mutating func tell(_ event: VirtualRouter.Event, _ place: Place) {
    var effects: [SyncGroup.MemberEffect] = []
    units[place.unit].group.handle(event, member: place.member, at: now, into: &effects)
    settle(effects, place.unit)
  }

  mutating func settle(_ effects: [SyncGroup.MemberEffect], _ unit: Int) {
    deadlines[unit] = units[unit].group.deadline?.nanoseconds ?? .max
    for effect in effects { carryOut(effect.effect, Place(unit: unit, member: effect.member)) }
  }

  /// A token for a new source of events.
  mutating func newToken(_ source: Source) -> UInt64 {
    lastToken += 1
    sources[lastToken] = source
    return lastToken
  }

  mutating func shutDown() {
    now = Clock.now()
    for unit in units.indices { tell(.shutdown, unit) }
    for unit in units { for member in unit.members { deleteVirtualLink(of: member) } }
  }
}
