package import Model

/// Whether the conditions of announcements hold, in words.
extension BGPAnnouncement {
  /// What health alone asks for, and why.
  /// - Parameter vips: those that this node has.
  func goal(_ world: World, _ vips: Set<String>) -> (AnnouncementLevel, String) {
    guard let missing = conditions.firstMissing(world, vips) else {
      return (.announced, conditions.isEmpty ? "always" : conditions.summary(world))
    }
    guard let degrade, degrade.conditions.firstMissing(world, vips) == nil else { return (.withdrawn, missing) }
    return (.degraded, missing)
  }

  /// Everything whose health it looks at.
  package func dependencies(_ topology: Topology) -> (pools: Set<String>, vips: Set<String>) {
    let all = conditions + (degrade?.conditions ?? [])
    let vips = all.compactMap { condition -> String? in
      if case .vip(let name) = condition.subject { name } else { nil }
    }
    return (Set(all.flatMap { $0.pools(topology) }), Set(vips))
  }
}

extension [BGPAnnouncement.Condition] {
  /// The first that does not hold, in words; nil: all do.
  fileprivate func firstMissing(_ world: World, _ vips: Set<String>) -> String? {
    for condition in self {
      if case .vip(let name) = condition.subject, !vips.contains(name) { return "vip \(name) is not here" }
      for pool in condition.pools(world.topology) {
        let (healthy, all) = world.healthy(pool)
        let needed = condition.needed(of: all)
        if healthy < needed { return "pool \(pool): \(healthy) of \(all) healthy, \(needed) needed" }
      }
    }
    return nil
  }

  fileprivate func summary(_ world: World) -> String {
    flatMap { condition -> [String] in
      if case .vip(let name) = condition.subject { return ["vip \(name) is here"] }
      return condition.pools(world.topology).map { pool in
        let (healthy, all) = world.healthy(pool)
        return "pool \(pool): \(healthy) of \(all) healthy"
      }
    }.joined(separator: "; ")
  }
}

extension BGPAnnouncement.Condition {
  fileprivate func pools(_ topology: Topology) -> [String] {
    switch subject {
    case .vip: return []
    case .pool(let name): return [name]
    case .listener(let name):
      let routes = topology.listeners.first { $0.name == name }?.routes ?? []
      return Set(routes.flatMap(\.action.weightedPools)).sorted()
    }
  }

  fileprivate func needed(of all: Int) -> Int {
    switch healthy {
    case .count(let count): count
    // Rounded up: 50% of three are two.
    case .share(let share): Swift.max(1, Int((share * Double(all)).rounded(.up)))
    }
  }
}

extension World {
  /// Of a pool's backends: those that are well and wanted, and all.
  fileprivate func healthy(_ name: String) -> (healthy: Int, all: Int) {
    guard let index = topology.pools.firstIndex(where: { $0.name == name }) else { return (0, 0) }
    let healthy = standings[index].count { $0.verdict.takesTraffic && $0.state == .ready && $0.weight > 0 }
    return (healthy, standings[index].count)
  }
}

extension Action {
  /// Those that get requests.
  fileprivate var weightedPools: [String] {
    if case .split(let parts) = self { parts.filter { $0.weight > 0 }.map(\.pool) } else { pools }
  }
}
