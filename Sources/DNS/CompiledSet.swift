package import Model
import Wire

/// A balanced set with the health of its members applied: what a query reads. Immutable, flat, replaced whole.
///
/// PERF: a class, as a struct is copied out of its array for each query, with a reference counted for each of its own.
package final class CompiledSet: Sendable {
  struct Choice: Sendable, BitwiseCopyable {
    /// A group's index, or -1 for a member.
    var group: Int32
    var address: IPAddress
    /// 0: not to be used now.
    var weight: UInt32
    /// Which families have something to answer below this choice: bit 0 IPv4, bit 1 IPv6.
    var families: UInt8
    /// Tells choices apart in hashing, so that a reordered configuration keeps its clients.
    var identity: UInt64
  }

  /// PERF: what only some policies need stands beside, so that to read a group counts no references.
  struct Group: Sendable, BitwiseCopyable {
    enum Policy: UInt8, Sendable, BitwiseCopyable {
      case roundRobin, weighted, random, hash, failover, leastLoad, geo, networks, all
    }

    var policy: Policy
    /// In `rules` or `maps`.
    var detail: Int
    /// In `choices`.
    var start: Int
    var count: Int
    var hasGroups: Bool

    @inline(__always) var range: Range<Int> { start..<start &+ count }
  }

  let groups: [Group]
  let choices: [Choice]
  let rules: [[BalancedSet.GeoRule]]
  let maps: [PrefixMap]
  package let count: Int
  package let shuffles: Bool
  package let ttl: UInt32
  let hashLengthV4: Int
  let hashLengthV6: Int
  /// Whether this is an answer at all.
  package let isKnown: Bool

  /// What is not known yet.
  static let unknown = CompiledSet(BalancedSet(.init(.all, [])), isKnown: false)

  /// - Parameter health: one value for each of `set.members`; what is missing counts as steady and up.
  package init(_ set: BalancedSet, health: [MemberHealth] = [], isKnown: Bool = true) {
    self.isKnown = isKnown
    var builder = Builder(health: health, panic: set.panicThreshold)
    var usable = builder.add(set.root)
    if usable == 0, set.fallback == .everything {
      builder = Builder(health: health.map { MemberHealth(trend: $0.trend) }, panic: 0)
      usable = builder.add(set.root)
    }
    groups = builder.groups
    choices = builder.choices
    rules = builder.rules
    maps = builder.maps
    count = min(max(set.count, 1), Picks.capacity)
    shuffles = set.shuffles
    ttl = healthTTL(set.ttl, health)
    hashLengthV4 = min(max(set.hashLengthV4, 0), 32)
    hashLengthV6 = min(max(set.hashLengthV6, 0), 128)
  }

  /// What some client may be answered with now.
  package var usable: Set<IPAddress> { Set(choices.filter { $0.group < 0 && $0.weight > 0 }.map(\.address)) }

  /// The address of a pick.
  @inline(__always) package func address(_ pick: Int) -> IPAddress { choices[pick].address }

  private struct Builder {
    let health: [MemberHealth]
    let panic: Double
    var groups: [Group] = []
    var choices: [Choice] = []
    var rules: [[BalancedSet.GeoRule]] = []
    var maps: [PrefixMap] = []
    var member = 0

    init(health: [MemberHealth], panic: Double) {
      self.health = health
      self.panic = panic
    }

    /// The families that the group can answer.
    mutating func add(_ group: BalancedSet.Group) -> UInt8 {
      let index = groups.count
      let (policy, detail) = kind(group.policy)
      groups.append(Group(policy: policy, detail: detail, start: 0, count: group.choices.count, hasGroups: false))
      var own: [Choice] = []
      var states: [MemberHealth?] = []
      for choice in group.choices {
        switch choice {
        case .member(let member):
          let state = self.member < health.count ? health[self.member] : MemberHealth()
          self.member += 1
          states.append(state)
          own.append(leaf(member, state))
        case .group(let inner, let weight):
          states.append(nil)
          let place = groups.count
          let families = add(inner)
          groups[index].hasGroups = true
          own.append(
            Choice(
              group: Int32(place), address: .anyV4, weight: families == 0 ? 0 : max(weight, 1), families: families,
              identity: UInt64(own.count) &* 0x9e37_79b9_7f4a_7c15))
        }
      }
      // Panic: overloading the few that are left would take them down too.
      let known = states.compactMap { $0 }
      if panic > 0, !known.isEmpty, Double(known.filter(\.isUp).count) < panic * Double(known.count) {
        for (place, choice) in group.choices.enumerated() {
          if case .member(let member) = choice { own[place] = leaf(member, MemberHealth()) }
        }
      }
      groups[index].start = choices.count
      choices += own
      return own.reduce(0) { $0 | ($1.weight > 0 ? $1.families : 0) }
    }

    private mutating func kind(_ policy: BalancedSet.Policy) -> (Group.Policy, detail: Int) {
      switch policy {
      case .roundRobin: return (.roundRobin, 0)
      case .weighted: return (.weighted, 0)
      case .random: return (.random, 0)
      case .hash: return (.hash, 0)
      case .failover: return (.failover, 0)
      case .leastLoad: return (.leastLoad, 0)
      case .all: return (.all, 0)
      case .geo(let rules):
        self.rules.append(rules)
        return (.geo, self.rules.count - 1)
      case .networks(let rules):
        maps.append(PrefixMap(rules.filter { $0.choice >= 0 }.map { ($0.network, UInt32(clamping: $0.choice)) }))
        return (.networks, maps.count - 1)
      }
    }

    private func leaf(_ member: BalancedSet.Member, _ state: MemberHealth) -> Choice {
      // Thousandths, so that a small share of a small weight is not lost.
      let scaled = Double(member.weight) * 1000 * min(max(state.share, 0), 1000)
      let weight = state.isUp && member.weight > 0 && scaled > 0 ? UInt32(min(max(scaled, 1), 2e9)) : 0
      return Choice(
        group: -1, address: member.address, weight: weight, families: member.address.family == .v4 ? 1 : 2,
        identity: member.address.high &* 0xff51_afd7_ed55_8ccd ^ member.address.low)
    }
  }
}

/// The addresses of one answer, by their places in `choices`; no allocation.
package struct Picks: Sendable {
  package static let capacity = 16
  private var storage = [16 of Int32](repeating: 0)
  package private(set) var count = 0
  /// For how many bits of the client's address the answer holds; 0: for everybody.
  package var scope: UInt8 = 0

  package init() {}
  package subscript(_ index: Int) -> Int { Int(storage[index]) }

  mutating func append(_ choice: Int) {
    guard count < Picks.capacity else { return }
    storage[count] = Int32(truncatingIfNeeded: choice)
    count &+= 1
  }

  mutating func shuffle(_ random: inout Random) {
    guard count > 1 else { return }
    for index in stride(from: count - 1, to: 0, by: -1) {
      storage.swapAt(index, Int(random.below(UInt32(index + 1))))
    }
  }
}
