package import Model

/// Longest-prefix match from networks to numbers: a latency map, or any table "who is served where".
package struct PrefixMap: Sendable, Equatable {
  /// By length, the longest first.
  private let levels: [Level]

  private struct Level: Sendable, Equatable {
    var length: Int
    var family: IPAddress.Family
    var entries: [IPPrefix: UInt32]
  }

  /// Of two entries for one network the later wins.
  package init(_ entries: [(IPPrefix, UInt32)]) {
    var levels: [Level] = []
    for (prefix, value) in entries {
      if let index = levels.firstIndex(where: { $0.length == prefix.length && $0.family == prefix.address.family }) {
        levels[index].entries[prefix] = value
      } else {
        levels.append(Level(length: prefix.length, family: prefix.address.family, entries: [prefix: value]))
      }
    }
    self.levels = levels.sorted { $0.length > $1.length }
  }

  /// The value of the longest network that holds the address, and its length.
  package func find(_ address: IPAddress) -> (value: UInt32, length: Int)? {
    for level in levels where level.family == address.family {
      if let prefix = IPPrefix(address, length: level.length), let value = level.entries[prefix] {
        return (value, level.length)
      }
    }
    return nil
  }
}
