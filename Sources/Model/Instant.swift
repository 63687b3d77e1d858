/// A point on the monotonic clock, in nanoseconds from an arbitrary start.
///
/// Protocol code receives it as an argument and never asks for it, so that tests
/// and simulations own the time.
package struct Instant: Hashable, Codable, Comparable, Sendable, BitwiseCopyable {
  package var nanoseconds: Int64

  @inlinable package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  @inlinable package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Saturating, so that an endless duration is never in the past.
  @inlinable package static func + (instant: Instant, duration: Duration) -> Instant {
    let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
    return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
  }

  @inlinable package static func - (left: Instant, right: Instant) -> Duration {
    .nanoseconds(left.nanoseconds &- right.nanoseconds)
  }
}

extension Duration {
  /// Whole nanoseconds, saturating at ±292 years.
  @inlinable package var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return seconds < 0 ? .min : .max }
    let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
    guard !carried else { return seconds < 0 ? .min : .max }
    return sum
  }

  /// Whole milliseconds, rounded towards zero.
  @inlinable package var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
