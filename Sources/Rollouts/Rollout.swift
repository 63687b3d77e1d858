internal import Model

/// An update in place, backend by backend.
///
/// ```
///            room for it          empty or late       done            up, right version      soaked
///  pending ─────────────► draining ─────────► updating ───► verifying ─────────────► soaking ───────► done
///                            │  any failure or deadline: the rollout pauses,  │
///                            └────────────► failed ◄── the backend stays out ─┘
/// ```
/// Whatever goes wrong, traffic stays with backends that are well: a failed one keeps its drain, nothing new is begun,
/// and a person decides: resume (try again), abort (leave the rest alone), roll back (undo what was done).
package struct Rollout: Codable, Hashable, Sendable {
  package enum Phase: Codable, Hashable, Sendable {
    case running
    /// With the reason; backends under way are finished, no further one is begun.
    case paused(String)
    case completed
    case aborted(String)

    package var isOver: Bool {
      switch self {
      case .running, .paused: false
      case .completed, .aborted: true
      }
    }
  }

  package enum Step: Codable, Hashable, Sendable {
    case pending, done
    case draining(since: Int64)
    case updating(since: Int64)
    case verifying(since: Int64)
    case soaking(since: Int64)
    case failed(String)

    var isUnderWay: Bool {
      switch self {
      case .draining, .updating, .verifying, .soaking: true
      case .pending, .done, .failed: false
      }
    }
  }

  package enum Direction: String, Codable, Sendable { case forward, back }

  /// One backend's way.
  package struct Item: Codable, Hashable, Sendable {
    package var backend: String
    package var step = Step.pending
    /// Of `Rollout.direction`: what is to be done with it at last.
    package var version: String?
  }

  package let plan: RolloutPlan
  package private(set) var phase = Phase.running
  package private(set) var direction = Direction.forward
  package private(set) var items: [Item]
  /// Why the next batch is not begun yet; nil when nothing is in its way.
  package private(set) var waiting: String?

  package init(_ plan: RolloutPlan) {
    self.plan = plan
    items = plan.backends.map { Item(backend: $0) }
  }

  // MARK: What happens

  /// - Parameter now: milliseconds since 1970.
  package mutating func handle(_ event: RolloutEvent, at now: Int64, into effects: inout [RolloutEffect]) {
    guard !phase.isOver else { return }
    switch event {
    case .order(let order): obey(order, at: now, into: &effects)
    case .updated(let backend, let failure):
      guard let index = items.firstIndex(where: { $0.backend == backend }), case .updating = items[index].step else {
        return
      }
      if let failure { return fail(index, "update failed: \(failure)", into: &effects) }
      items[index].step = .verifying(since: now)
      effects.append(.note("\(backend): updated"))
    // Health is asked of a backend that takes no traffic yet; it comes back only when it is well.
    case .observed(let pool): advance(pool, at: now, into: &effects)
    }
  }

  private mutating func obey(_ order: RolloutEvent.Order, at now: Int64, into effects: inout [RolloutEffect]) {
    switch order {
    case .pause: phase = .paused("by order")
    case .resume:
      phase = .running
      for index in items.indices {
        if case .failed = items[index].step { items[index].step = .pending }
      }
    case .next:
      guard method == .manual else { break }
      for index in items.indices {
        if case .updating = items[index].step { items[index].step = .verifying(since: now) }
      }
      waiting = nil
    case .abort:
      for item in items {
        switch item.step {
        // Nothing was done to it yet: it may serve again.
        case .draining: effects.append(.admit(item.backend))
        default: break
        }
      }
      phase = .aborted("by order")
    case .rollback:
      direction = .back
      phase = .running
      waiting = nil
      // What was not touched needs no undoing; the last one that was updated goes first.
      for item in items {
        if case .draining = item.step { effects.append(.admit(item.backend)) }
      }
      items = items.reversed().filter {
        switch $0.step {
        case .pending, .draining: false
        default: true
        }
      }.map { Item(backend: $0.backend) }
    }
    effects.append(.note("order: \(order.rawValue)"))
    if items.isEmpty { complete(into: &effects) }
  }

  private mutating func advance(_ pool: PoolObservation, at now: Int64, into effects: inout [RolloutEffect]) {
    for index in items.indices { step(index, pool, at: now, into: &effects) }
    if items.allSatisfy({ $0.step == .done }) { return complete(into: &effects) }
    guard phase == .running, !items.contains(where: { $0.step.isUnderWay }) else { return }
    begin(pool, at: now, into: &effects)
  }

  private mutating func step(
    _ index: Int, _ pool: PoolObservation, at now: Int64, into effects: inout [RolloutEffect]
  ) {
    let item = items[index]
    guard let backend = pool.backends[item.backend] else {
      if item.step.isUnderWay { fail(index, "it is no longer in the pool", into: &effects) }
      return
    }
    switch item.step {
    case .pending, .done, .failed: return
    case .draining(let since):
      let isLate = now - since >= plan.drainTimeout.milliseconds
      guard backend.inFlight == 0 || isLate else { return }
      if isLate, backend.inFlight > 0 {
        effects.append(.note("\(item.backend): \(backend.inFlight) requests were not done after \(plan.drainTimeout)"))
      }
      items[index].step = .updating(since: now)
      if method == .manual {
        waiting = "update \(item.backend) by hand, then `sluice rollout next`"
        effects.append(.note("waits: \(waiting ?? "")"))
      } else {
        effects.append(.update(item.backend, direction))
      }
    case .updating(let since):
      if method != .manual, now - since >= plan.updateTimeout.milliseconds {
        fail(index, "the update took longer than \(plan.updateTimeout)", into: &effects)
      }
    case .verifying(let since):
      guard now - since >= plan.settle.milliseconds else { return }
      if let wrong = misfit(backend) {
        guard now - since >= (plan.settle + plan.healthTimeout).milliseconds else { return }
        // It may have been in traffic already, in a process before this one.
        if backend.isReady { effects.append(.drain(item.backend)) }
        return fail(index, wrong, into: &effects)
      }
      items[index].step = .soaking(since: now)
      effects.append(.admit(item.backend))
    case .soaking(let since):
      if let wrong = misfit(backend) {
        effects.append(.drain(item.backend))
        return fail(index, "while it soaked: \(wrong)", into: &effects)
      }
      if now - since >= plan.soak.milliseconds {
        items[index].step = .done
        effects.append(.note("\(item.backend): done"))
      }
    }
  }

  private var method: RolloutPlan.Method { direction == .back ? plan.undo ?? plan.method : plan.method }

  /// Why the backend is not what the update should have made it.
  private func misfit(_ backend: BackendObservation) -> String? {
    guard backend.isUp else { return "it is not up: \(backend.reason)" }
    guard direction == .forward, let wanted = plan.version, backend.version != wanted else { return nil }
    return "it reports version \(backend.version ?? "none"), not \(wanted)"
  }

  private mutating func begin(_ pool: PoolObservation, at now: Int64, into effects: inout [RolloutEffect]) {
    let before = waiting
    waiting = nil
    let next = items.indices.filter { items[$0].step == .pending }
    guard !next.isEmpty else { return }
    let own = Set(next.map { items[$0].backend })
    // Backends that cannot carry traffic now, besides those that this batch would take out.
    let out = pool.backends.filter { !$0.value.carries && !own.contains($0.key) }.count
    var room = min(plan.batch, plan.maxUnavailable - out)
    if room <= 0 { waiting = "\(out) other backends take no traffic, and no more than \(plan.maxUnavailable) may" }
    if waiting == nil {
      // What stays must carry what the whole pool carries now.
      switch Need(capacity: plan.capacity, rate: plan.rate, of: pool.load) {
      case nil: break
      case .unknown: waiting = "the pool's requests a second are being counted"
      case .backends(let needed, let load):
        let carrying = pool.backends.values.count { $0.carries }
        room = min(room, carrying - needed)
        if room <= 0 { waiting = "\(load) need \(needed) of \(carrying) backends" }
      }
    }
    if let waiting {
      if waiting != before { effects.append(.note("waits: \(waiting)")) }
      return
    }
    for index in next.prefix(room) {
      items[index].step = .draining(since: now)
      effects.append(.drain(items[index].backend))
    }
  }

  private mutating func fail(_ index: Int, _ reason: String, into effects: inout [RolloutEffect]) {
    items[index].step = .failed(reason)
    phase = .paused("\(items[index].backend): \(reason)")
    effects.append(.note("paused: \(items[index].backend): \(reason)"))
  }

  private mutating func complete(into effects: inout [RolloutEffect]) {
    waiting = nil
    if direction == .forward {
      phase = .completed
      effects.append(.note("completed"))
    } else {
      phase = .aborted("rolled back")
      effects.append(.note("rolled back"))
    }
  }
}

extension Rollout {
  /// After a restart: an update that ran when the process ended may or may not have finished; it is asked for again.
  /// What was to be well by now is given its time anew, since nobody looked meanwhile.
  package mutating func recover(at now: Int64, into effects: inout [RolloutEffect]) {
    guard !phase.isOver else { return }
    for index in items.indices {
      switch items[index].step {
      case .updating where method != .manual:
        items[index].step = .updating(since: now)
        effects.append(.update(items[index].backend, direction))
      case .verifying, .soaking: items[index].step = .verifying(since: now)
      case .pending, .draining, .updating, .done, .failed: break
      }
    }
  }

  /// Begins nothing further until somebody says so; what is under way goes on.
  package mutating func pause(_ reason: String) {
    guard !phase.isOver else { return }
    phase = .paused(reason)
  }
}
