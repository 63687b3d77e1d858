package import Model

/// What operators say once for all nodes: of each key the last word counts.
///
/// A map of last-writer-wins registers: merging is commutative, associative and idempotent, so nodes that have heard
/// the same words agree, in whatever order and however often they heard them.
package struct Registers: Hashable, Sendable {
  /// Keys, over all nodes.
  package static let limit = 16_384

  package private(set) var entries: [RegisterKey: Register] = [:]

  package init() {}

  package subscript(key: RegisterKey) -> Register? { entries[key] }

  /// Takes a word over if it is later than the known one.
  /// - Returns: whether it was. A new key beyond `limit` is not taken.
  @discardableResult package mutating func merge(_ register: Register) -> Bool {
    guard let known = entries[register.key] else {
      guard entries.count < Registers.limit else { return false }
      entries[register.key] = register
      return true
    }
    guard register.stamp > known.stamp else { return false }
    entries[register.key] = register
    return true
  }
}

/// Of which backend, and what of it.
package struct RegisterKey: Hashable, Sendable {
  package enum Kind: UInt8, Sendable {
    /// The value is the `AdministrativeState`'s word.
    case state = 1
    /// The value is the weight in decimal.
    case weight = 2
    /// Of a site, whose name stands for the pool: "ready", "drain", or "drain MS" until so many milliseconds since 1970.
    case site = 3
    /// Of a VIP, whose name stands for the pool: "move FROM", "move FROM TO", by nodes' names, or "restore".
    case vip = 4
    /// Of a floating address, whose text stands for the pool: `FloatingWord`'s.
    case floating = 5
  }

  /// Raw, so that a kind which only newer nodes know is passed on unharmed.
  package var kind: UInt8
  package var pool: String
  package var backend: String

  package init(vip: String) { self.init(.vip, pool: vip, backend: "") }
  package init(floating: IPAddress) { self.init(.floating, pool: "\(floating)", backend: "") }
  package init(site: String) { self.init(.site, pool: site, backend: "") }

  package init(_ kind: Kind, pool: String, backend: String) {
    self.init(kind: kind.rawValue, pool: pool, backend: backend)
  }

  init(kind: UInt8, pool: String, backend: String) {
    self.kind = kind
    self.pool = pool
    self.backend = backend
  }
}

package struct Register: Hashable, Sendable {
  package var key: RegisterKey
  /// Empty: the word was made void by a new file. Who hears that keeps what it has until its own file says so too.
  package var value: String
  package var stamp: Stamp

  package init(key: RegisterKey, value: String, stamp: Stamp) {
    self.key = key
    self.value = value
    self.stamp = stamp
  }
}
