internal import Model

/// What of this node's persistence tables one peer is still to be told.
///
/// First all that changed since the position that the peer knows, part by part; then each change as it is made.
/// Nothing is kept for a peer that does not keep up: it is told by another look through the tables, later.
struct TableFeed: Sendable {
  /// Batches that wait for the window.
  static let limit = 32

  private enum Phase {
    case scanning(part: Int, since: UInt64, asOf: UInt64?, isAsked: Bool)
    case following
  }

  private var phase = Phase.following
  private var waiting: [Message.EntryBatch] = []
  /// Up to where the peer knows everything.
  private var position: UInt64 = 0
  /// Changes were dropped: what changed since `position` has to be looked for again.
  private var hasGap = false

  mutating func begin(since: UInt64) {
    position = since
    phase = .scanning(part: 0, since: since, asOf: nil, isAsked: false)
  }

  mutating func next() -> Message.EntryBatch? {
    guard !waiting.isEmpty else { return nil }
    let batch = waiting.removeFirst()
    if batch.upTo != 0 { position = batch.upTo }
    return batch
  }

  /// The part to look through now; each is told once.
  mutating func scanDue() -> (part: Int, since: UInt64)? {
    if case .following = phase, hasGap, waiting.isEmpty {
      hasGap = false
      begin(since: position)
    }
    guard case .scanning(let part, let since, let asOf, false) = phase, waiting.isEmpty else { return nil }
    phase = .scanning(part: part, since: since, asOf: asOf, isAsked: true)
    return (part, since)
  }

  mutating func scanned(_ part: Int, of parts: Int, _ entries: [PersistenceEntry], asOf: UInt64) {
    guard case .scanning(part, let since, let first, true) = phase else { return }
    // What changes while the scan is under way may be missed by it, and comes as a change: so far it reaches.
    let begin = first ?? asOf
    let isLast = part + 1 >= parts
    if !entries.isEmpty || isLast { waiting += Message.batches(entries: entries, upTo: isLast && !hasGap ? begin : 0) }
    if isLast {
      if hasGap { position = begin }
      phase = .following
    } else {
      phase = .scanning(part: part + 1, since: since, asOf: begin, isAsked: false)
    }
  }

  mutating func changed(_ batches: [Message.EntryBatch]) {
    guard !hasGap else { return }
    guard waiting.count + batches.count <= TableFeed.limit else { return changesLost() }
    if case .following = phase {
      waiting += batches
    } else {
      // The position is that of the scan until it ends.
      waiting += batches.map { .init(upTo: 0, entries: $0.entries) }.filter { !$0.entries.isEmpty }
    }
  }

  mutating func changesLost() { hasGap = true }
}
