internal import Admin
internal import Model
internal import Node
internal import Rollouts
internal import Telemetry

/// Carries rollouts out on the running node: looks at pools, starts updates, gives the orders that a `Rollout` asks for.
actor RolloutDriver {
  /// A look at the pool this often while anything goes on.
  static let interval = Duration.milliseconds(100)

  struct Run {
    var rollout: Rollout
    let versionPath: String?
    var versions: [String: String] = [:]
  }

  let node: Node
  /// A pool has one of these, or one of those.
  var runs: [String: Run] = [:]
  var canaries: [String: CanaryRun] = [:]
  private var loop: Task<Void, Never>?
  private var updates: [Task<Void, Never>] = []

  init(node: Node) { self.node = node }

  // MARK: The API's side

  func start(_ plan: RolloutPlan, versionPath: String?) throws(AdminError) {
    try refuseSecond(plan.pool)
    canaries[plan.pool] = nil
    runs[plan.pool] = Run(rollout: Rollout(plan), versionPath: versionPath)
    keepLooking()
  }

  func refuseSecond(_ pool: String) throws(AdminError) {
    guard isUnderWay(pool) else { return }
    throw AdminError(
      .conflict, "pool \(pool) is being rolled out already", hint: "`sluice rollout abort \(pool)` ends it")
  }

  private func isUnderWay(_ pool: String) -> Bool {
    runs[pool]?.rollout.phase.isOver == false || canaries[pool]?.canary.phase.isOver == false
  }

  func order(_ order: RolloutEvent.Order, pool: String) async throws(AdminError) {
    if canaries[pool] != nil { return try await self.order(order, canary: pool) }
    guard let run = runs[pool] else {
      throw AdminError(.notFound, "pool \(pool) has no rollout", hint: "`sluice rollout start` begins one")
    }
    guard !run.rollout.phase.isOver else {
      throw AdminError(.conflict, "the rollout of \(pool) is over", hint: "`sluice rollout start` begins another")
    }
    await handle(.order(order), pool)
    keepLooking()
  }

  /// Pools whose rollout is not over.
  var running: [String] { Set(runs.keys).union(canaries.keys).filter { isUnderWay($0) }.sorted() }

  func report() async -> [RolloutReport] {
    let snapshot = await node.snapshot()
    let now = node.ports.wallClock()
    let updates = runs.values.map { run in
      RolloutReport(run.rollout, PoolObservation(run.rollout.plan.pool, snapshot, run.versions))
    }
    return (updates + canaries.values.map { RolloutReport($0.canary, now: now) }).sorted { $0.pool < $1.pool }
  }

  /// The node stops: updates that run are left to end by themselves.
  func stop() {
    loop?.cancel()
    for update in updates { update.cancel() }
  }

  // MARK: Looking and acting

  func keepLooking() {
    guard loop == nil else { return }
    loop = Task {
      while !Task.isCancelled, (Array(runs.keys) + Array(canaries.keys)).contains(where: isUnderWay) {
        await look()
        do { try await Task.sleep(for: RolloutDriver.interval) } catch { return }
      }
      loop = nil
    }
  }

  private func look() async {
    let snapshot = await node.snapshot()
    for pool in canaries.keys.sorted() where isUnderWay(pool) { await look(at: snapshot, canary: pool) }
    for pool in runs.keys.sorted() where runs[pool]?.rollout.phase.isOver == false {
      await readVersions(pool, snapshot)
      guard let run = runs[pool] else { continue }
      await handle(.observed(PoolObservation(pool, snapshot, run.versions)), pool)
    }
  }

  /// Asked only of backends whose version decides what comes next.
  private func readVersions(_ pool: String, _ snapshot: NodeSnapshot) async {
    guard let run = runs[pool], let path = run.versionPath else { return }
    for item in run.rollout.items {
      guard item.isVerified, let address = snapshot.address(pool, item.backend) else { continue }
      // In two steps: `runs[pool]?…` opens its place before it evaluates what goes there, and others come in between.
      let version = await WebCall.text(address, path: path)
      runs[pool]?.versions[item.backend] = version
    }
  }

  private func handle(_ event: RolloutEvent, _ pool: String) async {
    var effects: [RolloutEffect] = []
    runs[pool]?.rollout.handle(event, at: node.ports.wallClock(), into: &effects)
    for effect in effects {
      switch effect {
      case .drain(let backend): await set(.drain, pool, backend)
      case .admit(let backend): await set(.ready, pool, backend)
      case .update(let backend, let direction): await update(backend, direction, pool)
      case .note(let text): await node.note(.rollout, "\(pool): \(text)")
      }
    }
  }

  private func set(_ state: AdministrativeState, _ pool: String, _ backend: String) async {
    do {
      try await node.apply(.override(BackendKey(pool: pool, backend: backend), .state(state)))
    } catch {
      await node.note(.rollout, "\(pool): \(backend) cannot be set to \(state.rawValue): \(error)")
    }
  }

  private func update(_ backend: String, _ direction: Rollout.Direction, _ pool: String) async {
    guard let plan = runs[pool]?.rollout.plan else { return }
    let method = direction == .back ? plan.undo ?? plan.method : plan.method
    let address = await node.snapshot().address(pool, backend).map { "\($0)" } ?? ""
    updates.append(
      Task {
        let failure = await UpdateCall(
          method: method, pool: pool, backend: backend, address: address, direction: direction,
          limit: plan.updateTimeout
        ).run()
        guard !Task.isCancelled else { return }
        await handle(.updated(backend, failure: failure), pool)
      })
  }
}

extension Rollout.Item {
  /// Its version matters now.
  fileprivate var isVerified: Bool {
    switch step {
    case .verifying, .soaking: true
    case .pending, .draining, .updating, .done, .failed: false
    }
  }
}

extension NodeSnapshot {
  func address(_ pool: String, _ backend: String) -> SocketAddress? {
    topology.pools.first { $0.name == pool }?.backends.first { $0.name == backend }?.address
  }
}

extension PoolObservation {
  init(_ pool: String, _ snapshot: NodeSnapshot, _ versions: [String: String]) {
    var backends: [String: BackendObservation] = [:]
    for (one, standings) in zip(snapshot.topology.pools, snapshot.standings) where one.name == pool {
      for (backend, standing) in zip(one.backends, standings) {
        let counts = snapshot.statistics.backends[standing.slot]
        backends[backend.name] = BackendObservation(
          inFlight: Int(clamping: counts?.inFlight ?? 0),
          isUp: standing.verdict.state == .up || standing.verdict.state == .warming,
          isReady: standing.state == .ready, reason: standing.verdict.reason, version: versions[backend.name])
      }
    }
    self.init(backends: backends)
  }
}

extension RolloutReport {
  init(_ rollout: Rollout, _ pool: PoolObservation) {
    let (phase, reason): (String, String?) =
      switch rollout.phase {
      case .running: ("running", nil)
      case .paused(let why): ("paused", why)
      case .completed: ("completed", nil)
      case .aborted(let why): ("aborted", why)
      }
    self.init(
      pool: rollout.plan.pool, phase: phase, reason: reason, direction: rollout.direction.rawValue,
      waiting: rollout.waiting,
      backends: rollout.items.map { item in
        let (step, reason) = item.step.words
        let seen = pool.backends[item.backend]
        return Backend(
          name: item.backend, step: step, reason: reason, inFlight: seen?.inFlight ?? 0, version: seen?.version)
      })
  }
}

extension Rollout.Step {
  fileprivate var words: (String, String?) {
    switch self {
    case .pending: ("pending", nil)
    case .draining: ("draining", nil)
    case .updating: ("updating", nil)
    case .verifying: ("verifying", nil)
    case .soaking: ("soaking", nil)
    case .done: ("done", nil)
    case .failed(let why): ("failed", why)
    }
  }
}
