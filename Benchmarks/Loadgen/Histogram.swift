/// Latencies in nanoseconds: 64 buckets for each power of two, so at most 1.6% off. Memory does not grow with the count.
struct Histogram {
  private static let bits = 6
  private var buckets = [Int](repeating: 0, count: 64 << bits)
  private(set) var count = 0
  private(set) var sum: Int64 = 0
  private(set) var max: Int64 = 0

  mutating func record(_ nanoseconds: Int64) {
    let value = Swift.max(0, nanoseconds)
    buckets[Histogram.bucket(value)] += 1
    count += 1
    sum += value
    max = Swift.max(max, value)
  }

  private static func bucket(_ value: Int64) -> Int {
    let exponent = Swift.max(0, 63 - value.leadingZeroBitCount - bits)
    return exponent << bits + Int(value >> Int64(exponent))
  }

  /// The upper bound of the bucket that holds this share of the values.
  func percentile(_ share: Double) -> Int64 {
    let wanted = Int((Double(count) * share).rounded(.up))
    var seen = 0
    for (index, bucket) in buckets.enumerated() where bucket > 0 {
      seen += bucket
      guard seen >= wanted else { continue }
      // Inverse of `bucket`: the mantissa keeps its leading bit, so above the first 2^(bits+1) values it starts at 64.
      let exponent = index < 2 << Histogram.bits ? 0 : index >> Histogram.bits - 1
      let mantissa = Int64(index - exponent << Histogram.bits)
      return Swift.min(max, (mantissa + 1) << Int64(exponent) - 1)
    }
    return max
  }
}
