internal import Admin
internal import Config
internal import Model
internal import Node
internal import Planner
internal import Telemetry

/// Orders on the node's own life.
extension Operations {
  func upgrade(within seconds: Int) async throws(AdminError) -> UpgradeReport {
    do {
      return try await upgrading(within: .seconds(seconds))
    } catch {
      throw AdminError(error)
    }
  }

  /// The way of both SIGUSR2 and `sluice upgrade`.
  func upgrading(within limit: Duration) async throws(Failure) -> UpgradeReport {
    if await trial.isPending { throw Trial.conflict }
    // The next process goes on with what is kept: from here on nothing is begun in this one.
    try await rolloutDriver.hold(within: limit)
    let open = node.ports.openConnections()
    let successor: Successor
    do {
      successor = try await upgrade.run(within: limit, configuration: await trial.applied)
    } catch {
      await rolloutDriver.release()
      throw error
    }
    return UpgradeReport(process: Int(successor.process), draining: open)
  }

  func apply(_ text: String, name: String, confirmWithin: Int?) async throws(AdminError) -> ApplyReport {
    let topology = try await read(text, name)
    let baseline = await node.baseline
    let restarts = await needingRestart(topology)
    do {
      try await trial.apply(
        topology, AppliedText(text: text, name: name), confirmWithin: confirmWithin.map { .seconds($0) })
    } catch {
      throw AdminError(error)
    }
    return await inForce(baseline.preview(topology).lines + restarts, confirmWithin: confirmWithin)
  }

  func confirm() async throws(AdminError) -> ApplyReport {
    do { try await trial.confirm() } catch { throw AdminError(error) }
    return await inForce([])
  }

  func revert() async throws(AdminError) -> ApplyReport {
    do { try await trial.revert() } catch { throw AdminError(error) }
    return await inForce([])
  }

  func diff(_ text: String, name: String) async throws(AdminError) -> DiffReport {
    let topology = try await read(text, name)
    let diff = await node.baseline.preview(topology)
    let snapshot = await node.snapshot()
    var report = DiffReport(
      changes: diff.changes.map(\.description) + (await needingRestart(topology)),
      shares: diff.shares.map {
        .init(pool: $0.backend.pool, backend: $0.backend.backend, before: $0.before, after: $0.after)
      }, opened: [], closed: [], clients: [:], backends: [:])
    report.noteListeners(from: snapshot, to: topology)
    report.noteBackends(from: snapshot, to: topology)
    return report
  }

  private func read(_ text: String, _ name: String) async throws(AdminError) -> Topology {
    let inForce = await node.topology
    do {
      return try await apart { () throws(ConfigError) in
        try Config.load(
          text, file: name, baseDirectory: ConfigFile.directory(of: name), checks: Materials.checks(inForce: inForce)
        ).topology
      }
    } catch {
      throw AdminError(ConfigFile.failure(error, name, text))
    }
  }

  private func inForce(_ changes: [String], confirmWithin: Int? = nil) async -> ApplyReport {
    var file: String?
    if let applied = await trial.applied, case .path(let path) = config.source,
      (try? ConfigFile.read(path)).map({ String(decoding: $0, as: UTF8.self) }) != applied.text
    {
      file = path
    }
    return ApplyReport(
      generation: await node.generation, changes: changes, confirmWithin: confirmWithin, differsFrom: file)
  }
}

extension DiffReport {
  /// Clients stay where their listener does.
  fileprivate mutating func noteListeners(from snapshot: NodeSnapshot, to topology: Topology) {
    func addresses(_ topology: Topology) -> [String: String] {
      var result: [String: String] = [:]
      for listener in topology.listeners {
        for bind in listener.binds {
          result["\(bind.address) (\(listener.transport == .udp ? "udp" : "tcp"))"] = listener.name
        }
      }
      return result
    }
    let before = addresses(snapshot.topology), after = addresses(topology)
    opened = after.filter { before[$0.key] == nil }.map { "\($0.value) \($0.key)" }.sorted()
    closed = before.filter { after[$0.key] == nil }.map { "\($0.value) \($0.key)" }.sorted()
    let protocols = Dictionary(topology.listeners.map { ($0.name, $0.transport) }) { first, _ in first }
    for listener in snapshot.topology.listeners {
      let open = snapshot.statistics.listeners[listener.name]?.connections ?? 0
      var connections = Connections()
      if protocols[listener.name] == listener.transport { connections.kept = open } else { connections.drained = open }
      if open > 0 { clients[listener.name] = connections }
    }
  }

  /// A backend's connections stay where its address does, and it still takes traffic.
  fileprivate mutating func noteBackends(from snapshot: NodeSnapshot, to topology: Topology) {
    var after: [BackendKey: Backend] = [:]
    for pool in topology.pools {
      for backend in pool.backends { after[BackendKey(pool: pool.name, backend: backend.name)] = backend }
    }
    for (pool, standings) in zip(snapshot.topology.pools, snapshot.standings) {
      for (backend, standing) in zip(pool.backends, standings) {
        let open = snapshot.statistics.backends[standing.slot]?.connections ?? 0
        guard open > 0 else { continue }
        var connections = Connections()
        let next = after[BackendKey(pool: pool.name, backend: backend.name)]
        if let next, next.address == backend.address, next.state == .ready || next.state == backend.state {
          connections.kept = open
        } else {
          connections.drained = open
        }
        backends["\(pool.name)/\(backend.name)"] = connections
      }
    }
  }
}
