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
    var traffic = PoolTraffic()
    /// States that are to be given yet.
    var intents: [String: AdministrativeState] = [:]
    /// The event of what it said last: its begin, an order, its going on.
    var word: UInt64?
  }

  let node: Node
  /// A pool has one of these, or one of those.
  var runs: [String: Run] = [:]
  var canaries: [String: CanaryRun] = [:]
  /// A successor is being started: nothing is begun here any more.
  var isHeld = false
  /// Pools whose state could not be kept: not before then is it tried again.
  var backOff: [String: Instant] = [:]
  /// Updates that run, as pool/backend.
  private(set) var updating: Set<String> = []
  private var loop: Task<Void, Never>?
  private var updates: [Task<Void, Never>] = []
  private var turn: Task<Void, Never>?

  init(node: Node) { self.node = node }

  // MARK: The API's side

  func start(_ plan: RolloutPlan, versionPath: String?) async throws(AdminError) {
    try refuseWhileHeld()
    try refuseSecond(plan.pool)
    let before = (runs[plan.pool], canaries[plan.pool])
    canaries[plan.pool] = nil
    let run = Run(rollout: Rollout(plan), versionPath: versionPath)
    runs[plan.pool] = run
    if let reason = await keep(KeptRollout(run), plan.pool) {
      (runs[plan.pool], canaries[plan.pool]) = before
      throw RolloutDriver.notKept(reason)
    }
    let event = await node.note(.rollout, "\(plan.pool): begun, \(plan.backends.count) backends")
    runs[plan.pool]?.word = event
    keepLooking()
  }

  func refuseSecond(_ pool: String) throws(AdminError) {
    guard isUnderWay(pool) else { return }
    throw AdminError(
      .conflict, "pool \(pool) is being rolled out already", hint: "`sluice rollout abort \(pool)` ends it")
  }

  func refuseWhileHeld() throws(AdminError) {
    guard isHeld else { return }
    throw AdminError(.conflict, "this process begins nothing more", hint: "try again in a moment: the next one goes on")
  }

  func isUnderWay(_ pool: String) -> Bool {
    runs[pool]?.rollout.phase.isOver == false || canaries[pool]?.canary.phase.isOver == false
  }

  func order(_ order: RolloutEvent.Order, pool: String) async throws(AdminError) {
    try refuseWhileHeld()
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
    isHeld = true
    loop?.cancel()
    for update in updates { update.cancel() }
  }

  // MARK: Looking and acting

  func keepLooking() {
    guard loop == nil, !isHeld else { return }
    loop = Task {
      while !Task.isCancelled, !isHeld, (Array(runs.keys) + Array(canaries.keys)).contains(where: isUnderWay) {
        await look()
        do { try await Task.sleep(for: RolloutDriver.interval) } catch { break }
      }
      loop = nil
    }
  }

  private func look() async {
    let snapshot = await node.snapshot()
    for pool in canaries.keys.sorted() where isUnderWay(pool) { await look(at: snapshot, canary: pool) }
    for pool in runs.keys.sorted() where runs[pool]?.rollout.phase.isOver == false {
      if let due = backOff[pool], node.ports.now() < due { continue }
      await readVersions(pool, snapshot)
      guard let run = runs[pool] else { continue }
      runs[pool]?.traffic.look(pool, snapshot, at: node.ports.wallClock())
      let observation = PoolObservation(pool, snapshot, run.versions, runs[pool]?.traffic.perSecond)
      await handle(.observed(observation), pool)
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

  /// One after the other: between a state's writing and its effects nobody else decides by an older one.
  func inTurn(_ body: @escaping @Sendable (isolated RolloutDriver) async -> Void) async {
    let earlier = turn
    let own = Task {
      await earlier?.value
      await body(self)
    }
    turn = own
    await own.value
  }

  private func handle(_ event: RolloutEvent, _ pool: String) async {
    await inTurn { await $0.take(event, pool) }
  }

  private func take(_ event: RolloutEvent, _ pool: String) async {
    guard let before = runs[pool] else { return }
    // Held: an update's end is still noted, and nothing is begun.
    if isHeld, case .observed = event { return }
    var next = before
    var effects: [RolloutEffect] = []
    next.rollout.handle(event, at: node.ports.wallClock(), into: &effects)
    guard next.rollout != before.rollout || !effects.isEmpty else { return }
    next.intend(effects)
    let loss = await keep(KeptRollout(next), pool)
    if let loss, effects.contains(where: { $0.begins(in: next.rollout.phase) }) {
      return await pause(pool, RolloutDriver.lost(loss))
    }
    runs[pool]?.rollout = next.rollout
    runs[pool]?.intents = next.intents
    await carryOut(effects, pool, because: await fall(next.rollout, before.rollout))
  }

  /// The event of the backend that a rollout has just stopped for; nil: it has not, or not for its health.
  private func fall(_ rollout: Rollout, _ before: Rollout) async -> UInt64? {
    for (item, old) in zip(rollout.items, before.items) where item.step != old.step {
      switch (old.step, item.step) {
      case (.verifying, .failed), (.soaking, .failed):
        return await node.fall(of: BackendKey(pool: rollout.plan.pool, backend: item.backend))
      default: break
      }
    }
    return nil
  }

  /// What cannot be kept is not begun: after a crash nobody would know of it.
  private func pause(_ pool: String, _ reason: String) async {
    backOff[pool] = node.ports.now() + .seconds(1)
    guard runs[pool]?.rollout.phase != .paused(reason) else { return }
    runs[pool]?.rollout.pause(reason)
    await node.note(.rollout, "\(pool): paused: \(reason)")
  }

  /// - Parameter cause: the event that led to them.
  func carryOut(_ effects: [RolloutEffect], _ pool: String, because cause: UInt64? = nil) async {
    var given = false
    var cause = cause
    // What is decided is told before what is done for it.
    for case .note(let text) in effects {
      cause = await node.note(.rollout, "\(pool): \(text)", because: cause)
      runs[pool]?.word = cause
    }
    cause = cause ?? runs[pool]?.word
    for effect in effects {
      switch effect {
      case .drain(let backend): given = await fulfil(.drain, pool, backend, because: cause) || given
      case .admit(let backend): given = await fulfil(.ready, pool, backend, because: cause) || given
      case .update(let backend, let direction): await update(backend, direction, pool)
      case .note: break
      }
    }
    // So that an order of later is not undone by a restart. Where it fails, the next state says it.
    if given, let run = runs[pool] { _ = await keep(KeptRollout(run), pool) }
  }

  /// - Returns: whether the backend has the state.
  func fulfil(_ state: AdministrativeState, _ pool: String, _ backend: String, because cause: UInt64? = nil) async
    -> Bool
  {
    do {
      try await node.apply(.override(BackendKey(pool: pool, backend: backend), .state(state)), because: cause)
    } catch {
      await node.note(.rollout, "\(pool): \(backend) cannot be set to \(state.rawValue): \(error)")
      return false
    }
    if runs[pool]?.intents[backend] == state { runs[pool]?.intents[backend] = nil }
    return true
  }

  private func update(_ backend: String, _ direction: Rollout.Direction, _ pool: String) async {
    guard let plan = runs[pool]?.rollout.plan else { return }
    let method = direction == .back ? plan.undo ?? plan.method : plan.method
    let address = await node.snapshot().address(pool, backend).map { "\($0)" } ?? ""
    updating.insert("\(pool)/\(backend)")
    updates.append(
      Task {
        let failure = await UpdateCall(
          method: method, pool: pool, backend: backend, address: address, direction: direction,
          limit: plan.updateTimeout
        ).run()
        if !Task.isCancelled { await handle(.updated(backend, failure: failure), pool) }
        updating.remove("\(pool)/\(backend)")
      })
  }
}

extension RolloutDriver.Run {
  fileprivate mutating func intend(_ effects: [RolloutEffect]) {
    for effect in effects {
      switch effect {
      case .drain(let backend): intents[backend] = .drain
      case .admit(let backend): intents[backend] = .ready
      case .update, .note: break
      }
    }
  }
}

extension RolloutEffect {
  /// Takes capacity away that no failure has taken already.
  fileprivate func begins(in phase: Rollout.Phase) -> Bool {
    switch self {
    case .update: true
    case .drain: phase == .running
    case .admit, .note: false
    }
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
  init(_ pool: String, _ snapshot: NodeSnapshot, _ versions: [String: String], _ perSecond: Int? = nil) {
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
    self.init(backends: backends, perSecond: perSecond)
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
