package import Model
package import Wire

/// One BFD session in asynchronous mode (RFC 5880 §6.8).
///
/// The driver hands over every packet that waits before it says that time has passed: a
/// process that slept must not take its own sleep for a dead peer.
package struct Session: Sendable {
  package enum Event: Hashable, Sendable {
    case start
    /// Administratively down: said to the peer for a detection time, then silence.
    case stop
    /// A datagram's payload and its TTL or hop limit.
    case received([UInt8], ttl: UInt8)
    case change(SessionSettings)
    /// `deadline` has passed. Early or spurious calls do nothing.
    case timer
  }

  package enum Effect: Hashable, Sendable {
    case send([UInt8])
    case changed(Change)
    case dropped(PacketError)
  }

  package struct Change: Hashable, Sendable {
    package var from: State
    package var to: State
    package var diagnostic: Diagnostic
    /// The peer took its end down on purpose: no sign of a broken path (RFC 5882 §3.2).
    package var isAdministrative: Bool

    package init(from: State, to: State, diagnostic: Diagnostic, isAdministrative: Bool) {
      self.from = from
      self.to = to
      self.diagnostic = diagnostic
      self.isAdministrative = isAdministrative
    }
  }

  package private(set) var settings: SessionSettings
  package private(set) var state = State.adminDown
  package private(set) var diagnostic = Diagnostic.none
  /// The peer, as its last valid packet told.
  package private(set) var remote: ControlPacket?

  /// The rates in force, which lag behind `settings` until a poll is answered (§6.8.3).
  private var transmit: Duration
  private var receive: Duration
  private var isPolling = false
  /// The settings changed under a poll: its answer may be to the older ones, so another follows (§6.8.3).
  private var mustPollAgain = false
  private var nextSend: Instant?
  private var lastSend: Instant?
  private var lastHeard: Instant?
  private var silentFrom: Instant?
  private var hasStarted = false

  package init(_ settings: SessionSettings) {
    self.settings = settings
    transmit = settings.transmit
    receive = settings.receive
  }

  package var deadline: Instant? { [nextSend, detection, silentFrom].compactMap { $0 }.min() }

  /// What we say that we send at: never faster than once a second while not Up (§6.8.3).
  private var desired: Duration { state == .up ? settings.transmit : max(settings.transmit, .seconds(1)) }

  /// The interval between our packets, before jitter; nil: the peer wants none (§6.8.7).
  package var transmitInterval: Duration? {
    guard let remote else { return desired }
    guard remote.requiredMinRX != 0 else { return nil }
    let own = state == .up ? transmit : desired
    return max(own, .microseconds(Int64(remote.requiredMinRX)))
  }

  private var detection: Instant? {
    guard let lastHeard, let detectionTime else { return nil }
    return lastHeard + detectionTime
  }

  /// How long the peer may be silent (§6.8.4).
  package var detectionTime: Duration? {
    remote.map { max(receive, .microseconds(Int64($0.desiredMinTX))) * Int($0.multiplier) }
  }

  package mutating func handle(
    _ event: Event, at now: Instant, random: inout Random, into effects: inout [Effect]
  ) {
    switch event {
    case .start: start(at: now, &random, &effects)
    case .stop: stop(at: now, &random, &effects)
    case .received(let bytes, let ttl):
      do throws(PacketError) {
        try take(bytes, ttl, at: now, &random, &effects)
      } catch {
        effects.append(.dropped(error))
      }
    case .change(let settings): change(settings, at: now, &random)
    case .timer: expire(at: now, &random, &effects)
    }
  }

  private mutating func start(at now: Instant, _ random: inout Random, _ effects: inout [Effect]) {
    guard state == .adminDown else { return }
    hasStarted = true
    silentFrom = nil
    remote = nil
    nextSend = nil
    enter(.down, .none, at: now, &effects)
    if !settings.passive { send(at: now, &random, &effects) }
  }

  private mutating func stop(at now: Instant, _ random: inout Random, _ effects: inout [Effect]) {
    guard hasStarted, state != .adminDown else { return }
    // §6.8.16: long enough for the peer to hear it.
    silentFrom = now + max(detectionTime ?? .zero, .seconds(3))
    enter(.adminDown, .administrativelyDown, at: now, &effects)
    lastHeard = nil
    send(at: now, &random, &effects)
  }

  private mutating func change(_ new: SessionSettings, at now: Instant, _ random: inout Random) {
    let old = settings
    settings = new
    guard old.transmit != new.transmit || old.receive != new.receive else { return }
    guard state == .up else {
      transmit = new.transmit
      receive = new.receive
      return
    }
    // §6.8.3: slower sending, and faster hearing, wait for the peer's answer.
    if new.transmit <= transmit { transmit = new.transmit }
    if new.receive >= receive { receive = new.receive }
    mustPollAgain = isPolling
    isPolling = true
    reschedule(at: now, &random)
  }

  // MARK: Hearing (§6.8.6)

  private mutating func take(
    _ bytes: [UInt8], _ ttl: UInt8, at now: Instant, _ random: inout Random, _ effects: inout [Effect]
  ) throws(PacketError) {
    guard ttl >= settings.minimumTTL else { throw .timeToLive }
    let packet = try ControlPacket.decode(bytes.span)
    guard packet.yourDiscriminator == 0 || packet.yourDiscriminator == settings.discriminator else {
      throw .foreignDiscriminator
    }
    guard state != .adminDown else { throw .administrativelyDown }

    let before = state
    remote = packet
    if isPolling, packet.final { endPoll() }
    switch (packet.state, state) {
    case (.adminDown, .initializing), (.adminDown, .up): enter(.down, .neighborSignaledDown, at: now, &effects)
    case (.adminDown, _): break
    case (.down, .down): enter(.initializing, .none, at: now, &effects)
    case (.initializing, .down), (.initializing, .initializing), (.up, .initializing):
      enter(.up, .none, at: now, &effects)
    case (.down, .up): enter(.down, .neighborSignaledDown, at: now, &effects)
    default: break
    }
    lastHeard = now
    if packet.poll {
      send(final: true, at: now, &random, &effects)
    } else if state != before {
      // §6.8.7: a change of state may be told at once.
      send(at: now, &random, &effects)
    } else {
      reschedule(at: now, &random)
    }
  }

  private mutating func endPoll() {
    isPolling = mustPollAgain
    mustPollAgain = false
    guard !isPolling else { return }
    transmit = settings.transmit
    receive = settings.receive
  }

  private mutating func enter(
    _ next: State, _ reason: Diagnostic, at now: Instant, _ effects: inout [Effect]
  ) {
    let previous = state
    state = next
    // The reason for leaving Up stays until Up is reached again.
    if reason != .none || next == .up { diagnostic = reason }
    transmit = settings.transmit
    receive = settings.receive
    // The rate changes with Up, and a changed rate is polled for.
    isPolling = next == .up && settings.transmit < .seconds(1)
    mustPollAgain = false
    effects.append(
      .changed(
        Change(from: previous, to: next, diagnostic: reason, isAdministrative: remote?.state == .adminDown)))
  }

  // MARK: Speaking (§6.8.7)

  private mutating func send(
    final: Bool = false, at now: Instant, _ random: inout Random, _ effects: inout [Effect]
  ) {
    let packet = ControlPacket(
      diagnostic: diagnostic, state: state, poll: isPolling && !final, final: final, multiplier: settings.multiplier,
      myDiscriminator: settings.discriminator, yourDiscriminator: remote?.myDiscriminator ?? 0,
      desiredMinTX: microseconds(desired), requiredMinRX: microseconds(settings.receive))
    effects.append(.send(packet.encode()))
    lastSend = now
    nextSend = nil
    reschedule(at: now, &random)
  }

  /// The next packet's time after a change: never later than planned.
  private mutating func reschedule(at now: Instant, _ random: inout Random) {
    let isDemanded = state == .up && remote?.state == .up && remote?.demand == true && !isPolling
    guard let interval = transmitInterval, !isDemanded, !settings.passive || remote != nil, hasStarted else {
      nextSend = nil
      return
    }
    guard let planned = nextSend else {
      nextSend = now + jittered(interval, &random)
      return
    }
    // Drawn anew only when the plan is off, so that many packets heard do not mean earlier packets sent.
    let latest = (lastSend ?? now) + interval
    if planned > latest { nextSend = max(now, (lastSend ?? now) + jittered(interval, &random)) }
  }

  /// A quarter less at most, and with a multiplier of one a tenth at least.
  private func jittered(_ interval: Duration, _ random: inout Random) -> Duration {
    let whole = UInt64(max(interval.nanoseconds, 1))
    let least: UInt64 = settings.multiplier == 1 ? whole / 10 : 0
    return .nanoseconds(Int64(whole - least - random.below(wide: whole / 4 - least + 1)))
  }

  private mutating func expire(at now: Instant, _ random: inout Random, _ effects: inout [Effect]) {
    if let due = silentFrom, due <= now {
      silentFrom = nil
      nextSend = nil
      hasStarted = false
      remote = nil
    }
    if let due = detection, due <= now {
      lastHeard = nil
      // §6.8.1: a peer that is silent for so long is forgotten.
      remote = nil
      if state == .up || state == .initializing {
        enter(.down, .detectionTimeExpired, at: now, &effects)
        nextSend = nil
        if settings.passive { return }
        send(at: now, &random, &effects)
        return
      }
      reschedule(at: now, &random)
    }
    if let due = nextSend, due <= now { send(at: now, &random, &effects) }
  }

  private func microseconds(_ duration: Duration) -> UInt32 {
    UInt32(clamping: max(duration.nanoseconds / 1000, 1))
  }
}
