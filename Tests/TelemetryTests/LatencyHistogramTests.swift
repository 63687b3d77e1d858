import Telemetry
import Testing

@Suite struct LatencyHistogramTests {
  @Test func everyDurationLiesWithinItsBucket() {
    for exponent in 0..<40 {
      let edge = Int64(1) << Int64(exponent)
      for value in [edge - 1, edge, edge + 1, edge + edge / 2] {
        let bucket = LatencyScale.bucket(value)
        #expect(LatencyScale.lowerBound(bucket) <= UInt64(value))
        if bucket + 1 < LatencyScale.buckets { #expect(UInt64(value) < LatencyScale.lowerBound(bucket + 1)) }
      }
    }
    #expect(LatencyScale.bucket(-5) == 0)
    #expect(LatencyScale.bucket(.max) == LatencyScale.buckets - 1)
  }

  @Test func bucketsAreAtMostAQuarterWide() {
    for bucket in 4..<LatencyScale.buckets - 1 {
      let (low, high) = (LatencyScale.lowerBound(bucket), LatencyScale.lowerBound(bucket + 1))
      #expect(high > low && Double(high - low) <= 0.25 * Double(low))
    }
  }

  @Test func quantilesAreWithinABucketOfTheTruth() {
    var histogram = LatencyHistogram()
    for value in 1...10_000 { histogram.record(microseconds: Int64(value)) }
    for share in [0.01, 0.5, 0.9, 0.99, 0.999] {
      let found = histogram.quantile(share) ?? 0
      #expect(abs(found - share * 10_000) <= 0.25 * share * 10_000)
    }
    #expect(LatencyHistogram().quantile(0.5) == nil)
  }

  @Test func belowCountsWholeBuckets() {
    var histogram = LatencyHistogram()
    for value in [63, 64, 65, 127, 128] as [Int64] { histogram.record(microseconds: value) }
    #expect(histogram.below(64) == 1)
    #expect(histogram.below(128) == 4)
    #expect(histogram.count == 5)
    #expect(histogram.sum == 447)
  }

  @Test func histogramsAddUp() {
    var (left, right, both) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    for value in [1, 50, 900] as [Int64] {
      left.record(microseconds: value)
      both.record(microseconds: value)
    }
    for value in [7, 50, 70_000_000] as [Int64] {
      right.record(microseconds: value)
      both.record(microseconds: value)
    }
    #expect(left + right == both)
    #expect(left + LatencyHistogram() == left)
  }
}
