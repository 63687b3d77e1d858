/// The bounds of a time to live, in seconds.
package struct TTLRange: Hashable, Sendable, BitwiseCopyable {
  package var shortest: UInt32
  package var longest: UInt32

  package init(_ shortest: UInt32, _ longest: UInt32) {
    self.shortest = min(shortest, longest)
    self.longest = max(shortest, longest)
  }
}

/// What an answer needs to know of a member's health.
package struct MemberHealth: Hashable, Sendable, BitwiseCopyable {
  package enum Trend: Hashable, Sendable, BitwiseCopyable {
    /// No sign of change.
    case steady
    /// Near a threshold: the verdict changes in so many seconds at the earliest.
    case nearThreshold(UInt32)
    /// Changed lately, or probes disagree.
    case changing
  }

  package var isUp: Bool
  package var trend: Trend
  /// Seconds until a change that is already decided: an override expires, a drain ends.
  package var plannedChange: UInt32?
  /// The part of the configured weight that counts now: a warming backend's, a `LoadDamper`'s. 1 is all of it.
  package var share: Double

  package init(isUp: Bool = true, trend: Trend = .steady, plannedChange: UInt32? = nil, share: Double = 1) {
    self.isUp = isUp
    self.trend = trend
    self.plannedChange = plannedChange
    self.share = share
  }
}

/// The TTL that health allows: long while all is steady, short while something changes.
///
/// Never longer than the earliest change that is known to come, also where that is below the shortest.
package func healthTTL(_ range: TTLRange, _ members: [MemberHealth]) -> UInt32 {
  var ttl = range.longest
  for member in members {
    switch member.trend {
    case .steady: break
    case .nearThreshold(let seconds): ttl = min(ttl, max(seconds, range.shortest))
    case .changing: ttl = min(ttl, range.shortest)
    }
  }
  for member in members { if let change = member.plannedChange { ttl = min(ttl, change) } }
  return ttl
}
