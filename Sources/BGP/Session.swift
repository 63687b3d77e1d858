package import Model
package import Wire

/// The state machine of one peer (RFC 4271 §8): both connections of a collision, timers, damping, BFD.
///
/// Idle, Connect and Active are what is true without an OPEN sent; from there on each
/// connection has its own `Conversation`, and the session's state is that of the further one.
package struct Session: Sendable {
  package private(set) var settings: SessionSettings
  package private(set) var counters = SessionCounters()
  /// Failures in a row: what the pause grows with.
  package private(set) var failures = 0
  package private(set) var state = SessionState.idle

  var conversations: [Conversation] = []
  private var isStarted = false
  private var idleUntil: Instant?
  private var connectRetry: Instant?
  private var pending: ConnectionID?
  private var connections: UInt64 = 0
  private var bfdIsUp = false
  private var bfdVerdict: Instant?
  /// The peer refused our capabilities; the next OPEN goes without.
  private var isBare = false

  package init(_ settings: SessionSettings) { self.settings = settings }

  /// When `handle(.timer)` is due; nil: nothing is.
  package var deadline: Instant? {
    ([idleUntil, connectRetry, bfdVerdict] + conversations.map(\.deadline)).compactMap { $0 }.min()
  }

  /// The connection and terms of the Established session.
  package var established: (id: ConnectionID, negotiated: Negotiated, since: Instant)? {
    for conversation in conversations {
      if case .established(let negotiated) = conversation.phase, let since = conversation.since {
        return (conversation.id, negotiated, since)
      }
    }
    return nil
  }

  package mutating func handle(
    _ event: SessionEvent, at now: Instant, random: inout Random, into effects: inout [SessionEffect]
  ) {
    switch event {
    case .start: start(at: now, &random, &effects)
    case .stop(let reason): stop(reason, at: now, &random, &effects)
    case .accepted(let id): accept(id, at: now, &random, &effects)
    case .connected(let id):
      if pending == id {
        pending = nil
        connectRetry = nil
        converse(id, at: now, &effects)
      } else if index(of: id) == nil {
        effects.append(.close(id))
      }
    case .failed(let id): failed(id, at: now, &random, &effects)
    case .received(let id, let bytes): receive(id, bytes, at: now, &random, &effects)
    case .fault(let notification):
      if let id = established?.id { refuse(id, notification, at: now, &random, &effects) }
    case .bfd(let word): bfd(word, at: now, &random, &effects)
    case .timer: expire(at: now, &random, &effects)
    }
    report(&effects)
  }

  /// New settings count from the next OPEN on; what the live session must follow at once is the caller's reset.
  package mutating func update(_ settings: SessionSettings) { self.settings = settings }

  /// Sends UPDATEs and refreshes on the Established session; a message keeps the session alive as a KEEPALIVE does.
  package mutating func send(
    _ messages: [[UInt8]], at now: Instant, random: inout Random, into effects: inout [SessionEffect]
  ) {
    guard !messages.isEmpty, let index = conversations.firstIndex(where: \.isEstablished) else { return }
    for message in messages { effects.append(.send(conversations[index].id, message)) }
    counters.sent += UInt64(messages.count)
    restartKeepalive(index, at: now, &random)
  }

  // MARK: Starting and stopping

  private mutating func start(at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]) {
    guard !isStarted else { return }
    isStarted = true
    failures = 0
    begin(at: now, &random, &effects)
  }

  private mutating func begin(at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]) {
    idleUntil = nil
    guard !settings.passive else { return }
    if let pending { effects.append(.close(pending)) }
    connections += 1
    let id = ConnectionID(.outgoing, connections)
    pending = id
    connectRetry = now + jittered(settings.connectRetry, &random)
    effects.append(.connect(id))
  }

  private mutating func stop(
    _ reason: SessionStop, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    guard isStarted else { return }
    let notification: Notification? =
      switch reason {
      case .shutdown(let message): Notification(.administrativeShutdown, message: message)
      case .deconfigured: Notification(.peerDeconfigured)
      case .restart: nil
      case .reset(let message): Notification(.administrativeReset, message: message)
      case .reconfigured: Notification(.otherConfigurationChange)
      }
    for conversation in conversations {
      // RFC 4271 §8.2.2: with the OPEN held back there is nobody to notify.
      if let notification, conversation.phase != .delaying { tell(conversation, notification, &effects) }
      effects.append(.close(conversation.id))
      if conversation.isEstablished { effects.append(.ended(.stopped(reason))) }
    }
    if let pending { effects.append(.close(pending)) }
    conversations = []
    pending = nil
    connectRetry = nil
    idleUntil = nil
    bfdVerdict = nil
    isStarted = false
    switch reason {
    case .reset, .reconfigured:
      // The state passes through Idle, so that the world sees the session go.
      report(&effects)
      start(at: now, &random, &effects)
    case .shutdown, .deconfigured, .restart: break
    }
  }

  /// Sends a NOTIFICATION; one that must take our routes with it becomes a hard reset where the peer
  /// would keep them otherwise (RFC 8538 §5).
  private mutating func tell(
    _ conversation: Conversation, _ notification: Notification, _ effects: inout [SessionEffect]
  ) {
    let final: Set<Notification.Cease> = [.prefixLimit, .administrativeShutdown, .peerDeconfigured, .bfdDown]
    let isHard =
      notification.cease.map(final.contains) == true && conversation.negotiated?.restartsOnNotification == true
    effects.append(.send(conversation.id, Message.encode(isHard ? notification.asHardReset : notification)))
    counters.sent += 1
    counters.notificationsSent += 1
    counters.errors[notification.number, default: 0] += 1
  }

  // MARK: Connections

  func index(of id: ConnectionID) -> Int? { conversations.firstIndex { $0.id == id } }

  private mutating func accept(
    _ id: ConnectionID, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    guard isStarted, idleUntil == nil, index(of: id) == nil else {
      // §8.2.2: Idle refuses connections.
      effects.append(.close(id))
      return
    }
    if let index = conversations.firstIndex(where: { $0.id.origin == .incoming && !$0.isEstablished }) {
      guard conversations[index].negotiated == nil else {
        effects.append(.send(id, Message.encode(Notification(.connectionRejected))))
        effects.append(.close(id))
        return
      }
      // The peer's newer connection is the one it means: the older never got as far as an OPEN.
      effects.append(.close(conversations.remove(at: index).id))
    }
    if pending == nil { connectRetry = nil }
    converse(id, at: now, &effects)
  }

  private mutating func converse(_ id: ConnectionID, at now: Instant, _ effects: inout [SessionEffect]) {
    var conversation = Conversation(id: id, created: now, phase: .delaying)
    if settings.delayOpen > .zero { conversation.delayOpen = now + settings.delayOpen }
    conversations.append(conversation)
    if conversation.delayOpen == nil { sendOpen(conversations.count - 1, at: now, &effects) }
  }

  mutating func sendOpen(_ index: Int, at now: Instant, _ effects: inout [SessionEffect]) {
    conversations[index].phase = .openSent
    conversations[index].delayOpen = nil
    conversations[index].hold = now + settings.openHold
    effects.append(.send(conversations[index].id, settings.open(bare: isBare).encode()))
    counters.sent += 1
  }

  private mutating func failed(
    _ id: ConnectionID, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    if pending == id {
      // §8.2.2 goes to Idle here; Active hears the peer in the meantime, and the timer is the same.
      pending = nil
    } else if let index = index(of: id) {
      let damped = conversations[index].negotiated != nil
      end(index, .closed, damped: damped, at: now, &random, &effects)
    }
  }

  /// Our NOTIFICATION ends this connection.
  mutating func refuse(
    _ id: ConnectionID, _ notification: Notification, damped: Bool = true, at now: Instant, _ random: inout Random,
    _ effects: inout [SessionEffect]
  ) {
    guard let index = index(of: id) else { return }
    tell(conversations[index], notification, &effects)
    effects.append(.close(id))
    end(index, .sent(notification), damped: damped, at: now, &random, &effects)
  }

  /// The peer's NOTIFICATION ended this connection.
  mutating func refused(
    _ id: ConnectionID, _ notification: Notification, at now: Instant, _ random: inout Random,
    _ effects: inout [SessionEffect]
  ) {
    guard let index = index(of: id) else { return }
    counters.notificationsReceived += 1
    effects.append(.close(id))
    if notification.code == Notification.Code.open.rawValue, notification.subcode == 4 { isBare.toggle() }
    let damped = notification.cease != .collision || conversations[index].isEstablished
    end(index, .received(notification), damped: damped, at: now, &random, &effects)
  }

  /// Takes a conversation away and, when it was the last, decides when to try again.
  mutating func end(
    _ index: Int, _ reason: SessionEnd, damped: Bool, at now: Instant, _ random: inout Random,
    _ effects: inout [SessionEffect]
  ) {
    let gone = conversations.remove(at: index)
    effects.append(gone.isEstablished ? .ended(reason) : .attemptFailed(reason))
    if gone.isEstablished {
      bfdVerdict = nil
      isBare = false
      if let since = gone.since, now - since >= settings.forgetFailures { failures = 0 }
    }
    guard conversations.isEmpty, isStarted else { return }
    guard damped else {
      if pending == nil, !settings.passive { connectRetry = now + jittered(settings.connectRetry, &random) }
      return
    }
    if let pending { effects.append(.close(pending)) }
    pending = nil
    connectRetry = nil
    let pause = min(settings.idleHold * (1 << min(failures, 16)), settings.idleHoldMaximum)
    failures += 1
    idleUntil = now + jittered(pause, &random)
  }

  /// The session is up on this connection: no other attempt goes on.
  mutating func establish(
    _ index: Int, _ negotiated: Negotiated, at now: Instant, _ effects: inout [SessionEffect]
  ) {
    conversations[index].phase = .established(negotiated)
    conversations[index].since = now
    if let pending { effects.append(.close(pending)) }
    pending = nil
    connectRetry = nil
    counters.established += 1
    report(&effects)
    effects.append(.established(negotiated))
  }

  // MARK: Time

  private mutating func expire(at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]) {
    if let due = idleUntil, due <= now { begin(at: now, &random, &effects) }
    if let due = connectRetry, due <= now {
      connectRetry = nil
      if conversations.isEmpty {
        begin(at: now, &random, &effects)
      } else if let pending {
        // The peer's connection got further than our attempt.
        effects.append(.close(pending))
        self.pending = nil
      }
    }
    if let due = bfdVerdict, due <= now {
      bfdVerdict = nil
      if !bfdIsUp, let id = established?.id { refuse(id, Notification(.bfdDown), at: now, &random, &effects) }
    }
    for id in conversations.map(\.id) {
      guard let index = index(of: id) else { continue }
      if let due = conversations[index].delayOpen, due <= now { sendOpen(index, at: now, &effects) }
      if let due = conversations[index].hold, due <= now {
        refuse(id, .holdTimerExpired, at: now, &random, &effects)
        continue
      }
      if let due = conversations[index].keepalive, due <= now { sendKeepalive(index, at: now, &random, &effects) }
    }
  }

  mutating func sendKeepalive(
    _ index: Int, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    effects.append(.send(conversations[index].id, Message.keepaliveBytes))
    counters.sent += 1
    restartKeepalive(index, at: now, &random)
  }

  private mutating func restartKeepalive(_ index: Int, at now: Instant, _ random: inout Random) {
    guard let hold = conversations[index].negotiated?.holdTime, hold > 0 else {
      conversations[index].keepalive = nil
      return
    }
    conversations[index].keepalive = now + jittered(.seconds(hold) / 3, &random)
  }

  mutating func restartHold(_ index: Int, at now: Instant) {
    let hold = conversations[index].negotiated?.holdTime ?? 0
    conversations[index].hold = hold > 0 ? now + .seconds(hold) : nil
  }

  mutating func countReceived(_ message: Message) { counters.count(message) }
  var openIsBare: Bool { isBare }

  /// §10: between three quarters and the whole.
  private func jittered(_ duration: Duration, _ random: inout Random) -> Duration {
    let whole = UInt64(max(duration.nanoseconds, 0))
    return .nanoseconds(Int64(whole - random.below(wide: whole / 4 + 1)))
  }

  // MARK: BFD

  private mutating func bfd(
    _ word: BFDWord, at now: Instant, _ random: inout Random, _ effects: inout [SessionEffect]
  ) {
    let wasUp = bfdIsUp
    bfdIsUp = word == .up
    guard word == .down else {
      bfdVerdict = nil
      return
    }
    guard wasUp, let (id, _, since) = established else { return }
    let settled = since + settings.bfdSettle
    if now >= settled {
      refuse(id, Notification(.bfdDown), at: now, &random, &effects)
    } else {
      bfdVerdict = settled
    }
  }

  private mutating func report(_ effects: inout [SessionEffect]) {
    let now = judged
    guard now != state else { return }
    state = now
    effects.append(.state(now))
  }

  private var judged: SessionState {
    var best: SessionState = !isStarted || idleUntil != nil ? .idle : pending != nil ? .connect : .active
    for conversation in conversations {
      switch conversation.phase {
      case .established: return .established
      case .openConfirm: best = .openConfirm
      case .openSent: if best != .openConfirm { best = .openSent }
      case .delaying: if best == .active, conversation.id.origin == .outgoing { best = .connect }
      }
    }
    return best
  }
}

/// What a session counts; never reset.
package struct SessionCounters: Hashable, Sendable {
  package var received: UInt64 = 0
  package var sent: UInt64 = 0
  package var updatesReceived: UInt64 = 0
  package var notificationsSent: UInt64 = 0
  package var notificationsReceived: UInt64 = 0
  package var established: UInt64 = 0
  /// UPDATEs whose routes were taken as withdrawn, and whose attributes were dropped (RFC 7606).
  package var treatedAsWithdraw: UInt64 = 0
  package var attributesDiscarded: UInt64 = 0
  /// NOTIFICATIONs sent, by "code/subcode".
  package var errors: [String: UInt64] = [:]

  package init() {}

  mutating func count(_ message: Message) {
    received += 1
    guard case .update(let update) = message else { return }
    updatesReceived += 1
    if update.severity == .withdraw { treatedAsWithdraw += 1 }
    attributesDiscarded += UInt64(update.issues.count { $0.reaction == .discard })
  }
}
