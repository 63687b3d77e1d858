package import Model

/// Longest-prefix match from networks to numbers: a latency map, or any table "who is served where".
///
/// Two binary tries in flat arrays. The walk also tells for how many bits its result holds: as far as the
/// longest prefix that was compared, so that no other entry lies within (RFC 7871 §7.2.1, overlapping prefixes).
package struct PrefixMap: Sendable, Equatable {
  private struct Node: Sendable, Equatable, BitwiseCopyable {
    /// The next node by the next bit; 0: none.
    var zero: UInt32 = 0
    var one: UInt32 = 0
    /// The value plus 1; 0: none.
    var value: UInt32 = 0
  }

  private var v4 = [Node()]
  private var v6 = [Node()]

  /// Of two entries for one network the later wins.
  package init(_ entries: [(IPPrefix, UInt32)]) {
    for (prefix, value) in entries {
      if prefix.address.family == .v4 {
        PrefixMap.insert(prefix, value, &v4)
      } else {
        PrefixMap.insert(prefix, value, &v6)
      }
    }
  }

  private static func insert(_ prefix: IPPrefix, _ value: UInt32, _ nodes: inout [Node]) {
    var node = 0
    for depth in 0..<prefix.length {
      let isOne = bit(prefix.address, depth)
      var next = isOne ? nodes[node].one : nodes[node].zero
      if next == 0 {
        next = UInt32(nodes.count)
        nodes.append(Node())
        if isOne { nodes[node].one = next } else { nodes[node].zero = next }
      }
      node = Int(next)
    }
    nodes[node].value = value &+ 1
  }

  private static func bit(_ address: IPAddress, _ depth: Int) -> Bool {
    if address.family == .v4 { return address.low &>> UInt64(31 &- depth) & 1 != 0 }
    return (depth < 64 ? address.high &>> UInt64(63 &- depth) : address.low &>> UInt64(127 &- depth)) & 1 != 0
  }

  /// What is known of an address of which `known` bits are given.
  /// - Returns: the value of the longest network that holds them all, and for how many bits that is the answer.
  package func find(_ address: IPAddress, known: Int) -> (value: UInt32?, scope: Int) {
    address.family == .v4 ? walk(v4, address, known) : walk(v6, address, known)
  }

  private func walk(_ nodes: [Node], _ address: IPAddress, _ known: Int) -> (value: UInt32?, scope: Int) {
    var node = 0
    var depth = 0
    var found: UInt32 = 0
    while true {
      let here = nodes[node]
      if here.value != 0 { found = here.value }
      if here.zero == 0, here.one == 0 { break }
      guard depth < min(known, address.width) else { break }
      let next = PrefixMap.bit(address, depth) ? here.one : here.zero
      depth &+= 1
      guard next != 0 else { break }
      node = Int(next)
    }
    return (found == 0 ? nil : found &- 1, depth)
  }
}
