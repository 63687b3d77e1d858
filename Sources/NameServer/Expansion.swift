import DNS
import Model

/// Where a member's health comes from.
enum MemberSource: Hashable, Sendable {
  /// Nothing is known of it: always well.
  case fixed
  case backend(BackendKey)
  /// A site's address, and the backend of the site's pool that watches it from here.
  case site(String, BackendKey)
}

/// A balanced name with its pools and sites spelt out as addresses.
struct Expansion: Sendable {
  let set: BalancedSet
  /// The outermost policy, as the configuration writes it.
  let policy: String
  /// In the order of `set.members`.
  let members: [MemberSource]
  let settle: Duration
  /// Whether some group's shares follow load.
  let followsLoad: Bool
  /// Load is the bare number of connections, whatever the capacity.
  let countsConnections: Bool

  init(_ name: BalancedName, topology: Topology, sites: [Site]) {
    var builder = Builder(topology: topology, sites: sites)
    let root = builder.group(name.root)
    var set = BalancedSet(
      root, count: name.answers, shuffles: name.shuffle, panicThreshold: name.panicThreshold,
      fallback: name.fallback == .all ? .everything : .nothing,
      ttl: TTLRange(UInt32(name.shortestTTL), UInt32(name.longestTTL)))
    set.hashLengthV4 = name.prefixV4
    set.hashLengthV6 = name.prefixV6
    self.set = set
    policy = name.root.policy.rawValue
    members = builder.members
    settle = name.settle
    followsLoad = builder.followsLoad
    countsConnections = builder.countsConnections
  }

  private struct Builder {
    let topology: Topology
    let sites: [Site]
    var members: [MemberSource] = []
    var followsLoad = false
    var countsConnections = false

    mutating func group(_ group: NameGroup) -> BalancedSet.Group {
      if group.policy == .leastLoad || group.policy == .leastConnections { followsLoad = true }
      if group.policy == .leastConnections { countsConnections = true }
      var choices: [BalancedSet.Choice] = []
      /// The model's choice that each of ours comes from, for the rules.
      var origins: [Int] = []
      for (index, choice) in group.choices.enumerated() {
        let expanded = expand(choice, isFlat: group.policy.isFlat)
        choices += expanded
        origins += expanded.map { _ in index }
      }
      return BalancedSet.Group(policy(group, origins), choices)
    }

    private mutating func expand(_ choice: NameChoice, isFlat: Bool) -> [BalancedSet.Choice] {
      let weight = UInt32(clamping: choice.weight)
      switch choice.target {
      case .address(let address, let key):
        members.append(source(of: address, key))
        return [.member(.init(address, weight: weight))]
      case .group(let inner): return [.group(group(inner), weight: weight)]
      case .pool(let name):
        guard let pool = topology.pools.first(where: { $0.name == name }) else { return [] }
        var list: [BalancedSet.Member] = []
        for backend in pool.backends {
          guard case .ip(let endpoint) = backend.address else { continue }
          members.append(.backend(BackendKey(pool: name, backend: backend.name)))
          // In a group of its own a pool's weight is the group's.
          let own = isFlat ? choice.weight * backend.weight : backend.weight
          list.append(.init(endpoint.address, weight: UInt32(clamping: min(own, 2_000_000))))
        }
        let isEven = Set(pool.backends.map(\.weight)).count <= 1
        return nest(list, isFlat: isFlat, isEven ? .roundRobin : .weighted, weight)
      case .site(let name):
        guard let site = sites.first(where: { $0.name == name }) else { return [] }
        var list: [BalancedSet.Member] = []
        for address in site.addresses {
          members.append(.site(name, BackendKey(pool: site.pool, backend: address.description)))
          list.append(.init(address, weight: isFlat ? weight : 1))
        }
        return nest(list, isFlat: isFlat, .roundRobin, weight)
      }
    }

    /// The name's own probes, else the first pool that has the address, else nobody.
    private func source(of address: IPAddress, _ key: BackendKey?) -> MemberSource {
      if let key, topology.pools.contains(where: { $0.name == key.pool }) { return .backend(key) }
      for pool in topology.pools {
        for backend in pool.backends {
          if case .ip(let endpoint) = backend.address, endpoint.address == address {
            return .backend(BackendKey(pool: pool.name, backend: backend.name))
          }
        }
      }
      return .fixed
    }

    /// As they are in a group that draws among members; as one choice in a group that chooses between places.
    private func nest(
      _ list: [BalancedSet.Member], isFlat: Bool, _ policy: BalancedSet.Policy, _ weight: UInt32
    ) -> [BalancedSet.Choice] {
      let choices = list.map(BalancedSet.Choice.member)
      return isFlat || choices.isEmpty ? choices : [.group(.init(policy, choices), weight: max(weight, 1))]
    }

    private func policy(_ group: NameGroup, _ origins: [Int]) -> BalancedSet.Policy {
      switch group.policy {
      case .roundRobin: return .roundRobin
      case .weighted: return .weighted
      case .random: return .random
      case .leastLoad, .leastConnections: return .leastLoad
      case .hash: return .hash
      case .failover: return .failover
      case .all: return .all
      case .geo:
        var rules: [BalancedSet.GeoRule] = []
        for (place, origin) in origins.enumerated() {
          for match in group.choices[origin].matches {
            if let match = BalancedSet.GeoRule.Match(match) { rules.append(.init(match, place)) }
          }
          if group.choices[origin].matches.isEmpty { rules.append(.init(.everybody, place)) }
        }
        return .geo(rules)
      case .latency:
        var rules: [BalancedSet.NetworkRule] = []
        // What says nothing of networks is for all others.
        if let place = origins.firstIndex(where: { group.choices[$0].matches.isEmpty }) {
          for address in [IPAddress.anyV4, .anyV6] {
            if let all = IPPrefix(address, length: 0) { rules.append(.init(all, place)) }
          }
        }
        for (place, origin) in origins.enumerated() {
          for case .network(let prefix) in group.choices[origin].matches { rules.append(.init(prefix, place)) }
        }
        return .networks(rules)
      }
    }
  }
}

extension NameGroup.Policy {
  /// Chooses among all members alike; the others choose one place first.
  fileprivate var isFlat: Bool {
    switch self {
    case .failover, .geo, .latency: false
    default: true
    }
  }
}

extension BalancedSet.GeoRule.Match {
  fileprivate init?(_ match: NameChoice.Match) {
    switch match {
    case .country(let text):
      guard let code = Place.code(text) else { return nil }
      self = .country(code)
    case .continent(let text):
      guard let code = Place.code(text) else { return nil }
      self = .continent(code)
    case .system(let number): self = .system(number)
    case .near(let latitude, let longitude):
      self = .at(Coordinates(latitude: Double(latitude) / 1000, longitude: Double(longitude) / 1000))
    case .network: return nil
    }
  }
}
