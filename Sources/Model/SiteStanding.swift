/// How a site stands now, by what its observers say and what an operator wants.
package struct SiteStanding: Hashable, Sendable {
  package enum State: String, Hashable, Sendable {
    case up, down
    /// Nobody is heard that could tell.
    case stale
    /// An operator took it out.
    case drained
  }
  package var state: State
  /// Whether its addresses are answered with.
  package var isUp: Bool
  package var reason: String
  package var since: Instant
  /// When it changes by itself: an operator's order ends, a recovery is believed.
  package var until: Instant?
  /// While down: since when observers say up again.
  package var recovering: Instant?

  package init(_ state: State, isUp: Bool, reason: String, since: Instant) {
    self.state = state
    self.isUp = isUp
    self.reason = reason
    self.since = since
  }
}

/// What the nodes of a site have under way.
package struct SiteLoad: Hashable, Sendable {
  /// Connections and requests.
  package var underWay = 0
  /// What they may have; a backend without a limit counts as its weight.
  package var capacity = 0

  package init(underWay: Int = 0, capacity: Int = 0) {
    self.underWay = underWay
    self.capacity = capacity
  }

  /// In proportion to capacity; nil where there is none.
  package var share: Double? { capacity > 0 ? Double(underWay) / Double(capacity) : nil }

  package mutating func add(_ other: SiteLoad) {
    underWay += other.underWay
    capacity += other.capacity
  }
}
