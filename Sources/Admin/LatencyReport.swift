/// Durations since the node started.
package struct LatencyReport: Codable, Hashable, Sendable {
  package var count: UInt64 = 0
  /// In seconds, of all of them.
  package var sum: Double = 0
  /// In seconds; absent when nothing was counted.
  package var p50: Double?
  package var p90: Double?
  package var p99: Double?
  package var p999: Double?
  /// How many took less than 64 µs, 128 µs, and so on by doubling up to 67 s: a difference of two reports is a histogram
  /// of the time between them.
  package var below: [UInt64] = []

  /// The bounds of `below`, in microseconds.
  package static let bounds: [UInt64] = (6...26).map { 1 << $0 }

  package enum CodingKeys: String, CodingKey {
    case count, p50, p90, p99, p999, below
    case sum = "sum_s"
  }

  package init() {}
}

extension LatencyReport {
  /// What came after an earlier report of the same node; only `count`, `sum` and `below` are of the difference.
  package func since(_ last: LatencyReport?) -> LatencyReport {
    guard let last, last.count <= count, last.below.count == below.count else { return self }
    var result = LatencyReport()
    result.count = count - last.count
    result.sum = sum - last.sum
    result.below = zip(below, last.below).map { $0 >= $1 ? $0 - $1 : 0 }
    return result
  }

  /// From `below`, linear within a doubling, in seconds; nil when empty.
  package func quantile(_ share: Double) -> Double? {
    guard count > 0, !below.isEmpty else { return nil }
    let rank = share * Double(count)
    var (seen, low) = (0.0, 0.0)
    for (bound, total) in zip(LatencyReport.bounds, below) {
      let high = Double(bound) / 1e6
      if Double(total) >= rank, Double(total) > seen {
        return low + (high - low) * max(0, rank - seen) / (Double(total) - seen)
      }
      (seen, low) = (Double(total), high)
    }
    return low
  }
}
