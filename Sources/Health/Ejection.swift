package import Model

/// How long a backend whose traffic fails is left out, and how that grows.
///
/// The nth ejection lasts baseEjection × 2^n, at most maxEjection. Each stretch of
/// maxEjection without an ejection takes one doubling back.
package struct Ejection: Hashable, Codable, Sendable {
  package private(set) var until: Instant?
  package private(set) var reason = ""
  /// How often it has begun; nil: by a version that did not count.
  private var begun: UInt64?
  private var doublings = 0
  /// When the last ejection ended, or when doublings were last taken back.
  private var quietSince: Instant?

  var isActive: Bool { until != nil }
  var count: UInt64 { begun ?? 0 }

  mutating func begin(_ why: String, _ policy: OutlierPolicy, at now: Instant) {
    if let quietSince, policy.maxEjection > .zero {
      let stretches = max(0, (now - quietSince).nanoseconds / max(1, policy.maxEjection.nanoseconds))
      doublings = max(0, doublings - Int(clamping: stretches))
    }
    let base = max(0, policy.baseEjection.nanoseconds)
    let (length, overflow) = base.multipliedReportingOverflow(by: 1 << Int64(min(doublings, 40)))
    let limit = max(base, policy.maxEjection.nanoseconds)
    until = now + .nanoseconds(overflow ? limit : min(length, limit))
    if !overflow, length < limit { doublings += 1 }
    reason = why
    begun = count + 1
  }

  /// Ends when its time has come, or at once when outliers are no longer looked for.
  mutating func end(at now: Instant, unconditionally: Bool = false) {
    guard let until, unconditionally || until <= now else { return }
    self.until = nil
    quietSince = now
  }
}
