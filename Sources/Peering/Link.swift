internal import Model
internal import Wire

/// One peer: the connection to it as it comes and goes.
///
///     waiting ──callDue──► calling ──connected──► greeting ──welcome──► up
///        ▲                    │                      │                  │
///        └──── back-off ──────┴──────────────────────┴──────────────────┘
///
/// Who is called waits until `adopt` brings it up.
struct Link: Sendable {
  static let firstDelay = Duration.milliseconds(100)
  static let longestDelay = Duration.seconds(5)

  enum Phase: Sendable {
    case waiting(until: Instant)
    case calling(Neighborhood.ConnectionID, until: Instant)
    case greeting(Neighborhood.ConnectionID, Channel, until: Instant)
    case up(Session)
  }

  let name: String
  let address: Endpoint
  let settings: Neighborhood.Settings
  let boot: UInt64
  let parts: Int
  let cryptography: Cryptography
  let wall: @Sendable () -> Int64
  private var random: Random
  private var phase: Phase
  private var delay = Link.firstDelay
  /// Which of the keys the next call uses: after a refusal the other one.
  private var keyTurn = 0
  /// When the peer was last heard, or this link was made.
  private var lastHeard: Instant
  private var isStale = false
  private var downReason = "not yet heard"
  /// Up to where this node knows the peer's tables.
  private var position = TablePosition(boot: 0, time: 0)

  init(
    _ name: String, _ address: Endpoint, settings: Neighborhood.Settings, boot: UInt64, parts: Int, seed: UInt64,
    _ cryptography: Cryptography, _ wall: @escaping @Sendable () -> Int64, at now: Instant
  ) {
    self.name = name
    self.address = address
    self.settings = settings
    self.boot = boot
    self.parts = parts
    self.cryptography = cryptography
    self.wall = wall
    random = Random(seed: seed)
    phase = .waiting(until: now)
    lastHeard = now
  }

  private var isCaller: Bool { settings.name.callsFirst(name) }

  var deadline: Instant? {
    let own: Instant? =
      switch phase {
      case .waiting(let until): isCaller ? until : nil
      case .calling(_, let until), .greeting(_, _, let until): until
      case .up(let session): session.deadline(settings.peers)
      }
    let staleness = isStale || isUp ? nil : lastHeard + settings.peers.timeout
    return [own, staleness].compactMap { $0 }.min()
  }

  private var isUp: Bool { if case .up = phase { true } else { false } }

  // MARK: Calls

  func callDue(at now: Instant) -> Endpoint? {
    guard isCaller, case .waiting(let until) = phase, until <= now else { return nil }
    return address
  }

  mutating func calls(_ id: Neighborhood.ConnectionID, at now: Instant) {
    phase = .calling(id, until: now + Neighborhood.patience)
  }

  mutating func connected(
    _ id: Neighborhood.ConnectionID, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    guard case .calling(id, _) = phase else { return effects.append(.close(id)) }
    let keys = settings.keys
    let channel = Channel(.caller, keys: [keys[keyTurn % keys.count]], cryptography)
    effects.append(.send(id, channel.opening))
    phase = .greeting(id, channel, until: now + Neighborhood.patience)
  }

  // MARK: Bytes

  mutating func received(
    _ bytes: [UInt8], _ id: Neighborhood.ConnectionID, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    switch phase {
    case .greeting(id, var channel, let until):
      var (messages, out): ([Message], [UInt8]) = ([], [])
      do throws(PeeringError) {
        let wasKeyed = channel.isKeyed
        try channel.receive(bytes.span, into: &messages, out: &out)
        if !wasKeyed, channel.isKeyed, let record = channel.seal(.welcome(welcome)) {
          effects.append(.send(id, record))
        }
        phase = .greeting(id, channel, until: until)
        guard let first = messages.first else { return }
        guard case .welcome(let welcome) = first else { throw .unexpected }
        guard welcome.name == name else { throw welcome.name == settings.name ? .ownName : .wrongPeer(welcome.name) }
        begin(Session(id, channel, welcome, settings.peers, at: now), welcome, at: now, into: &effects)
        take(Array(messages.dropFirst()), id, at: now, into: &effects)
      } catch {
        fail(id, error, at: now, into: &effects)
      }
    case .up(var session) where session.id == id:
      phase = .waiting(until: now)
      var (messages, out): ([Message], [UInt8]) = ([], [])
      var fault: PeeringError?
      do throws(PeeringError) {
        try session.channel.receive(bytes.span, into: &messages, out: &out)
      } catch {
        fault = error
      }
      phase = .up(session)
      take(messages, id, at: now, into: &effects)
      // What came before the fault may have ended it already.
      if let fault, isUp { fail(id, fault, at: now, into: &effects) }
    default: effects.append(.close(id))
    }
  }

  /// An incoming connection turned out to be this peer's. It takes the place of an older one, which must be dead:
  /// a peer has one connection, and does not call while it is there.
  mutating func adopt(
    _ channel: Channel, _ id: Neighborhood.ConnectionID, _ welcome: Message.Welcome, at now: Instant,
    into effects: inout [Neighborhood.Effect]
  ) {
    var channel = channel
    if case .up = phase { end(.replaced, at: now, into: &effects) }
    if let record = channel.seal(.welcome(self.welcome)) { effects.append(.send(id, record)) }
    begin(Session(id, channel, welcome, settings.peers, at: now), welcome, at: now, into: &effects)
  }

  private var welcome: Message.Welcome {
    Message.Welcome(
      name: settings.name, site: settings.site, version: settings.version, boot: boot,
      wall: UInt64(clamping: wall()), position: position)
  }

  private mutating func begin(
    _ session: Session, _ welcome: Message.Welcome, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    // Another start of the peer: what is known of its tables was said by one that is gone.
    if position.boot != welcome.boot { position = TablePosition(boot: welcome.boot, time: 0) }
    var session = session
    session.tables.begin(since: welcome.position.boot == boot ? welcome.position.time : 0)
    phase = .up(session)
    delay = Link.firstDelay
    lastHeard = now
    isStale = false
    let skew = Int64(clamping: welcome.wall) &- wall()
    effects.append(
      .observe(.up(peer: name, .init(site: welcome.site, version: welcome.version, skew: skew))))
  }

  /// Acts on what was said.
  mutating func take(
    _ messages: [Message], _ id: Neighborhood.ConnectionID, at now: Instant,
    into effects: inout [Neighborhood.Effect]
  ) {
    guard case .up(var session) = phase, session.id == id, !messages.isEmpty else { return }
    phase = .waiting(until: now)
    lastHeard = now
    do throws(PeeringError) {
      for message in messages {
        if case .entries(let batch) = message, batch.upTo != 0 { position.time = max(position.time, batch.upTo) }
        try session.take(message, from: name, at: now, into: &effects)
      }
      phase = .up(session)
    } catch {
      phase = .up(session)
      fail(id, error, at: now, into: &effects)
    }
  }

  // MARK: Ends

  mutating func closed(
    _ id: Neighborhood.ConnectionID, _ reason: String, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    switch phase {
    case .calling(id, _): down(.closed(reason), at: now, into: &effects)
    case .greeting(id, _, _):
      keyTurn += 1
      down(.refused, at: now, into: &effects)
    case .up(let session) where session.id == id: down(.closed(reason), at: now, into: &effects)
    default: break
    }
  }

  private mutating func fail(
    _ id: Neighborhood.ConnectionID, _ error: PeeringError, at now: Instant,
    into effects: inout [Neighborhood.Effect]
  ) {
    effects.append(.close(id))
    if case .greeting = phase { keyTurn += 1 }
    down(error, at: now, into: &effects)
  }

  /// This side ends it: the peer is told, and need not wait.
  mutating func end(_ reason: PeeringError, at now: Instant, into effects: inout [Neighborhood.Effect]) {
    switch phase {
    case .waiting: return
    case .calling(let id, _), .greeting(let id, _, _): effects.append(.close(id))
    case .up(var session):
      if reason != .replaced, let record = session.channel.seal(.farewell) {
        effects.append(.send(session.id, record))
      }
      effects.append(.close(session.id))
    }
    down(reason, at: now, into: &effects)
  }

  private mutating func down(_ error: PeeringError, at now: Instant, into effects: inout [Neighborhood.Effect]) {
    if case .up(let session) = phase {
      for id in session.lettersUnderWay.sorted() {
        effects.append(.observe(.receipt(peer: name, id: id, isDelivered: false)))
      }
      downReason = ""
    }
    // ±25%, so that two nodes that fell together do not stay in step.
    let spread = Int64(random.below(500))
    phase = .waiting(until: now + .nanoseconds(delay.nanoseconds / 1_000 * (750 + spread)))
    delay = min(delay * 2, Link.longestDelay)
    let reason = "\(error)"
    guard reason != downReason else { return }
    downReason = reason
    effects.append(.observe(.down(peer: name, reason: reason)))
  }

  mutating func tick(at now: Instant, into effects: inout [Neighborhood.Effect]) {
    switch phase {
    case .waiting: break
    case .calling(let id, let until), .greeting(let id, _, let until):
      if until <= now { fail(id, .silent, at: now, into: &effects) }
    case .up(var session):
      if session.lastHeard + settings.peers.timeout <= now {
        fail(session.id, .silent, at: now, into: &effects)
      } else {
        phase = .waiting(until: now)
        session.beat(settings.peers.heartbeat, at: now, into: &effects)
        phase = .up(session)
      }
    }
    if !isUp, !isStale, lastHeard + settings.peers.timeout <= now {
      isStale = true
      effects.append(.observe(.stale(peer: name)))
    }
  }

  // MARK: What is to be said

  mutating func flush(
    _ content: Neighborhood.Content, _ number: UInt64, into effects: inout [Neighborhood.Effect]
  ) {
    let name = name
    withSession { $0.flush(content, number, peer: name, into: &effects) }
  }

  mutating func changed(
    _ batches: [Message.EntryBatch], at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    withSession { $0.tables.changed(batches) }
  }

  mutating func changesLost(into effects: inout [Neighborhood.Effect]) { withSession { $0.tables.changesLost() } }

  mutating func scanned(
    _ part: Int, _ entries: [PersistenceEntry], asOf: UInt64, into effects: inout [Neighborhood.Effect]
  ) {
    let parts = parts
    withSession { $0.tables.scanned(part, of: parts, entries, asOf: asOf) }
  }

  mutating func post(
    _ letter: Neighborhood.Letter, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    var isTaken = false
    withSession { isTaken = $0.post(letter) }
    if !isTaken { effects.append(.observe(.receipt(peer: name, id: letter.id, isDelivered: false))) }
  }

  private mutating func withSession(_ act: (inout Session) -> Void) {
    guard case .up(var session) = phase else { return }
    phase = .waiting(until: lastHeard)
    act(&session)
    phase = .up(session)
  }
}
