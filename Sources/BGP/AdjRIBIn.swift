package import Model

/// What a peer announced: shown, never installed, bounded per family.
package struct AdjRIBIn: Sendable {
  package struct Route: Hashable, Sendable {
    package var nextHop: NextHop
    package var attributes: PathAttributes
  }

  /// The most prefixes that a family may hold.
  package let limit: Int
  private var v4: [IPPrefix: Route] = [:]
  private var v6: [IPPrefix: Route] = [:]
  /// Families whose End-of-RIB has come.
  package private(set) var complete: Set<FamilyCode> = []

  package init(limit: Int) { self.limit = max(0, limit) }

  package func count(_ family: IPAddress.Family) -> Int { family == .v4 ? v4.count : v6.count }
  package func route(_ prefix: IPPrefix) -> Route? { prefix.address.family == .v4 ? v4[prefix] : v6[prefix] }

  package var routes: [(prefix: IPPrefix, route: Route)] {
    (v4.map { ($0.key, $0.value) } + v6.map { ($0.key, $0.value) }).sorted { order($0.0, $1.0) }
  }

  /// The peer's session is over: all of it is forgotten (no graceful-restart helper, since nothing is installed).
  package mutating func clear() { self = AdjRIBIn(limit: limit) }

  /// Throws Cease/1 (RFC 4486 §4) with family and limit when a prefix would pass the limit.
  package mutating func apply(_ update: Update) throws(Notification) {
    for prefix in update.withdrawn {
      switch prefix.address.family {
      case .v4: v4[prefix] = nil
      case .v6: v6[prefix] = nil
      }
    }
    for reachable in update.announced {
      let route = Route(nextHop: reachable.nextHop, attributes: update.attributes)
      for prefix in reachable.prefixes {
        switch prefix.address.family {
        case .v4: try AdjRIBIn.insert(prefix, route, into: &v4, limit)
        case .v6: try AdjRIBIn.insert(prefix, route, into: &v6, limit)
        }
      }
    }
    if let code = update.endOfRIB { complete.insert(code) }
  }

  // PERF: static; as a method it holds a copy of self, and every insertion copies the table: 24 µs a route, not 0.3.
  private static func insert(
    _ prefix: IPPrefix, _ route: Route, into routes: inout [IPPrefix: Route], _ limit: Int
  ) throws(Notification) {
    guard routes.count < limit || routes[prefix] != nil else {
      let code = FamilyCode(prefix.address.family)
      let bound = UInt32(clamping: limit)
      throw Notification(
        .prefixLimit,
        [UInt8(code.afi >> 8), UInt8(code.afi & 255), code.safi]
          + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bound >> $0) })
    }
    routes[prefix] = route
  }
}
