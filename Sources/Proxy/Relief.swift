import Reactor

/// Whose buffers are taken back when a worker runs out of them, and when to look.
struct Relief {
  /// A trunk, and the chunks that are lent for its streams.
  struct Holder {
    let trunk: UInt32
    let chunks: Int
  }

  /// Looking walks over all streams: it pays where a quarter of all buffers comes back, and waits where nothing did.
  static let interval: Int64 = 100
  private var next: Int64 = 0

  func isDue(_ now: Int64) -> Bool { now >= next }

  /// Those that hold the most first; none, where others hold the most: to end these would not help.
  static func order(_ holders: [Holder], lent: Int) -> [Holder] {
    guard holders.reduce(0, { $0 + $1.chunks }) > lent / 2 else { return [] }
    return holders.sorted { $0.chunks > $1.chunks }
  }

  /// Clients fill what is free again within milliseconds, so that a look that helped may be followed by the next at once.
  mutating func looked(_ now: Int64, helped: Bool) {
    if !helped { next = now + Relief.interval }
  }
}

extension Chain {
  var chunks: Int { (Int(count) + BufferPool.chunkSize - 1) / BufferPool.chunkSize }
}
