/// What was said last of a floating address that nodes share, on whichever of them: a revision of its entry.
package struct FloatingWord: Hashable, Sendable {
  package enum Standing: Hashable, Sendable {
    case released
    case allocated(pool: String)
    case mapped(IPAddress, pool: String)
  }

  package var address: IPAddress
  package var standing: Standing
  /// When, by the hybrid clock of all nodes; of equal ones the greater node's counts.
  package var time: UInt64
  package var node: String

  package init(_ address: IPAddress, _ standing: Standing, time: UInt64, node: String) {
    self.address = address
    self.standing = standing
    self.time = time
    self.node = node
  }

  /// - Parameter text: of `standing`; one that this version does not know is no word.
  package init?(_ address: IPAddress, text: String, time: UInt64, node: String) {
    guard let standing = Standing(text) else { return nil }
    self.init(address, standing, time: time, node: node)
  }

  /// nil: released.
  package var entry: FloatingIP? {
    switch standing {
    case .released: nil
    case .allocated(let pool): FloatingIP(address: address, pool: pool)
    case .mapped(let fixed, let pool): FloatingIP(address: address, pool: pool, fixed: fixed)
    }
  }

  func isLater(than other: FloatingWord) -> Bool {
    if time != other.time { return time > other.time }
    // Of two words of one moment and node, which no clock gives: any order that all nodes have.
    if node != other.node { return other.node.utf8.lexicographicallyPrecedes(node.utf8) }
    return other.address < address
  }
}

extension FloatingWord.Standing {
  package init(_ entry: FloatingIP?) {
    guard let entry else { self = .released; return }
    self = entry.fixed.map { .mapped($0, pool: entry.pool) } ?? .allocated(pool: entry.pool)
  }

  package init?(_ text: String) {
    let parts = text.split(separator: " ", maxSplits: 2).map(String.init)
    switch (parts.first, parts.count) {
    case ("released", 1): self = .released
    case ("allocated", 2): self = .allocated(pool: parts[1])
    case ("mapped", 3):
      guard let fixed = IPAddress(parts[1]) else { return nil }
      self = .mapped(fixed, pool: parts[2])
    default: return nil
    }
  }

  package var text: String {
    switch self {
    case .released: "released"
    case .allocated(let pool): "allocated \(pool)"
    case .mapped(let fixed, let pool): "mapped \(fixed) \(pool)"
    }
  }
}

/// What a store keeps of floating addresses: this node's table, and the words that it shares.
package struct FloatingRecord: Hashable, Sendable {
  package var rows: [FloatingIP]
  package var words: [FloatingWord]

  package init(rows: [FloatingIP] = [], words: [FloatingWord] = []) {
    self.rows = rows
    self.words = words
  }
}

/// Two words that cannot both be carried out; the earlier one gives way.
package struct FloatingConflict: Hashable, Sendable, CustomStringConvertible {
  package var address: IPAddress
  package var description: String
}
