internal import Model

/// A connection on which both sides have said their names.
struct Session: Sendable {
  /// Counted messages that the peer has not acknowledged: above it, what is to be said waits, and comes as its newest
  /// state. So a slow peer costs a megabyte at most.
  static let window: UInt64 = 64
  /// Of one peer.
  static let reportLimit = 4_096
  static let letterLimit = 64

  let id: Neighborhood.ConnectionID
  var channel: Channel
  private(set) var lastHeard: Instant
  private var nextBeat: Instant
  /// The peer's last heartbeat, for its echo.
  private var echo: (time: UInt64, at: Instant)?
  private var roundTrip: Duration?
  private var told: Instant?

  /// Counted messages: sent, acknowledged by the peer, received, acknowledged by us.
  private var sent: UInt64 = 0
  private var acknowledged: UInt64 = 0
  private var received: UInt64 = 0
  private var receivedTold: UInt64 = 0

  /// What the peer will have said of itself when the change under way is whole, and what it has said.
  private var staged: [PeerReportKey: PeerReport] = [:]
  /// What the peer knows of us when everything sent has arrived.
  private var said: [PeerReportKey: PeerReport] = [:]
  private var hasSaid = false
  private var reportsWaiting: [Message.ReportBatch] = []
  /// Stamps that the peer has, from us or by itself.
  private var stamps: [RegisterKey: Stamp] = [:]
  /// The number of the content that was said to its end.
  private var saidNumber: UInt64?
  private var letters: [Message.Letter] = []
  private(set) var lettersUnderWay: Set<UInt64> = []
  var tables = TableFeed()

  init(
    _ id: Neighborhood.ConnectionID, _ channel: Channel, _ welcome: Message.Welcome, _ settings: PeerSettings,
    at now: Instant
  ) {
    self.id = id
    self.channel = channel
    lastHeard = now
    nextBeat = now
  }

  func deadline(_ settings: PeerSettings) -> Instant { min(nextBeat, lastHeard + settings.timeout) }

  // MARK: In

  mutating func take(
    _ message: Message, from peer: String, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) throws(PeeringError) {
    lastHeard = now
    if message.isCounted { received += 1 }
    switch message {
    case .welcome: throw .unexpected
    case .heartbeat(let beat): heard(beat, peer, at: now, into: &effects)
    case .acknowledgement(let count):
      guard count >= acknowledged, count <= sent else { throw .unexpected }
      acknowledged = count
    case .reports(let batch):
      if batch.isWhole { staged = [:] }
      for report in batch.reports { staged[report.key] = report }
      for key in batch.removed { staged[key] = nil }
      guard staged.count <= Session.reportLimit else { throw .tooLarge("reports") }
      if batch.isLast { effects.append(.observe(.reports(peer: peer, staged))) }
    case .registers(let registers):
      for register in registers {
        // A peer that makes up keys is held to what a node may have.
        guard stamps[register.key] != nil || stamps.count < Registers.limit else { throw .tooLarge("registers") }
        stamps[register.key] = max(stamps[register.key] ?? register.stamp, register.stamp)
      }
      effects.append(.observe(.registers(peer: peer, registers)))
    case .entries(let batch): if !batch.entries.isEmpty { effects.append(.learn(batch.entries)) }
    case .letter(let letter):
      effects.append(.observe(.letter(peer: peer, topic: letter.topic, body: letter.body)))
      send(.receipt(id: letter.id, isDelivered: true), into: &effects)
    case .receipt(let id, let isDelivered):
      guard lettersUnderWay.remove(id) != nil else { return }
      effects.append(.observe(.receipt(peer: peer, id: id, isDelivered: isDelivered)))
    case .farewell: throw .stopped
    case .other: break
    }
  }

  private mutating func heard(
    _ beat: Message.Heartbeat, _ peer: String, at now: Instant, into effects: inout [Neighborhood.Effect]
  ) {
    echo = (beat.time, now)
    let sentAt = Int64(bitPattern: beat.echo)
    if beat.echo != 0, sentAt <= now.nanoseconds {
      let whole = Duration.nanoseconds(now.nanoseconds &- sentAt)
      let sample = max(.zero, whole - .microseconds(Int64(beat.held)))
      // As TCP smooths it (RFC 6298 §2): an eighth of each new sample.
      roundTrip = roundTrip.map { $0 + (sample - $0) / 8 } ?? sample
    }
    if told.map({ $0 + .seconds(1) <= now }) ?? true {
      told = now
      effects.append(.observe(.heard(peer: peer, roundTrip: roundTrip)))
    }
  }

  // MARK: Out

  mutating func beat(_ interval: Duration, at now: Instant, into effects: inout [Neighborhood.Effect]) {
    guard nextBeat <= now else { return }
    nextBeat = now + interval
    let held = echo.map { UInt32(clamping: (now - $0.at).nanoseconds / 1_000) }
    send(
      .heartbeat(
        .init(time: UInt64(bitPattern: now.nanoseconds), echo: echo?.time ?? 0, held: held ?? 0)), into: &effects)
  }

  mutating func post(_ letter: Neighborhood.Letter) -> Bool {
    guard letters.count + lettersUnderWay.count < Session.letterLimit, letter.body.count <= Message.Letter.limit,
      letter.topic.utf8.count <= PeerReport.textLimit
    else { return false }
    letters.append(Message.Letter(id: letter.id, topic: letter.topic, body: letter.body))
    lettersUnderWay.insert(letter.id)
    return true
  }

  /// Acknowledges what came, and says what differs from what the peer knows, as far as the window reaches.
  mutating func flush(
    _ content: Neighborhood.Content, _ number: UInt64, peer: String, into effects: inout [Neighborhood.Effect]
  ) {
    if received != receivedTold {
      receivedTold = received
      send(.acknowledgement(received), into: &effects)
    }
    while hasRoom, !letters.isEmpty { send(.letter(letters.removeFirst()), into: &effects) }
    if saidNumber != number {
      let isSaid = flushRegisters(content.registers, into: &effects)
      if flushReports(content.reports, into: &effects), isSaid { saidNumber = number }
    }
    while hasRoom, let batch = tables.next() { send(.entries(batch), into: &effects) }
    if let scan = tables.scanDue() { effects.append(.scan(peer: peer, part: scan.part, since: scan.since)) }
  }

  private var hasRoom: Bool { sent - acknowledged < Session.window }

  /// - Returns: whether nothing is left to say.
  private mutating func flushRegisters(
    _ registers: Registers, into effects: inout [Neighborhood.Effect]
  ) -> Bool {
    guard hasRoom else { return false }
    var due = registers.entries.values.filter { register in stamps[register.key].map { $0 < register.stamp } ?? true }[
      ...]
    while hasRoom, !due.isEmpty {
      let batch = Message.batch(registers: Array(due))
      for register in batch { stamps[register.key] = register.stamp }
      send(.registers(Array(batch)), into: &effects)
      due = due.dropFirst(batch.count)
    }
    return due.isEmpty
  }

  /// A change is said to its end before the next begins, so that the peer never sees half of one.
  /// - Returns: whether nothing is left to say.
  private mutating func flushReports(_ reports: [PeerReport], into effects: inout [Neighborhood.Effect]) -> Bool {
    while hasRoom, !reportsWaiting.isEmpty { send(.reports(reportsWaiting.removeFirst()), into: &effects) }
    var isNewest = false
    if reportsWaiting.isEmpty, hasRoom {
      isNewest = true
      let wanted = Dictionary(
        reports.prefix(Session.reportLimit).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
      let changed = reports.filter { said[$0.key] != $0 && wanted[$0.key] == $0 }
      let removed = said.keys.filter { wanted[$0] == nil }
      if !hasSaid || !changed.isEmpty || !removed.isEmpty {
        reportsWaiting = Message.batches(reports: changed, removed: removed, isWhole: !hasSaid)
        (said, hasSaid) = (wanted, true)
      }
    }
    while hasRoom, !reportsWaiting.isEmpty { send(.reports(reportsWaiting.removeFirst()), into: &effects) }
    return isNewest && reportsWaiting.isEmpty
  }

  private mutating func send(_ message: Message, into effects: inout [Neighborhood.Effect]) {
    guard let record = channel.seal(message) else { return }
    if message.isCounted { sent += 1 }
    effects.append(.send(id, record))
  }
}
