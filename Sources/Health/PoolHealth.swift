package import Model

/// The health of a pool's backends, and the limit on how many may be ejected at once.
///
/// Owns one `BackendHealth` per backend, by name. A driver feeds events, applies the
/// effects and sleeps until `nextTimer`.
package struct PoolHealth: Sendable {
  package enum Effect: Hashable, Sendable {
    case backend(String, BackendHealth.Effect)
    /// Its traffic fails, but ejecting it would leave too few.
    case ejectionRefused(String, reason: String)
  }

  package private(set) var pool: Pool
  private var machines: [String: BackendHealth] = [:]
  private var addresses: [String: SocketAddress] = [:]
  /// Names with a timer running: few, so that finding the next one is cheap in large pools.
  private var timed: Set<String> = []

  /// - Parameter memory: by backend, what an earlier process of this node knew.
  package init(_ pool: Pool, recalling memory: [String: BackendHealth.Memory] = [:], at now: Instant) {
    self.pool = pool
    for backend in pool.backends {
      guard let known = memory[backend.name] else {
        enter(backend, cold: false, at: now)
        continue
      }
      let machine = BackendHealth(BackendHealth.Settings(pool), recalling: known, at: now)
      machines[backend.name] = machine
      addresses[backend.name] = backend.address
      if machine.nextTimer != nil { timed.insert(backend.name) }
    }
  }

  package func memory(_ backend: String) -> BackendHealth.Memory? { machines[backend]?.memory }

  package func verdict(_ backend: String) -> Verdict? { machines[backend]?.verdict }
  package func ejections(_ backend: String) -> UInt64 { machines[backend]?.ejections ?? 0 }
  package func agent(_ backend: String) -> AgentStanding? { machines[backend]?.agent }

  /// Whether the next probe of the backend should come after the `fast` interval.
  package func isChanging(_ backend: String) -> Bool { machines[backend]?.isChanging ?? false }

  /// When `tick` has something to do; nil: never, by itself.
  package var nextTimer: Instant? { timed.compactMap { machines[$0]?.nextTimer }.min() }

  /// An event of a backend; one that a reload removed meanwhile is ignored.
  package mutating func handle(
    _ event: BackendHealth.Event, backend: String, at now: Instant, into effects: inout [Effect]
  ) {
    guard let machine = machines[backend] else { return }
    if case .trip(let failures, let reason) = event, machine.verdict.takesTraffic, !mayEject(backend) {
      effects.append(.ejectionRefused(backend, reason: "\(failures) consecutive failures: \(reason)"))
      return
    }
    change(backend, into: &effects) { $0.handle(event, at: now, into: &$1) }
  }

  /// Ends ejections and moves warm-ups whose time has come.
  package mutating func tick(at now: Instant, into effects: inout [Effect]) {
    for name in timed.sorted() {
      guard let due = machines[name]?.nextTimer, due <= now else { continue }
      change(name, into: &effects) { $0.handle(.tick, at: now, into: &$1) }
    }
  }

  /// A reload. A backend that keeps its name and address keeps its health; another one is new.
  package mutating func reconfigure(_ new: Pool, at now: Instant, into effects: inout [Effect]) {
    pool = new
    let names = Set(new.backends.map(\.name))
    for name in machines.keys where !names.contains(name) { remove(name) }
    let settings = BackendHealth.Settings(new)
    for backend in new.backends {
      guard machines[backend.name] != nil, addresses[backend.name] == backend.address else {
        remove(backend.name)
        enter(backend, cold: true, at: now)
        continue
      }
      change(backend.name, into: &effects) {
        $0.reconfigure(settings, at: now, into: &$1)
        if new.agent == nil { $0.forgetAgent(at: now, into: &$1) }
      }
    }
  }

  /// One may always be ejected if another one takes traffic; more, up to the share.
  private func mayEject(_ backend: String) -> Bool {
    guard let outlier = pool.outlier else { return true }
    let ejected = timed.count { machines[$0]?.isEjected == true }
    let remaining = machines.contains { $0.key != backend && $0.value.verdict.takesTraffic }
    guard remaining else { return false }
    return ejected == 0 || Double(ejected + 1) <= outlier.maxEjectedShare * Double(machines.count)
  }

  private mutating func change(
    _ name: String, into effects: inout [Effect], _ body: (inout BackendHealth, inout [BackendHealth.Effect]) -> Void
  ) {
    guard var machine = machines[name] else { return }
    var own: [BackendHealth.Effect] = []
    body(&machine, &own)
    machines[name] = machine
    if machine.nextTimer == nil { timed.remove(name) } else { timed.insert(name) }
    effects.append(contentsOf: own.map { .backend(name, $0) })
  }

  private mutating func enter(_ backend: Backend, cold: Bool, at now: Instant) {
    let machine = BackendHealth(BackendHealth.Settings(pool), cold: cold, at: now)
    machines[backend.name] = machine
    addresses[backend.name] = backend.address
    if machine.nextTimer != nil { timed.insert(backend.name) }
  }

  private mutating func remove(_ name: String) {
    machines[name] = nil
    addresses[name] = nil
    timed.remove(name)
  }
}
