import BGP
import Kernel
import Model
import Reactor
import Wire

/// The speakers' event loop with everything it owns. The extensions: Orders (which peers, which routes),
/// Links (connections), Sessions (events to a peer, and what they cause).
struct BGPLoop: ~Copyable {
  let mailbox: Mailbox<BGPMessage>
  let bfd: BFDSessions
  let report: @Sendable (BGPReport) -> Void

  var epoll: Epoll
  var random = Random(seed: Clock.entropy())
  var now = Clock.now()
  let started = Clock.now()

  var topology: BGPTopology?
  /// By family, as every peer without a list of its own hears them; nil: not decided yet.
  var routes: [IPPrefix: BGPOrder.Route]?
  var terms: [IPPrefix: AnnouncementTerms]?
  var hasSelectiveRoutes = false

  var peers: [String: BGPPeer] = [:]
  var links: [UInt64: BGPLink] = [:]
  var lastToken: UInt64 = 0
  /// Connections with bytes that were left for the next turn, so that one peer does not hold up the others.
  var unread: Set<UInt64> = []

  /// Tells peers when we die: with graceful restart, the end of a connection alone would keep our routes.
  var sentinel: SessionGuard?

  var listeners: [BGPListener] = []
  var listenAgain: Instant?
  var isStopping = false
  var stopBy: Instant?

  static let mail = UInt64.max

  init(
    mailbox: Mailbox<BGPMessage>, bfd: BFDSessions, report: @escaping @Sendable (BGPReport) -> Void
  ) throws(Errno) {
    let epoll = try Epoll()
    try epoll.add(mailbox.wakeup.descriptor, token: BGPLoop.mail, .level)
    self.epoll = epoll
    self.mailbox = mailbox
    self.bfd = bfd
    self.report = report
  }

  mutating func run() {
    while !isStopping || (!links.isEmpty && now < stopBy ?? now) { turn() }
    for link in links.values { Socket.close(link.fd) }
    closeListeners()
    // Who asked in the meantime.
    for case .inspect(let reply) in mailbox.take() { reply([]) }
  }

  private mutating func turn() {
    let count = epoll.wait(milliseconds: wait())
    now = Clock.now()
    for index in 0..<count { dispatch(epoll[index]) }
    let waiting = unread
    unread = []
    for token in waiting { read(token) }
    expire()
  }

  private func wait() -> Int32 {
    if !unread.isEmpty { return 0 }
    var due = [listenAgain, stopBy].compactMap { $0 }.min()
    for peer in peers.values { if let next = peer.deadline, due.map({ next < $0 }) ?? true { due = next } }
    for link in links.values { if let next = link.deadline, due.map({ next < $0 }) ?? true { due = next } }
    guard let due else { return -1 }
    // Rounded up, so that a deadline has passed when the wait ends.
    return Int32(clamping: max(0, (due - now).nanoseconds + 999_999) / 1_000_000)
  }

  private mutating func dispatch(_ event: Epoll.Event) {
    if event.token == BGPLoop.mail { return takeMail() }
    if let listener = listeners.first(where: { $0.token == event.token }) { return acceptAll(listener.fd) }
    guard links[event.token] != nil else { return }
    if event.writable { writable(event.token) }
    if event.readable { read(event.token) }
  }

  private mutating func takeMail() {
    for message in mailbox.take() {
      switch message {
      case .order(let order): if !isStopping { adopt(order) }
      case .bfd(let news): heard(news)
      case .inspect(let reply): reply(peers.values.map { $0.report() }.sorted { $0.name < $1.name })
      case .tables(let name, let reply): reply(peers[name]?.tables())
      case .stop(let farewell): stop(farewell)
      }
    }
  }

  private mutating func expire() {
    // Collected first: a table that is walked is copied by the first change to it.
    let now = now
    let duePeers = peers.filter { $0.value.deadline.map { $0 <= now } == true }.map(\.key)
    for name in duePeers { drive(name, .timer) }
    let dueLinks = links.filter { $0.value.deadline.map { $0 <= now } == true }.map(\.key)
    for token in dueLinks { linkExpired(token) }
    if let due = listenAgain, due <= now { listen() }
  }

  private mutating func stop(_ farewell: BGPFarewell) {
    isStopping = true
    // Time for the last words to go out, and for peers to close.
    stopBy = now + .seconds(1)
    closeListeners()
    bfd.apply([])
    if farewell == .restart { sentinel = nil }
    for name in peers.keys {
      switch farewell {
      case .shutdown(let words): drive(name, .stop(.shutdown(words)))
      case .restart: drive(name, .stop(.restart))
      }
    }
  }
}
