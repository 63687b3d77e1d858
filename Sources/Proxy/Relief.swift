import Reactor

/// Whose buffers are taken back when a worker runs out of them, and when to look.
struct Relief {
  /// A trunk or an exchange, and the chunks that are lent for it.
  struct Holder {
    let number: UInt32
    let chunks: Int
    /// When something of it was last taken, in loop milliseconds.
    var moved: Int64 = 0
  }

  enum Choice {
    case trunks([Holder])
    case readers([Holder])
    /// Others hold the most: to end these would not help.
    case nobody
  }

  /// Looking walks over all streams: it pays where a quarter of all buffers comes back, and waits where nothing did.
  static let interval: Int64 = 100
  private var next: Int64 = 0

  func isDue(_ now: Int64) -> Bool { now >= next }

  /// Who ends, and in which order: of trunks, which hold for many streams, those that hold the most; of clients with one
  /// request each, which hold alike, those that stand still the longest. Three quarters are lent and half is to be: to end
  /// those who hold less than a third would not do.
  static func choose(trunks: [Holder], readers: [Holder], lent: Int) -> Choice {
    let (ofTrunks, ofReaders) = (trunks.reduce(0) { $0 + $1.chunks }, readers.reduce(0) { $0 + $1.chunks })
    guard max(ofTrunks, ofReaders) > lent / 3 else { return .nobody }
    if ofTrunks >= ofReaders { return .trunks(trunks.sorted { $0.chunks > $1.chunks }) }
    return .readers(readers.sorted { $0.moved < $1.moved })
  }

  /// Clients fill what is free again within milliseconds, so that a look that helped may be followed by the next at once.
  mutating func looked(_ now: Int64, helped: Bool) {
    if !helped { next = now + Relief.interval }
  }
}

extension Chain {
  var chunks: Int { (Int(count) + BufferPool.chunkSize - 1) / BufferPool.chunkSize }
}
