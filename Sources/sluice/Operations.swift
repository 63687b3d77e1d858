internal import Admin
internal import Config
internal import Kernel
internal import Model
internal import Node
internal import Planner

/// The API's orders, carried out on the node.
struct Operations: AdminOperations {
  let node: Node
  let config: ConfigFile
  let recorder = HistoryRecorder()
  let rolloutDriver: RolloutDriver
  let exporter: TraceExporter
  let trial: Trial
  let upgrade: Upgrade
  let driftDriver: DriftDriver

  init(node: Node, config: ConfigFile, trial: Trial, upgrade: Upgrade) {
    self.node = node
    self.config = config
    self.trial = trial
    self.upgrade = upgrade
    rolloutDriver = RolloutDriver(node: node)
    exporter = TraceExporter(node: node)
    driftDriver = DriftDriver(node: node)
  }

  func status() async -> StatusReport {
    let snapshot = await node.snapshot()
    var report = StatusReport(snapshot)
    report.tracing = await exporter.report(snapshot.topology.tracing)
    return report
  }
  func peers() async -> PeersReport { PeersReport(await node.snapshot()) }
  func phase() async -> StatusReport.Phase { .init(await node.phase) }

  func history() async -> HistoryReport { await recorder.report() }
  func panels() async -> PanelsReport {
    var report = PanelsReport(await vips(), await floatingIPs())
    report.panels += await routingPanels() + rolloutPanels() + driftPanels()
    return report
  }

  /// Keeps the history, until its task is cancelled.
  func remember() async {
    while !Task.isCancelled {
      await recorder.record(await status(), at: node.ports.wallClock())
      do { try await Task.sleep(for: History.interval) } catch { return }
    }
  }

  func events(after: UInt64) async -> EventsReport {
    let (events, next) = await node.events(after: after)
    return EventsReport(events: events.map { .init($0) }, next: next)
  }

  func set(_ state: StateOrder, pool: String, backend: String) async throws(AdminError) -> BackendReport {
    let state: AdministrativeState =
      switch state {
      case .ready: .ready
      case .drain: .drain
      case .maintenance: .maintenance
      }
    return try await order(.state(state), BackendKey(pool: pool, backend: backend))
  }

  func set(weight: Int, pool: String, backend: String) async throws(AdminError) -> BackendReport {
    try await order(.weight(weight), BackendKey(pool: pool, backend: backend))
  }

  func reload() async throws(AdminError) -> ChangeReport {
    do {
      return try await reloading()
    } catch {
      throw AdminError(error)
    }
  }

  /// Reads the file and takes it over: the way of both SIGHUP and `sluice reload`.
  func reloading() async throws(Failure) -> ChangeReport {
    if await trial.isPending { throw Trial.conflict }
    Startup.current.manager.say("RELOADING=1\nMONOTONIC_USEC=\(node.ports.now().nanoseconds / 1000)")
    defer { Startup.current.manager.say("READY=1") }
    let old = await node.topology
    let topology: Topology
    do {
      topology = try await apart { [config] () throws(Failure) in try config.load(inForce: old) }
    } catch {
      // The place and the reason; the rest is for whoever asked.
      let words = error.message.split(separator: "\n").prefix(2).joined(separator: ": ")
      await node.note(.refused, "reload refused: \(words)")
      throw error
    }
    let baseline = await node.baseline
    let hints = await needingRestart(topology) + staleSerials(from: old, to: topology)
    do {
      try await node.apply(.load(topology))
    } catch {
      throw Failure("the new configuration was not taken over: \(error)", hint: "the old one is still in force")
    }
    await trial.forget()
    // PERF: a preview costs as much as the load, which need not wait for it: 99 to 81 ms for 2,000 backends.
    let changes = baseline.preview(topology).lines + hints
    return ChangeReport(generation: await node.generation, changes: changes)
  }

  /// Threads and the API's own sockets are made once.
  func needingRestart(_ topology: Topology) async -> [String] {
    let old = await node.topology
    return [
      ("admin", old.admin != topology.admin), ("workers", old.workers != topology.workers),
      ("vip-realtime", old.isVIPRealtime != topology.isVIPRealtime), ("tls", old.tickets != topology.tickets),
      ("state", old.state != topology.state),
    ].filter(\.1).map { "\($0.0): needs a restart or an upgrade" }
  }

  func check(_ text: String, name: String) async throws(AdminError) -> ChangeReport {
    let topology: Topology
    do {
      topology = try await apart { () throws(ConfigError) in
        try Config.load(
          text, file: name, baseDirectory: ConfigFile.directory(of: name), checks: Materials.checks()
        ).topology
      }
    } catch {
      throw AdminError(ConfigFile.failure(error, name, text))
    }
    return ChangeReport(
      generation: await node.generation,
      changes: await node.baseline.preview(topology).lines
        + staleSerials(from: await node.topology, to: topology))
  }

  private func order(_ order: Change.Order, _ key: BackendKey) async throws(AdminError) -> BackendReport {
    do {
      try await node.apply(.override(key, order))
    } catch {
      throw await explained(error)
    }
    await node.ports.store.settle()
    let snapshot = await node.snapshot()
    for (pool, standings) in zip(snapshot.topology.pools, snapshot.standings) where pool.name == key.pool {
      for (backend, standing) in zip(pool.backends, standings) where backend.name == key.backend {
        return BackendReport(backend, standing, snapshot)
      }
    }
    // A reload took the backend away between the two questions.
    throw AdminError(Refusal.noSuchBackend(key))
  }
}

extension AdminError {
  init(_ refusal: Refusal) {
    switch refusal {
    case .noSuchVIP: self.init(.notFound, "\(refusal)", hint: "`sluice vip list` shows them")
    case .vipTarget: self.init(.conflict, "\(refusal)", hint: "`sluice peers` shows who is there")
    case .noSuchSite: self.init(.notFound, "\(refusal)", hint: "`sluice dns status` lists sites")
    case .noSuchPool, .noSuchBackend, .noSuchVersion:
      self.init(.notFound, "\(refusal)", hint: "`sluice status` lists pools and backends")
    case .noSuchAnnouncement:
      self.init(.notFound, "\(refusal)", hint: "`sluice bgp status` lists announcements")
    case .noBGP, .noGracefulRestart: self.init(.conflict, "\(refusal)", hint: "configure it, and reload")
    case .floating: self.init(.conflict, "\(refusal)", hint: "`sluice floating-ip list` shows what is mapped")
    case .draining: self.init(.conflict, "\(refusal)", hint: "it stops when its open connections have ended")
    case .starting, .upgrading, .handingOver: self.init(.conflict, "\(refusal)", hint: "try again in a moment")
    case .dataPlane: self.init(.failed, "\(refusal)", hint: "nothing was changed")
    }
  }

  init(_ failure: Failure) {
    let lines = failure.message.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    self.init(
      failure.code == .badConfig ? .unprocessable : .conflict, lines.first ?? failure.message,
      hint: failure.hint ?? "nothing was changed",
      diagnostics: failure.code == .badConfig ? Array(lines.dropFirst()) : nil)
  }
}

extension WorldDiff {
  var lines: [String] { isEmpty ? [] : description.split(separator: "\n").map(String.init) }
}
