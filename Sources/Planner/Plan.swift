package import Model

package enum Planner {
  /// Effective weights count in this fraction of a configured weight's unit.
  package static var weightScale: Int { Participation.scale }

  /// The World that follows from the input at this time.
  ///
  /// Slots stay with a backend of the same pool, name and address; a newcomer gets the
  /// lowest that neither the previous World nor an open connection uses.
  package static func plan(_ input: PlannerInput, at now: Instant) -> World {
    var slots = SlotAllocator(previous: input.previous, busy: input.busySlots)
    for pool in input.topology.pools {
      for backend in pool.backends { slots.keep(BackendKey(pool: pool.name, backend: backend.name), backend.address) }
    }
    var splits: [String: VersionSplit] = [:]
    let standings = input.topology.pools.map { pool in
      var members = pool.backends.map { backend in
        Member(pool, backend, BackendKey(pool: pool.name, backend: backend.name), input, at: now)
      }
      Participation.decide(pool, &members)
      var standings = members.map { member in
        var standing = Standing(
          slot: slots.slot(member.key, member.backend.address), verdict: member.verdict, state: member.state,
          weight: member.weight, effectiveWeight: member.effectiveWeight, acceptsPersistent: member.acceptsPersistent)
        standing.maxConnections = member.maxConnections
        return standing
      }
      if let split = input.splits[pool.name] ?? pool.versions.serve.map({ VersionSplit($0, share: VersionSplit.whole) })
      {
        splits[pool.name] = split
        Division.divide(pool, &standings, by: split)
      }
      return standings
    }
    var world = World(
      generation: (input.previous?.generation ?? 0) + 1, topology: input.topology, standings: standings)
    world.splits = splits
    return world
  }
}

/// A backend while its standing is worked out.
struct Member {
  let key: BackendKey
  let backend: Backend
  let verdict: Verdict
  let state: AdministrativeState
  let weight: Int
  let maxConnections: Int?
  /// Weight × `Participation.scale` with the agent's percent, before warm-up.
  let fullWeight: Int
  /// The same with warm-up.
  let currentWeight: Int
  var effectiveWeight = 0
  var acceptsPersistent: Bool

  init(_ pool: Pool, _ backend: Backend, _ key: BackendKey, _ input: PlannerInput, at now: Instant) {
    let observation =
      input.observations[key]
      ?? Observation(
        pool.probe == nil
          ? Verdict(.up, reason: "no probe", since: now) : Verdict(.down, reason: "not probed yet", since: now))
    self.key = key
    self.backend = backend
    verdict = observation.verdict
    // An agent may ask for less than its operator, not for more.
    let ordered = input.overrides.states[key] ?? backend.state
    state = [ordered, observation.agentState ?? .ready].max { $0.severity < $1.severity } ?? ordered
    weight = min(max(input.overrides.weights[key] ?? backend.weight, 0), Participation.maxWeight)
    maxConnections = observation.agentMaxConnections ?? backend.maxConnections
    let drifted = input.drifting.contains(key) ? pool.drift.weight : 100
    let percent = min(max(observation.agentWeight, 0), 1000) * drifted / 100
    fullWeight = min(weight * percent, Participation.maxWeight * Participation.scale)
    currentWeight = Participation.warmed(fullWeight, verdict, pool.slowStart, at: now)
    acceptsPersistent = verdict.takesTraffic && state != .maintenance
  }

  var isHealthy: Bool { state == .ready && verdict.takesTraffic && fullWeight > 0 }
  /// Neither drained nor under maintenance, whatever its health.
  var isOffered: Bool { state == .ready && fullWeight > 0 }
}

extension AdministrativeState {
  fileprivate var severity: Int {
    switch self {
    case .ready: 0
    case .drain: 1
    case .maintenance: 2
    }
  }
}
