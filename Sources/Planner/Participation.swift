import Model

/// Who of a pool takes new clients, and with which weight.
///
/// 1. Only backends that are ready, up (or warming) and have weight take part. Drained
///    ones and those under maintenance never do, not even in panic: that is an order.
/// 2. Priority groups, lowest number first. A group's health is the share of its
///    configured weight that takes part. A group whose health reaches
///    `priorityThreshold` takes all the traffic that is left; one below takes
///    health / threshold of it and leaves the rest to the next group. What the last
///    group leaves goes to all that took some, in proportion. (Threshold 0: the first
///    group with anybody takes all.)
/// 3. Panic: when no group has at least `panicThreshold` of its ready backends up, every
///    ready backend takes part with its full weight, healthy or not: spreading over the
///    sick is better than felling the few that are well.
/// 4. A warming backend's weight grows from a tenth to all, linearly over `slowStart`.
///
/// Source for 2 and 3: Envoy documentation, "Priority levels" and "Panic threshold",
/// without its over-provisioning factor.
enum Participation {
  static let maxWeight = 65_535
  /// Effective weights count in hundredths, so that a weight of 1 warms up visibly.
  static let scale = 100

  static func decide(_ pool: Pool, _ members: inout [Member]) {
    let groups = Dictionary(grouping: members.indices) { members[$0].backend.priority }
      .sorted { $0.key < $1.key }.map(\.value)
    if let threshold = pool.panicThreshold, isPanic(groups, members, threshold) {
      for index in members.indices where members[index].isOffered {
        members[index].effectiveWeight = members[index].fullWeight
        members[index].acceptsPersistent = true
      }
      return
    }
    let shares = divide(groups, members, threshold: pool.priorityThreshold)
    // The group that gets most for its weight keeps its weights; the others are scaled to it.
    let factors = zip(groups, shares).map { group, share in
      let weight = group.reduce(0) { $0 + (members[$1].isHealthy ? members[$1].currentWeight : 0) }
      return weight > 0 ? share / Double(weight) : 0
    }
    guard let most = factors.max(), most > 0 else { return }
    for (group, factor) in zip(groups, factors) where factor > 0 {
      for index in group where members[index].isHealthy {
        let scaled = Double(members[index].currentWeight) * factor / most
        members[index].effectiveWeight = max(1, Int(scaled + 0.5))
      }
    }
  }

  /// The share of the traffic that each group takes.
  private static func divide(_ groups: [[Int]], _ members: [Member], threshold: Double) -> [Double] {
    var left = 1.0
    var shares: [Double] = []
    for group in groups {
      let all = group.reduce(0) { $0 + members[$1].weight }
      let healthy = group.reduce(0) { $0 + (members[$1].isHealthy ? members[$1].weight : 0) }
      guard healthy > 0, all > 0 else {
        shares.append(0)
        continue
      }
      let health = Double(healthy) / Double(all)
      let taken = health >= threshold ? left : left * health / threshold
      shares.append(taken)
      left -= taken
    }
    return shares
  }

  private static func isPanic(_ groups: [[Int]], _ members: [Member], _ threshold: Double) -> Bool {
    groups.allSatisfy { group in
      let offered = group.count { members[$0].isOffered }
      let healthy = group.count { members[$0].isHealthy }
      return offered == 0 || Double(healthy) < threshold * Double(offered)
    }
  }

  static func warmed(_ weight: Int, _ verdict: Verdict, _ slowStart: Duration, at now: Instant) -> Int {
    guard verdict.state == .warming, slowStart > .zero, weight > 0 else { return weight }
    let elapsed = Double(max(0, (now - verdict.since).nanoseconds))
    let share = min(1, 0.1 + 0.9 * elapsed / Double(slowStart.nanoseconds))
    return max(1, Int(Double(weight) * share))
  }
}
