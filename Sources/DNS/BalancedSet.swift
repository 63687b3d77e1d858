package import Model

/// What a name is answered with when its addresses are chosen per query: a tree of policies over members.
package struct BalancedSet: Hashable, Sendable {
  package struct Member: Hashable, Sendable {
    package var address: IPAddress
    package var weight: UInt32

    package init(_ address: IPAddress, weight: UInt32 = 1) {
      self.address = address
      self.weight = weight
    }
  }

  package enum Policy: Hashable, Sendable {
    /// In turn: each answer begins one further.
    case roundRobin
    /// Drawn in proportion to weights.
    case weighted
    /// Drawn, all alike.
    case random
    /// The same for a client network while the choices stay (weighted rendezvous hashing).
    case hash
    /// The first that is well.
    case failover
    /// Drawn in proportion to the shares of a `LoadDamper`.
    case leastLoad
    /// The first rule that fits; else the nearest by coordinates; else what is for everybody; else as `failover`.
    case geo([GeoRule])
    /// By the client's network, to the choice of that index (a latency map); else as `failover`.
    case networks([NetworkRule])
    /// All, in their order.
    case all
  }

  package struct GeoRule: Hashable, Sendable {
    package enum Match: Hashable, Sendable {
      case country(UInt16), continent(UInt16), system(UInt32), at(Coordinates)
      case everybody
    }
    package var match: Match
    package var choice: Int

    package init(_ match: Match, _ choice: Int) {
      self.match = match
      self.choice = choice
    }
  }

  package struct NetworkRule: Hashable, Sendable {
    package var network: IPPrefix
    package var choice: Int

    package init(_ network: IPPrefix, _ choice: Int) {
      self.network = network
      self.choice = choice
    }
  }

  package enum Choice: Hashable, Sendable {
    case member(Member)
    case group(Group, weight: UInt32)
  }

  /// A policy over members or further groups.
  package struct Group: Hashable, Sendable {
    package var policy: Policy
    package var choices: [Choice]

    package init(_ policy: Policy, _ choices: [Choice]) {
      self.policy = policy
      self.choices = choices
    }
  }

  /// What is answered when no member is well.
  package enum Fallback: Hashable, Sendable {
    /// Every member as if it were well: a stale verdict harms less than no address.
    case everything
    /// No address (NODATA).
    case nothing
  }

  package var root: Group
  /// How many addresses an answer holds, 1 to 16.
  package var count: Int
  package var shuffles: Bool
  /// Below this share of well members a group is answered as if all were (0: never).
  package var panicThreshold: Double
  package var fallback: Fallback
  package var ttl: TTLRange
  /// Bits of a client's address that `hash` looks at.
  package var hashLengthV4: Int
  package var hashLengthV6: Int

  package init(
    _ root: Group, count: Int = 1, shuffles: Bool = false, panicThreshold: Double = 0, fallback: Fallback = .everything,
    ttl: TTLRange = TTLRange(5, 300)
  ) {
    self.root = root
    self.count = count
    self.shuffles = shuffles
    self.panicThreshold = panicThreshold
    self.fallback = fallback
    self.ttl = ttl
    hashLengthV4 = 24
    hashLengthV6 = 56
  }

  /// The addresses of another name, all of them: what an ALIAS is answered with.
  package static func alias(_ addresses: [IPAddress], ttl: UInt32) -> BalancedSet {
    BalancedSet(
      Group(.all, addresses.map { .member(Member($0)) }), count: 16, fallback: .nothing, ttl: TTLRange(ttl, ttl))
  }

  /// The members in the order of the tree: that of the `MemberHealth` values that compiling takes.
  package var members: [Member] {
    func collect(_ group: Group) -> [Member] {
      group.choices.flatMap { choice in
        switch choice {
        case .member(let member): [member]
        case .group(let inner, _): collect(inner)
        }
      }
    }
    return collect(root)
  }
}
