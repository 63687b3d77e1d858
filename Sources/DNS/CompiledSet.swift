package import Model
import Wire

/// A balanced set with the health of its members applied: what a query reads. Immutable, flat, replaced whole.
package struct CompiledSet: Sendable {
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

  struct Group: Sendable {
    var policy: BalancedSet.Policy
    var networks: PrefixMap?
    /// In `choices`.
    var start: Int
    var count: Int
    var hasGroups: Bool
  }

  let groups: [Group]
  let choices: [Choice]
  package let count: Int
  package let shuffles: Bool
  package let ttl: UInt32
  let hashLengthV4: Int
  let hashLengthV6: Int

  /// - Parameter health: one value for each of `set.members`; what is missing counts as steady and up.
  package init(_ set: BalancedSet, health: [MemberHealth] = []) {
    var builder = Builder(health: health, panic: set.panicThreshold)
    var usable = builder.add(set.root)
    if usable == 0, set.fallback == .everything {
      builder = Builder(health: health.map { MemberHealth(trend: $0.trend) }, panic: 0)
      usable = builder.add(set.root)
    }
    groups = builder.groups
    choices = builder.choices
    count = min(max(set.count, 1), Picks.capacity)
    shuffles = set.shuffles
    ttl = healthTTL(set.ttl, health)
    hashLengthV4 = min(max(set.hashLengthV4, 0), 32)
    hashLengthV6 = min(max(set.hashLengthV6, 0), 128)
  }

  private struct Builder {
    let health: [MemberHealth]
    let panic: Double
    var groups: [Group] = []
    var choices: [Choice] = []
    var member = 0

    init(health: [MemberHealth], panic: Double) {
      self.health = health
      self.panic = panic
    }

    /// The families that the group can answer.
    mutating func add(_ group: BalancedSet.Group) -> UInt8 {
      let index = groups.count
      let networks: PrefixMap? =
        if case .networks(let rules) = group.policy {
          PrefixMap(rules.filter { $0.choice >= 0 }.map { ($0.network, UInt32(clamping: $0.choice)) })
        } else { nil }
      groups.append(
        Group(policy: group.policy, networks: networks, start: 0, count: group.choices.count, hasGroups: false))
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

/// The addresses of one answer; no allocation.
package struct Picks: Sendable {
  package static let capacity = 16
  private var storage = [16 of IPAddress](repeating: .anyV4)
  package private(set) var count = 0
  /// For how many bits of the client's address the answer holds; 0: for everybody.
  package var scope: UInt8 = 0

  package init() {}
  package subscript(_ index: Int) -> IPAddress { storage[index] }

  mutating func append(_ address: IPAddress) {
    guard count < Picks.capacity else { return }
    storage[count] = address
    count += 1
  }

  mutating func shuffle(_ random: inout Random) {
    guard count > 1 else { return }
    for index in stride(from: count - 1, to: 0, by: -1) {
      storage.swapAt(index, Int(random.below(UInt32(index + 1))))
    }
  }
}
