import Model
package import Wire

/// Smooth weighted round robin: every backend's turns are spread evenly.
///
/// Each pick raises every current value by its weight, takes the highest, and lowers
/// it by the sum of the weights: 5, 1, 1 gives a a b a c a a. The scan is O(n), so in
/// pools of more than 16, and where all weights are equal, backends of one weight form
/// a group that takes its turns as one and rotates within: O(distinct weights), and
/// a plain rotation when there is one weight. Where a backend is tried or full, its
/// group's other members serve its turns; where a whole group is, the pick is made as
/// if the group were not there.
/// Source: nginx, "Upstream: smooth weighted round-robin balancing" (2012).
package struct RoundRobin {
  @usableFromInline struct Group: BitwiseCopyable {
    @usableFromInline var current: Int64
    /// The members' weights together.
    @usableFromInline var weight: Int64
    /// Its range in `members`.
    @usableFromInline var start: Int
    @usableFromInline var count: Int
    /// Whose turn is next, from `start`.
    @usableFromInline var cursor: Int

    init(weight: Int64, start: Int, count: Int) {
      current = 0
      self.weight = weight
      self.start = start
      self.count = count
      cursor = 0
    }
  }

  static let scanLimit = 16

  @usableFromInline var groups: [Group] = []
  @usableFromInline var members: [UInt32] = []
  @usableFromInline var total: Int64 = 0

  package init(_ table: PickTable) {
    let pickable = table.candidates.indices.filter { table.candidates[$0].weight > 0 }
    var byWeight: [UInt32: [Int]] = [:]
    for index in pickable { byWeight[table.candidates[index].weight, default: []].append(index) }
    let sets: [[Int]]
    if byWeight.count <= 1 || pickable.count > RoundRobin.scanLimit {
      sets = byWeight.values.sorted { $0[0] < $1[0] }
    } else {
      sets = pickable.map { [$0] }
    }
    for set in sets {
      let weight = set.reduce(Int64(0)) { $0 + Int64(table.candidates[$1].weight) }
      groups.append(Group(weight: weight, start: members.count, count: set.count))
      members.append(contentsOf: set.map { UInt32(truncatingIfNeeded: $0) })
      total += weight
    }
  }

  /// Starts somewhere in the sequence, so that workers do not all begin with the same backend.
  package mutating func shuffle(_ random: inout Random) {
    for index in groups.indices { groups[index].cursor = Int(random.below(UInt32(clamping: groups[index].count))) }
    guard groups.count > 1 else { return }
    for _ in 0..<random.below(UInt32(clamping: 4 * groups.count)) { groups[turn()].current -= total }
  }

  /// Takes over where `old` stood: backends that stay keep their place in the sequence.
  package mutating func resume(_ old: RoundRobin, oldTable: PickTable, table: PickTable) {
    var currents: [UInt32: Int64] = [:]
    var upcoming: Set<UInt32> = []
    for group in old.groups {
      for member in 0..<group.count {
        let slot = oldTable.candidates[Int(old.members[group.start + member])].slot.index
        currents[slot] = group.current / Int64(group.count)
        if member == group.cursor { upcoming.insert(slot) }
      }
    }
    var sum: Int64 = 0
    for index in groups.indices {
      for member in 0..<groups[index].count {
        let slot = table.candidates[Int(members[groups[index].start + member])].slot.index
        groups[index].current += currents[slot] ?? 0
        if upcoming.contains(slot) { groups[index].cursor = member }
      }
      // A weight that fell must not leave a debt that takes rounds to pay.
      groups[index].current = min(max(groups[index].current, -total), total)
      sum += groups[index].current
    }
    // INVARIANT: the currents' sum is 0, so that nobody waits longer than its share says.
    if !groups.isEmpty { groups[0].current -= sum }
  }

  @inlinable mutating func turn() -> Int {
    var best = 0
    for index in groups.indices {
      groups[index].current &+= groups[index].weight
      if groups[index].current > groups[best].current { best = index }
    }
    return best
  }

  @inlinable package mutating func pick(_ table: PickTable, tried: TriedSet, loads: some LoadView) -> Int? {
    guard !groups.isEmpty else { return nil }
    let best = groups.count == 1 ? 0 : turn()
    if let member = nextMember(of: best, table, tried, loads) {
      if groups.count > 1 { groups[best].current &-= total }
      return serve(member, of: best)
    }
    return groups.count == 1 ? nil : pickAmongOthers(table, tried, loads)
  }

  /// The group's first acceptable member from its cursor on, as an offset.
  @inlinable func nextMember(
    of group: Int, _ table: PickTable, _ tried: TriedSet, _ loads: some LoadView
  ) -> Int? {
    let group = groups[group]
    var offset = group.cursor
    for _ in 0..<group.count {
      if table.accepts(Int(members[group.start + offset]), tried, loads) { return offset }
      offset = offset + 1 == group.count ? 0 : offset + 1
    }
    return nil
  }

  /// Moves the group's cursor past the member; returns its index in the pool.
  @inlinable mutating func serve(_ member: Int, of group: Int) -> Int {
    groups[group].cursor = member + 1 == groups[group].count ? 0 : member + 1
    return Int(members[groups[group].start + member])
  }

  /// The pick as it would be without the groups that have nobody: those keep what they had.
  @inlinable mutating func pickAmongOthers(_ table: PickTable, _ tried: TriedSet, _ loads: some LoadView) -> Int? {
    var best: (group: Int, member: Int)?
    var sum: Int64 = 0
    for group in groups.indices {
      guard let member = nextMember(of: group, table, tried, loads) else {
        groups[group].current &-= groups[group].weight
        continue
      }
      sum &+= groups[group].weight
      if let rival = best, groups[rival.group].current >= groups[group].current { continue }
      best = (group, member)
    }
    guard let best else { return nil }
    groups[best.group].current &-= sum
    return serve(best.member, of: best.group)
  }
}
