package import Health
package import Model
package import Planner

/// The health of all pools, and whose first verdict is still to come.
package struct HealthBook: Sendable {
  /// Something of health that is not in a verdict, for the event log.
  package enum Remark: Hashable, Sendable {
    case ejectionRefused(BackendKey, reason: String)
    case agent(BackendKey, AgentStanding)
    case badAgentLine(BackendKey, AgentLineError)
  }

  private var pools: [String: PoolHealth] = [:]
  /// Backends whose probe has not reported yet.
  package private(set) var awaited: Set<BackendKey> = []
  /// Grows with everything that changes how a backend stands.
  package private(set) var revision: UInt64 = 0
  package private(set) var remarks: [Remark] = []
  /// Whose verdict has another state since this was asked.
  private var turned: Set<BackendKey> = []
  /// The last line of an agent that was not understood, so that it is told once.
  private var badLines: [BackendKey: AgentLineError] = [:]

  /// Backends whose verdict one more probe may change.
  private var changing: Set<BackendKey> = []
  /// What an earlier process knew, until the first configuration is there.
  private var recalled: [BackendKey: NodeMemory.Known] = [:]

  /// News of `changing`, for the prober.
  private var paces: [BackendKey: Bool] = [:]

  package init() {}

  /// When `tick` has something to do.
  package var nextDeadline: Instant? { pools.values.compactMap(\.nextTimer).min() }

  package func verdict(_ key: BackendKey) -> Verdict? { pools[key.pool]?.verdict(key.backend) }

  /// Of those that were ejected at least once: how often.
  package var ejections: [BackendKey: UInt64] {
    var result: [BackendKey: UInt64] = [:]
    for (name, health) in pools {
      for backend in health.pool.backends where health.ejections(backend.name) > 0 {
        result[BackendKey(pool: name, backend: backend.name)] = health.ejections(backend.name)
      }
    }
    return result
  }

  package func knows(_ key: BackendKey) -> Bool { pools[key.pool]?.verdict(key.backend) != nil }

  /// What the Planner needs of every backend of the topology.
  package func observations(_ topology: Topology) -> [BackendKey: Observation] {
    var result: [BackendKey: Observation] = [:]
    for pool in topology.pools {
      guard let health = pools[pool.name] else { continue }
      for backend in pool.backends {
        guard let verdict = health.verdict(backend.name) else { continue }
        var observation = Observation(verdict)
        if let agent = health.agent(backend.name) {
          observation.agentWeight = agent.weight
          observation.agentState = agent.administrative
          observation.agentMaxConnections = agent.maxConnections
        }
        result[BackendKey(pool: pool.name, backend: backend.name)] = observation
      }
    }
    return result
  }

  /// What an earlier process of this node knew; said before the first `reconcile`.
  mutating func recall(_ known: [NodeMemory.Known]) {
    for one in known { recalled[BackendKey(pool: one.pool, backend: one.backend)] = one }
  }

  /// What the next process shall know of the backends that have had their first verdict.
  func memory(_ topology: Topology) -> [NodeMemory.Known] {
    topology.pools.flatMap { pool in
      pool.backends.compactMap { backend in
        guard !awaited.contains(BackendKey(pool: pool.name, backend: backend.name)),
          let memory = pools[pool.name]?.memory(backend.name)
        else { return nil }
        return NodeMemory.Known(pool: pool.name, backend: backend.name, address: "\(backend.address)", memory: memory)
      }
    }
  }

  /// Of the pool's backends that are still where they were.
  private func recall(_ pool: Pool) -> [String: BackendHealth.Memory] {
    guard !recalled.isEmpty else { return [:] }
    var result: [String: BackendHealth.Memory] = [:]
    for backend in pool.backends {
      guard let known = recalled[BackendKey(pool: pool.name, backend: backend.name)],
        known.address == "\(backend.address)"
      else { continue }
      result[backend.name] = known.memory
    }
    return result
  }

  /// Follows the topology: what it still names keeps its health.
  /// - Parameter isProbed: whether a backend's probe runs, that is, whether a first verdict will come.
  package mutating func reconcile(_ topology: Topology, isProbed: (BackendKey) -> Bool, at now: Instant) {
    var kept: [String: PoolHealth] = [:]
    var waiting: Set<BackendKey> = []
    for pool in topology.pools {
      let recollection = pools[pool.name] == nil ? recall(pool) : [:]
      let known = Set((pools[pool.name]?.pool.backends ?? []).map(\.name)).union(recollection.keys)
      if pool.probe != nil {
        for backend in pool.backends {
          let key = BackendKey(pool: pool.name, backend: backend.name)
          if isProbed(key), awaited.contains(key) || !known.contains(backend.name) { waiting.insert(key) }
        }
      }
      guard var health = pools[pool.name] else {
        kept[pool.name] = PoolHealth(pool, recalling: recollection, at: now)
        continue
      }
      var effects: [PoolHealth.Effect] = []
      health.reconfigure(pool, at: now, into: &effects)
      kept[pool.name] = health
    }
    pools = kept
    recalled = [:]
    awaited = waiting
    badLines = badLines.filter { knows($0.key) }
    // A reload may start the counting of successes and failures anew.
    for key in changing { notePace(key) }
    revision += 1
  }

  package mutating func handle(_ report: ProbeReport, at now: Instant) {
    switch report.finding {
    case .probe(let outcome):
      awaited.remove(report.key)
      handle(.probe(outcome), report.key, at: now)
    case .agent(let line):
      guard knows(report.key) else { return }
      do throws(AgentLineError) {
        handle(.agent(try AgentReport(line: line)), report.key, at: now)
        badLines[report.key] = nil
      } catch {
        if badLines.updateValue(error, forKey: report.key) != error { remarks.append(.badAgentLine(report.key, error)) }
      }
    }
  }

  package mutating func handle(_ event: BackendHealth.Event, _ key: BackendKey, at now: Instant) {
    var effects: [PoolHealth.Effect] = []
    pools[key.pool]?.handle(event, backend: key.backend, at: now, into: &effects)
    take(effects, key.pool)
    notePace(key)
  }

  /// A backend that still awaits its first verdict changes nothing by waiting: its probe is under way.
  private mutating func notePace(_ key: BackendKey) {
    let isChanging = !awaited.contains(key) && pools[key.pool]?.isChanging(key.backend) == true
    guard isChanging != changing.contains(key) else { return }
    if isChanging { changing.insert(key) } else { changing.remove(key) }
    paces[key] = isChanging
  }

  /// Whose next probe should come after the `fast` interval (true) or after `every` (false) from now on.
  package mutating func takePaces() -> [BackendKey: Bool] {
    defer { paces = [:] }
    return paces
  }

  package mutating func tick(at now: Instant) {
    for name in pools.keys where (pools[name]?.nextTimer).map({ $0 <= now }) == true {
      var effects: [PoolHealth.Effect] = []
      pools[name]?.tick(at: now, into: &effects)
      take(effects, name)
    }
  }

  mutating func takeTurned() -> [BackendKey] {
    defer { turned = [] }
    return Array(turned)
  }

  package mutating func takeRemarks() -> [Remark] {
    defer { remarks = [] }
    return remarks
  }

  private mutating func take(_ effects: [PoolHealth.Effect], _ pool: String) {
    for effect in effects {
      switch effect {
      case .backend(_, .restated): break
      case .backend(let backend, .changed):
        revision += 1
        turned.insert(BackendKey(pool: pool, backend: backend))
      case .backend(_, .warmed): revision += 1
      case .backend(let backend, .agent(let standing)):
        revision += 1
        remarks.append(.agent(BackendKey(pool: pool, backend: backend), standing))
      case .ejectionRefused(let backend, let reason):
        remarks.append(.ejectionRefused(BackendKey(pool: pool, backend: backend), reason: reason))
      }
    }
  }
}
