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
  /// When an operator's order ends.
  package var until: Instant?
  /// In proportion to capacity, where its nodes tell.
  package var load: Double?

  package init(_ state: State, isUp: Bool, reason: String, since: Instant) {
    self.state = state
    self.isUp = isUp
    self.reason = reason
    self.since = since
  }
}
