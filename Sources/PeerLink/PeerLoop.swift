internal import Kernel
internal import Model
internal import Peering
internal import Reactor

/// The thread's loop with everything it owns.
struct PeerLoop: ~Copyable {
  static let mailboxToken = UInt64.max
  static let listenerToken = UInt64.max - 1
  /// How often changes of the tables are looked for: a takeover loses no more.
  static let tableInterval = Duration.milliseconds(50)
  /// After an address could not be had.
  static let retry = Duration.seconds(1)
  /// Bytes that a peer does not take, above the window of its session.
  static let backlogLimit = 4 << 20

  struct Connection {
    var socket: Int32
    var isConnecting: Bool
    var isClosing = false
    /// What the socket did not take; `sent` of it is gone.
    var output: [UInt8] = []
    var sent = 0
  }

  let mailbox: Mailbox<PeerOrder>
  let tables: TableAccess
  let observe: @Sendable (PeerObservation) -> Void
  var epoll: Epoll
  var neighborhood: Neighborhood
  var connections: [UInt64: Connection] = [:]
  var listener: Int32?
  var settings: Neighborhood.Settings?
  private var listenAgain: Instant?
  private var complaint: String?
  private var nextChanges = Instant(nanoseconds: .min)
  private var incoming = ByteRegion(capacity: 64 * 1024)
  private var outgoing = ByteRegion(capacity: 64 * 1024)
  private var now = Clock.now()
  private var isStopping = false

  init(
    _ mailbox: Mailbox<PeerOrder>, _ cryptography: Cryptography, _ tables: TableAccess,
    _ observe: @escaping @Sendable (PeerObservation) -> Void
  ) throws(Errno) {
    let epoll = try Epoll()
    try epoll.add(mailbox.wakeup.descriptor, token: PeerLoop.mailboxToken, .level)
    self.mailbox = mailbox
    self.tables = tables
    self.observe = observe
    self.epoll = epoll
    neighborhood = Neighborhood(
      cryptography, boot: Clock.entropy() | 1, parts: tables.parts, seed: Clock.entropy(),
      wall: { Clock.wall() / 1_000 })
  }

  mutating func run() {
    while !isStopping { turn() }
    handle(.configure(nil))
    for connection in connections.values { Socket.close(connection.socket) }
    if let listener { Socket.close(listener) }
  }

  private mutating func turn() {
    let count = epoll.wait(milliseconds: wait())
    now = Clock.now()
    for index in 0..<count {
      let event = epoll[index]
      switch event.token {
      case PeerLoop.mailboxToken: readMail()
      case PeerLoop.listenerToken: acceptAll()
      default: advance(event)
      }
    }
    now = Clock.now()
    if let deadline = neighborhood.deadline, deadline <= now { handle(.tick) }
    if let listenAgain, listenAgain <= now { listen() }
    if !connections.isEmpty, nextChanges <= now { passOnChanges() }
  }

  /// Until the next deadline, in milliseconds, rounded up so that it has passed then; -1: until an event.
  private func wait() -> Int32 {
    let deadlines = [neighborhood.deadline, listenAgain, connections.isEmpty ? nil : nextChanges]
    guard let next = deadlines.compactMap({ $0 }).min() else { return -1 }
    let left = (next - Clock.now()).nanoseconds
    return left <= 0 ? 0 : Int32(clamping: min((left + 999_999) / 1_000_000, 60_000))
  }

  private mutating func readMail() {
    for order in mailbox.take() {
      switch order {
      case .configure(let next):
        settings = next
        listen()
        handle(.configure(next))
      case .say(let content): handle(.content(content))
      case .post(let letter): handle(.post(letter))
      case .stop: isStopping = true
      }
    }
  }

  private mutating func passOnChanges() {
    nextChanges = now + PeerLoop.tableInterval
    let changes = tables.changes()
    if !changes.isWhole {
      handle(.changesLost)
    } else if !changes.entries.isEmpty {
      handle(.changed(changes.entries, upTo: changes.upTo))
    }
  }

  // MARK: The state machine

  private mutating func handle(_ event: Neighborhood.Event) {
    var effects: [Neighborhood.Effect] = []
    neighborhood.handle(event, at: now, into: &effects)
    for effect in effects {
      switch effect {
      case .connect(let id, let address): connect(id, address)
      case .send(let id, let bytes): send(bytes, id.number)
      case .close(let id): close(id.number)
      case .observe(let observation): observe(observation)
      case .learn(let entries): tables.learn(entries)
      case .scan(let peer, let part, let since):
        let found = tables.scan(part, since)
        handle(.scanned(peer: peer, part: part, found.entries, asOf: found.asOf))
      }
    }
  }

  // MARK: Sockets

  private mutating func listen() {
    if let listener { Socket.close(listener) }
    (listener, listenAgain) = (nil, nil)
    guard let settings, let address = settings.listening else { return }
    do throws(Errno) {
      try Socket.probeExclusive(.ip(address), .stream)
      let socket = try Socket.listen(.ip(address), .stream)
      do throws(Errno) {
        try epoll.add(socket, token: PeerLoop.listenerToken, .level)
      } catch {
        Socket.close(socket)
        throw error
      }
      listener = socket
      complaint = nil
    } catch {
      // The address may come: a VIP, an interface that is down.
      listenAgain = now + PeerLoop.retry
      let reason = "cannot listen for peers on \(address): \(error)"
      if complaint != reason { observe(.deaf(reason: reason)) }
      complaint = reason
    }
  }

  private mutating func acceptAll() {
    guard let listener else { return }
    // At most so many at once: the others' turn comes.
    for _ in 0..<16 {
      guard case .connection(let socket, _) = Socket.accept(listener) else { return }
      Socket.setNoDelay(socket)
      let id = neighborhood.number()
      guard adopt(socket, id.number, isConnecting: false) else { continue }
      handle(.accepted(id))
    }
  }

  private mutating func connect(_ id: Neighborhood.ConnectionID, _ address: Endpoint) {
    do throws(Errno) {
      let socket = try Socket.connect(.ip(address))
      if !adopt(socket, id.number, isConnecting: true) { handle(.closed(id, reason: "no descriptors")) }
    } catch {
      handle(.closed(id, reason: "\(error)"))
    }
  }

  private mutating func adopt(_ socket: Int32, _ number: UInt64, isConnecting: Bool) -> Bool {
    do throws(Errno) {
      try epoll.add(socket, token: number, .stream)
    } catch {
      Socket.close(socket)
      return false
    }
    connections[number] = Connection(socket: socket, isConnecting: isConnecting)
    return true
  }

  private mutating func advance(_ event: Epoll.Event) {
    let number = event.token
    guard let connection = connections[number] else { return }
    if connection.isConnecting {
      guard event.writable || event.ending else { return }
      if let error = Socket.pendingError(connection.socket) { return lose(number, "\(error)") }
      connections[number]?.isConnecting = false
      handle(.connected(.init(number: number)))
    }
    if event.writable { drain(number) }
    if event.readable { receive(number) }
  }

  private mutating func receive(_ number: UInt64) {
    while let connection = connections[number] {
      incoming.clear()
      let transfer = incoming.receive(from: connection.socket)
      if transfer.wouldBlock { return }
      if transfer.failed { return lose(number, "\(transfer.error)") }
      if transfer.isEnd { return lose(number, "the other side closed") }
      if connection.isClosing { continue }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(incoming.count)
      for index in 0..<incoming.count { bytes.append(incoming[index]) }
      handle(.received(.init(number: number), bytes))
    }
  }

  private mutating func send(_ bytes: [UInt8], _ number: UInt64) {
    guard connections[number]?.isClosing == false else { return }
    // In place: a copy of the connection would make this one of its whole output.
    connections[number]?.output += bytes
    let waiting = connections[number].map { $0.output.count - $0.sent } ?? 0
    if waiting > PeerLoop.backlogLimit { return lose(number, "it takes nothing") }
    if waiting == bytes.count { drain(number) }
  }

  private mutating func drain(_ number: UInt64) {
    while let connection = connections[number], !connection.isConnecting {
      let left = connection.output.count - connection.sent
      if left == 0 {
        connections[number]?.output.removeAll(keepingCapacity: connection.output.capacity <= 1 << 16)
        connections[number]?.sent = 0
        if connection.isClosing { drop(number) }
        return
      }
      outgoing.clear()
      let end = connection.sent + min(left, outgoing.capacity)
      outgoing.append(connection.output.span.extracting(connection.sent..<end))
      let transfer = outgoing.send(0..<outgoing.count, to: connection.socket)
      if transfer.wouldBlock { return }
      if transfer.failed { return lose(number, "\(transfer.error)") }
      connections[number]?.sent += transfer.bytes
    }
  }

  /// By the state machine's will, after what was sent has left.
  private mutating func close(_ number: UInt64) {
    connections[number]?.isClosing = true
    drain(number)
    // What does not leave at once is not waited for: a farewell is a courtesy.
    drop(number)
  }

  private mutating func lose(_ number: UInt64, _ reason: String) {
    drop(number)
    handle(.closed(.init(number: number), reason: reason))
  }

  private mutating func drop(_ number: UInt64) {
    guard let connection = connections.removeValue(forKey: number) else { return }
    Socket.close(connection.socket)
  }
}

extension Neighborhood.Settings {
  /// Where calls are taken.
  var listening: Endpoint? { peers.bind ?? peers.nodes.first { $0.name == name }?.address }
}
