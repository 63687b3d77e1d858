/// Things whose failure makes this node a worse owner: interfaces, pools, listeners, scripts, BGP sessions.
///
/// The names are the caller's. Nothing is asked here; somebody tells.
package struct Tracks: Hashable, Sendable {
  package enum Consequence: Hashable, Sendable {
    /// Below zero: taken off while it fails. Above zero: added while it is well (as keepalived does).
    case weight(Int)
    /// The node gives up the address while it fails.
    case fault
  }

  private struct Track: Hashable, Sendable {
    var consequence: Consequence
    var isWell: Bool
  }

  private var tracks: [String: Track] = [:]

  package init() {}

  package mutating func add(_ name: String, _ consequence: Consequence, isWell: Bool = true) {
    tracks[name] = Track(consequence: consequence, isWell: isWell)
  }

  /// Whether that changed anything; an unknown name changes nothing.
  package mutating func set(_ name: String, isWell: Bool) -> Bool {
    guard let track = tracks[name], track.isWell != isWell else { return false }
    tracks[name]?.isWell = isWell
    return true
  }

  /// The failing things that forbid to own the address, sorted.
  package var faults: [String] {
    tracks.filter { !$0.value.isWell && $0.value.consequence == .fault }.keys.sorted()
  }

  package func isWell(_ name: String) -> Bool? { tracks[name]?.isWell }

  /// The configured priority with all weights, within 1–254. An owner stays owner: weights don't reach it.
  package func priority(from configured: UInt8) -> UInt8 {
    guard configured != 255 else { return 255 }
    var sum = Int(configured)
    for track in tracks.values {
      guard case .weight(let weight) = track.consequence, track.isWell == (weight > 0) else { continue }
      // Bounded, so that no sum of weights overflows.
      sum += max(-255, min(255, weight))
    }
    return UInt8(max(1, min(254, sum)))
  }
}
