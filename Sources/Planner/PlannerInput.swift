package import Model

/// What is known of a backend: its verdict, and what its agent asks for.
package struct Observation: Hashable, Sendable {
  package var verdict: Verdict
  /// Percent of the configured weight.
  package var agentWeight = 100
  package var agentState: AdministrativeState?
  package var agentMaxConnections: Int?

  package init(_ verdict: Verdict) { self.verdict = verdict }
}

/// What operators set at run time; it stands instead of the configuration until it is taken back.
package struct Overrides: Hashable, Sendable {
  package var states: [BackendKey: AdministrativeState] = [:]
  package var weights: [BackendKey: Int] = [:]

  package init() {}
}

/// Everything that the next World follows from.
package struct PlannerInput: Sendable {
  package var topology: Topology
  /// Backends that are missing have just been added: down, or up if their pool has no probe.
  package var observations: [BackendKey: Observation] = [:]
  package var overrides = Overrides()
  /// How rollouts divide pools by version; a pool that is missing is divided as its file says.
  package var splits: [String: VersionSplit] = [:]
  /// Backends that do worse than their pool's others.
  package var drifting: Set<BackendKey> = []
  package var previous: World?
  /// Slots of backends that are gone but still have connections; not given away yet.
  package var busySlots: Set<BackendSlot> = []

  package init(topology: Topology, previous: World? = nil) {
    self.topology = topology
    self.previous = previous
  }

  /// As if every backend were up: what `sluice check` assumes of a configuration that does not run.
  package static func allUp(_ topology: Topology, at now: Instant) -> PlannerInput {
    var input = PlannerInput(topology: topology)
    for pool in topology.pools {
      for backend in pool.backends {
        input.observations[BackendKey(pool: pool.name, backend: backend.name)] = Observation(
          Verdict(.up, reason: "assumed", since: now))
      }
    }
    return input
  }
}
