/// When something was said, such that of two sayings one is the later on every node.
///
/// A hybrid logical clock (Kulkarni et al., "Logical Physical Clocks"): milliseconds since 1970 in the upper 48 bits,
/// a counter in the lower 16; of equal ones the greater node name is the later.
package struct Stamp: Hashable, Sendable {
  package var time: UInt64
  package var node: String

  package init(time: UInt64, node: String) {
    self.time = time
    self.node = node
  }

  /// Milliseconds since 1970.
  package var milliseconds: UInt64 { time >> 16 }
}

extension Stamp: Comparable {
  package static func < (left: Stamp, right: Stamp) -> Bool {
    // By bytes: the order must not depend on a locale or on Unicode's version.
    left.time != right.time ? left.time < right.time : left.node.utf8.lexicographicallyPrecedes(right.node.utf8)
  }
}

/// Gives stamps that are later than everything this node has seen, whatever the wall clocks say.
package struct HybridClock: Hashable, Sendable {
  package private(set) var last: UInt64 = 0

  package init() {}

  /// - Parameter wall: milliseconds since 1970.
  package mutating func stamp(node: String, wall: Int64) -> Stamp {
    let physical = UInt64(clamping: wall) << 16
    last = max(physical, last &+ 1)
    return Stamp(time: last, node: node)
  }

  /// A stamp of another node was seen.
  package mutating func observe(_ stamp: Stamp) {
    // The end of time is nobody's stamp: from there the clock could not go on.
    if stamp.time > last, stamp.time < .max >> 1 { last = stamp.time }
  }
}
