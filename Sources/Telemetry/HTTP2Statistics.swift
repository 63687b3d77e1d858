/// What a listener's clients did by HTTP/2, beside their requests.
package struct HTTP2Statistics: Hashable, Codable, Sendable {
  /// Connections that speak it.
  package var connections: UInt64 = 0
  /// Of those, the ones that were ended for a flood of frames, in the order of `FloodReason`.
  package var floods: [UInt64] = []
  /// gRPC calls that ended, by their status (0 to 16).
  package var calls: [UInt64] = []

  package init() {}

  package static func + (left: HTTP2Statistics, right: HTTP2Statistics) -> HTTP2Statistics {
    var sum = HTTP2Statistics()
    sum.connections = left.connections &+ right.connections
    sum.floods = add(left.floods, right.floods)
    sum.calls = add(left.calls, right.calls)
    return sum
  }

  private static func add(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
    (0..<max(left.count, right.count)).map {
      ($0 < left.count ? left[$0] : 0) &+ ($0 < right.count ? right[$0] : 0)
    }
  }
}

/// What a client did too much of by HTTP/2.
package enum FloodReason: String, CaseIterable, Sendable {
  case resets, settings, pings
  case idle = "empty-frames"
  case continuations
  case headerBlock = "header-block"
  case streams, buffers
}
