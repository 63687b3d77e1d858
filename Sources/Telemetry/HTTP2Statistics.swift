/// What a listener's clients did by HTTP/2, beside their requests.
package struct HTTP2Statistics: Hashable, Codable, Sendable {
  /// Connections that speak it.
  package var connections: UInt64 = 0
  /// Of those, the ones that were ended for a flood of frames.
  package var floods: UInt64 = 0
  /// gRPC calls that ended, by their status (0 to 16).
  package var calls: [UInt64] = []

  package init() {}

  package static func + (left: HTTP2Statistics, right: HTTP2Statistics) -> HTTP2Statistics {
    var sum = HTTP2Statistics()
    sum.connections = left.connections &+ right.connections
    sum.floods = left.floods &+ right.floods
    sum.calls = (0..<max(left.calls.count, right.calls.count)).map { code in
      (code < left.calls.count ? left.calls[code] : 0) &+ (code < right.calls.count ? right.calls[code] : 0)
    }
    return sum
  }
}
