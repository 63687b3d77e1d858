/// Buckets for durations: four to each doubling, exact below 8 µs, so that a bucket is at most a quarter wider than its
/// lower bound. A log-linear scale as in HdrHistogram (http://hdrhistogram.org), with fixed edges: histograms of workers,
/// nodes and days add up.
package enum LatencyScale {
  /// The last one takes everything from 117 s.
  package static let buckets = 104

  /// - Parameter microseconds: negative counts as 0.
  /// - Returns: 0..<`buckets`.
  @inlinable
  package static func bucket(_ microseconds: Int64) -> Int {
    guard microseconds >= 4 else { return Int(max(0, microseconds)) }
    let exponent = 63 - microseconds.leadingZeroBitCount
    let index = (exponent - 1) << 2 + Int(microseconds >> Int64(exponent - 2)) & 3
    return min(index, buckets - 1)
  }

  /// The least duration of a bucket, in microseconds; the bucket before ends there.
  package static func lowerBound(_ bucket: Int) -> UInt64 {
    guard bucket >= 4 else { return UInt64(bucket) }
    return UInt64(4 + bucket & 3) << UInt64(bucket >> 2 - 1)
  }
}

/// How often durations fell into each bucket of `LatencyScale`.
package struct LatencyHistogram: Hashable, Codable, Sendable {
  /// Empty, or one for each bucket.
  package var counts: [UInt64] = []
  /// Of all durations, in microseconds.
  package var sum: UInt64 = 0

  package init() {}

  package init(counts: [UInt64], sum: UInt64) {
    self.counts = counts
    self.sum = sum
  }

  package var count: UInt64 { counts.reduce(0, &+) }

  package mutating func record(microseconds: Int64) {
    if counts.isEmpty { counts = [UInt64](repeating: 0, count: LatencyScale.buckets) }
    counts[LatencyScale.bucket(microseconds)] += 1
    sum &+= UInt64(max(0, microseconds))
  }

  /// How many durations were below `microseconds`, which must be an edge of the scale (any power of two is).
  package func below(_ microseconds: UInt64) -> UInt64 {
    counts.prefix(LatencyScale.bucket(Int64(clamping: microseconds))).reduce(0, &+)
  }

  /// The duration that a share of all does not exceed, in microseconds, linear within its bucket; nil when empty.
  /// - Parameter share: 0...1.
  package func quantile(_ share: Double) -> Double? {
    let total = count
    guard total > 0 else { return nil }
    let rank = min(max(share, 0), 1) * Double(total)
    var seen = 0.0
    for (bucket, count) in counts.enumerated() where count > 0 {
      let next = seen + Double(count)
      if rank <= next {
        let low = Double(LatencyScale.lowerBound(bucket))
        let high = bucket + 1 < LatencyScale.buckets ? Double(LatencyScale.lowerBound(bucket + 1)) : low
        return low + (high - low) * max(0, rank - seen) / Double(count)
      }
      seen = next
    }
    return nil
  }

  package static func + (left: LatencyHistogram, right: LatencyHistogram) -> LatencyHistogram {
    if left.counts.isEmpty { return right }
    if right.counts.isEmpty { return left }
    return LatencyHistogram(counts: zip(left.counts, right.counts).map { $0 &+ $1 }, sum: left.sum &+ right.sum)
  }
}
