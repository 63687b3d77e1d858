import BFD
import Kernel
import Model
import Reactor
import Wire

/// The event loop of BFD: what waits is read before time is looked at, so that our own delay is no silence of theirs.
struct BFDLoop: ~Copyable {
  /// A session with its socket.
  struct Watch {
    var path: BFDPath
    var session: Session
    var deadline: Instant?
    /// nil: there is no way there yet.
    var socket: Int32?
    var openAgain: Instant?
  }

  private let mailbox: Mailbox<BFDMessage>
  let report: @Sendable (BFDNews) -> Void
  let complain: @Sendable (String) -> Void

  private var epoll: Epoll
  var random = Random(seed: Clock.entropy())
  var now = Clock.now()
  /// By our discriminator.
  var watches: [UInt32: Watch] = [:]
  private var listeners: [BFDListener] = []
  private var isPrompt = false
  private var isStopping = false

  private static let mail = UInt64.max

  init(
    mailbox: Mailbox<BFDMessage>, report: @escaping @Sendable (BFDNews) -> Void,
    complain: @escaping @Sendable (String) -> Void
  ) throws(Errno) {
    let epoll = try Epoll(capacity: 64)
    try epoll.add(mailbox.wakeup.descriptor, token: BFDLoop.mail, .level)
    self.epoll = epoll
    self.mailbox = mailbox
    self.report = report
    self.complain = complain
  }

  mutating func run() {
    while !isStopping { turn() }
    for (number, _) in watches { drive(number, .stop) }
    for watch in watches.values { if let socket = watch.socket { Socket.close(socket) } }
    for listener in listeners { Socket.close(listener.fd) }
  }

  private mutating func turn() {
    if let next = watches.values.compactMap(\.deadline).min() {
      _ = epoll.wait(nanoseconds: max(0, (next - Clock.now()).nanoseconds))
    } else {
      _ = epoll.wait(milliseconds: -1)
    }
    now = Clock.now()
    for listener in listeners { receive(listener) }
    now = Clock.now()
    // Collected first: a table that is walked is copied by the first change to it.
    let now = now
    let due = watches.filter { $0.value.deadline.map { $0 <= now } == true }.map(\.key)
    for number in due { drive(number, .timer) }
    for message in mailbox.take() {
      switch message {
      case .paths(let paths, let isPrompt): adopt(paths, isPrompt)
      case .stop: isStopping = true
      }
    }
    for number in watches.filter(\.value.isOver).map(\.key) {
      if let socket = watches.removeValue(forKey: number)?.socket { Socket.close(socket) }
    }
  }

  private mutating func adopt(_ paths: [BFDPath], _ isPrompt: Bool) {
    if isPrompt, !self.isPrompt, !paths.isEmpty {
      self.isPrompt = true
      _ = Thread.bePrompt()
    }
    let wanted = Dictionary(uniqueKeysWithValues: paths.map { ($0.name, $0) })
    for (number, watch) in watches where !watch.isLeaving {
      guard let path = wanted[watch.path.name], path.isSamePlace(as: watch.path) else {
        drive(number, .stop)
        continue
      }
      if path.options != watch.path.options {
        watches[number]?.path = path
        drive(number, .change(settings(path, number)))
      }
    }
    let known = Set(watches.values.filter { !$0.isLeaving }.map(\.path.name))
    listen(paths)
    for path in paths where !known.contains(path.name) {
      var number = UInt32.zero
      while number == 0 || watches[number] != nil { number = UInt32(truncatingIfNeeded: random.next()) }
      watches[number] = Watch(path: path, session: Session(settings(path, number)))
      drive(number, .start)
    }
  }

  private func settings(_ path: BFDPath, _ number: UInt32) -> SessionSettings {
    SessionSettings(
      discriminator: number, transmit: path.options.transmit, receive: path.options.receive,
      multiplier: UInt8(clamping: path.options.multiplier), passive: path.options.passive,
      // RFC 5883 §5 leaves the bound to the operator; the discriminators guard a multihop session.
      minimumTTL: path.isMultihop ? 1 : 255)
  }

  private mutating func listen(_ paths: [BFDPath]) {
    for path in paths {
      let port = path.isMultihop ? SessionSettings.multihopPort : SessionSettings.singleHopPort
      let name = PeerName(path.remote.address.family == .v4 ? .anyV4 : .anyV6, port: port)
      guard !listeners.contains(where: { $0.name == name }) else { continue }
      do throws(Errno) {
        let fd = try PeerSocket.datagrams(at: name)
        do throws(Errno) {
          try epoll.add(fd, token: UInt64(listeners.count), .level)
        } catch {
          Socket.close(fd)
          throw error
        }
        listeners.append(BFDListener(name: name, fd: fd, isMultihop: path.isMultihop))
      } catch {
        complain("BFD cannot listen on \(Endpoint(name.address, port)): \(error)")
      }
    }
  }

  // MARK: Datagrams

  private mutating func receive(_ listener: BFDListener) {
    while let datagram = PeerSocket.receive(listener.fd) {
      guard let number = owner(of: datagram, listener) else { continue }
      drive(number, .received(datagram.bytes, ttl: datagram.ttl ?? 0))
    }
  }

  /// RFC 5880 §6.8.6: by our discriminator; before the peer knows it, by the way it came (RFC 5881 §3).
  private func owner(of datagram: PeerSocket.Datagram, _ listener: BFDListener) -> UInt32? {
    guard let packet = try? ControlPacket.decode(datagram.bytes.span) else { return nil }
    let isFrom = { (watch: Watch) in
      watch.path.isMultihop == listener.isMultihop && watch.path.remote.address == datagram.remote.address
        && (watch.path.remote.scope == 0 || watch.path.remote.scope == datagram.interface)
    }
    if packet.yourDiscriminator != 0 {
      guard let watch = watches[packet.yourDiscriminator], isFrom(watch) else { return nil }
      return packet.yourDiscriminator
    }
    return watches.first { isFrom($0.value) && !$0.value.isLeaving }?.key
  }

  mutating func drive(_ number: UInt32, _ event: Session.Event) {
    guard watches[number] != nil else { return }
    var effects: [Session.Effect] = []
    watches[number]?.session.handle(event, at: now, random: &random, into: &effects)
    let deadline = watches[number]?.session.deadline
    watches[number]?.deadline = deadline
    for effect in effects {
      switch effect {
      case .send(let bytes): send(number, bytes)
      case .changed(let change): tell(number, change)
      case .dropped: break
      }
    }
  }

  private mutating func send(_ number: UInt32, _ bytes: [UInt8]) {
    guard var watch = watches[number] else { return }
    if watch.socket == nil, watch.openAgain.map({ $0 <= now }) ?? true {
      watch.socket = open(watch.path)
      watch.openAgain = now + .seconds(1)
      watches[number] = watch
    }
    guard let socket = watch.socket else { return }
    // An ICMP error for an earlier packet is told in place of sending this one.
    if PeerSocket.send(socket, bytes).failed, PeerSocket.send(socket, bytes).failed {
      // The address may be gone: the next packet takes a new socket.
      Socket.close(socket)
      watches[number]?.socket = nil
      watches[number]?.openAgain = now + .seconds(1)
    }
  }

  private mutating func open(_ path: BFDPath) -> Int32? {
    let port = path.isMultihop ? SessionSettings.multihopPort : SessionSettings.singleHopPort
    let remote = PeerName(path.remote.address, port: port, scope: path.remote.scope)
    let local = path.local?.address ?? (remote.address.family == .v4 ? .anyV4 : .anyV6)
    for _ in 0..<16 {
      // RFC 5881 §4: from this range, and the same for a session's life.
      let source = UInt16(49_152 + random.below(16_384))
      let name = PeerName(local, port: source, scope: path.remote.scope)
      if let fd = try? PeerSocket.datagrams(to: remote, from: name, ttl: 255) { return fd }
    }
    return nil
  }

  private func tell(_ number: UInt32, _ change: Session.Change) {
    guard let watch = watches[number], !watch.isLeaving else { return }
    let word: BFDNews.Word =
      switch change.to {
      case .up: .up
      case .adminDown: .administrativelyDown
      case .down, .initializing: change.isAdministrative ? .administrativelyDown : .down
      }
    var text = "\(change.to.word)"
    if change.to == .down, change.diagnostic != .none { text += ": \(change.diagnostic)" }
    report(BFDNews(name: watch.path.name, word: word, text: text))
  }
}

struct BFDListener {
  let name: PeerName
  let fd: Int32
  let isMultihop: Bool
}

extension BFDLoop.Watch {
  init(path: BFDPath, session: Session) {
    self.init(path: path, session: session, deadline: nil, socket: nil, openAgain: nil)
  }

  var isLeaving: Bool { session.state == .adminDown && session.diagnostic == .administrativelyDown }
  /// The peer has had the time to hear that it is taken down.
  var isOver: Bool { isLeaving && deadline == nil }
}

extension BFDPath {
  fileprivate func isSamePlace(as other: BFDPath) -> Bool {
    var quiet = other
    quiet.options = options
    return quiet == self
  }
}

extension State {
  fileprivate var word: String {
    switch self {
    case .adminDown: "admin-down"
    case .down: "down"
    case .initializing: "initializing"
    case .up: "up"
    }
  }
}
