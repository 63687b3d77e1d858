internal import FoundationEssentials
package import Logging
internal import NIOConcurrencyHelpers
package import OctaviaModel

/// Carries flows out. Each is written down before and after every step, so that another worker, or this one after it
/// was killed, goes on where it stopped.
package final class Worker: Sendable {
  /// How long a flow belongs to a worker that says nothing.
  static let lease = Duration.seconds(15)
  /// Flows at a time.
  static let width = 64

  private let store: Store
  private let performer: any Performer
  private let settings: HealthSettings
  private let logger: Logger
  private let now: @Sendable () -> Timestamp
  private let makeID: @Sendable () -> String
  private let owner: String
  private let running = NIOLockedValueBox<Set<String>>([])
  private let wakes: AsyncStream<Void>
  private let waking: AsyncStream<Void>.Continuation

  package init(
    store: Store, performer: any Performer, settings: HealthSettings, logger: Logger,
    now: @escaping @Sendable () -> Timestamp, makeID: @escaping @Sendable () -> String
  ) {
    self.store = store
    self.performer = performer
    self.settings = settings
    self.logger = logger
    self.now = now
    self.makeID = makeID
    owner = ProcessName.own
    (wakes, waking) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  package func wake() { waking.yield() }

  private var source: Source { Source(now: now(), makeID: makeID) }

  /// Until its task is cancelled.
  package func run() async {
    let ticker = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .seconds(1))
        waking.yield()
      }
    }
    defer { ticker.cancel() }
    await withDiscardingTaskGroup { group in
      waking.yield()
      for await _ in wakes {
        if Task.isCancelled { break }
        for flow in await claim() { group.addTask { await self.carry(flow) } }
      }
      group.cancelAll()
    }
  }

  /// Flows that nobody carries out.
  private func claim() async -> [Flow] {
    let now = now()
    let owner = owner
    let busy = running.withLockedValue { $0 }
    let room = Self.width - busy.count
    if room <= 0 { return [] }
    let taken: [Flow]? =
      try? await store.write { rows in
        var taken: [Flow] = []
        let free = try rows.freeFlows(limit: room) { id, holder, lease in
          !busy.contains(id) && (holder.map { $0 == owner || lease < now || ProcessName.isDead($0) } ?? true)
        }
        for claim in free {
          if try rows.take(claim.flow.id, owner: owner, from: claim.owner, until: now + Self.lease) {
            taken.append(claim.flow)
          }
        }
        return taken
      }
    running.withLockedValue { $0.formUnion((taken ?? []).map(\.id)) }
    return taken ?? []
  }

  private func carry(_ flow: Flow) async {
    let renewal = Task {
      while !Task.isCancelled {
        try await Task.sleep(for: Self.lease / 3)
        let until = now() + Self.lease
        let owner = owner
        try await store.write { try $0.renew(flow.id, owner: owner, lease: until) }
      }
    }
    defer {
      renewal.cancel()
      running.withLockedValue { _ = $0.remove(flow.id) }
      waking.yield()
    }
    do {
      var flow = flow
      while try await step(&flow) {}
    } catch is LostFlow {
      logger.warning("flow \(flow.id) goes on elsewhere")
    } catch is CancellationError {
      // It is written down, and goes on at the next start.
    } catch {
      logger.error("flow \(flow.id) of \(flow.loadBalancer) stopped: \(error)")
    }
  }

  /// - Returns: whether there is more to do.
  private func step(_ flow: inout Flow) async throws -> Bool {
    let order = flow.next
    let name = "\(flow.goal.rawValue)/\(Fault.name(order))"
    Fault.strike("before", name)
    switch order {
    case .finish:
      try await finish(flow, order)
      return false
    case .perform(let step), .undo(let step):
      do {
        let findings = try await attempt(step, flow, isUndo: flow.direction == .revert)
        Fault.strike("after", name)
        return try await commit(&flow, order, findings)
      } catch let error as LostFlow {
        throw error
      } catch let error as CancellationError {
        throw error
      } catch {
        if Task.isCancelled { throw CancellationError() }
        logger.warning("\(flow.goal.rawValue) of \(flow.loadBalancer): \(step.text): \(error)")
        try await record(&flow, failure: "\(error)", at: step)
      }
      return true
    }
  }

  private func attempt(_ step: Step, _ flow: Flow, isUndo: Bool) async throws -> JSONObject {
    var tries = 0
    while true {
      do {
        let id = flow.loadBalancer
        guard let tree = try await store.read({ try $0.tree(id) }) else {
          throw StepFailure("the load balancer is gone")
        }
        return try await performer.perform(step, flow, tree)
      } catch let failure as StepFailure where failure.isPassing && tries < 2 {
        tries += 1
        try await Task.sleep(for: .milliseconds(300 * tries))
      }
    }
  }

  /// The step's rows and the flow's place, in one transaction; with its last step the flow is gone, so that the next
  /// change finds none.
  ///
  /// - Returns: whether there is more to do.
  private func commit(_ flow: inout Flow, _ order: Flow.Order, _ findings: JSONObject) async throws -> Bool {
    let old = flow
    flow.advance()
    let new = flow
    let source = source
    let owner = owner
    try await store.write { rows in
      let id = new.loadBalancer
      if var tree = try rows.tree(id) {
        old.apply(order, findings, to: &tree, source)
        try rows.save(tree, id: id)
        if case .perform(let step) = order { try Self.follow(step, tree, rows, source.now) }
        if tree[id] != nil, let text = Self.words(order) { try rows.note(id, text, at: source.now) }
      }
      if case .finish(.done) = new.next {
        if try rows.tree(new.loadBalancer) != nil {
          try rows.note(new.loadBalancer, "\(new.goal.rawValue) is done", at: source.now)
        }
        try rows.delete(new, owner: owner)
      } else {
        try rows.save(new, owner: owner, lease: source.now + Self.lease)
      }
    }
    return new.next != .finish(.done)
  }

  private static func words(_ order: Flow.Order) -> String? {
    switch order {
    case .perform(let step): step.text
    case .undo(let step): "undone: \(step.text)"
    case .finish: nil
    }
  }

  /// What else in the database belongs to a step.
  private static func follow(_ step: Step, _ tree: Tree, _ rows: Rows, _ now: Timestamp) throws {
    switch step.verb {
    case .condemn: try rows.setBusy(step.amphora ?? "", true)
    case .destroy: try rows.revokeCertificates(amphora: step.amphora ?? "")
    case .settle:
      for amphora in tree.amphorae { try rows.watch(amphora.id, tree: tree.id, now: now) }
    default: break
    }
  }

  private func record(_ flow: inout Flow, failure: String, at step: Step) async throws {
    flow.fail(failure)
    let new = flow
    let now = now()
    let owner = owner
    try await store.write { rows in
      try rows.save(new, owner: owner, lease: now + Self.lease)
      try rows.note(new.loadBalancer, "\(new.goal.rawValue) failed at \(step.text): \(failure)", at: now)
    }
  }

  private func finish(_ flow: Flow, _ order: Flow.Order) async throws {
    let source = source
    let owner = owner
    let settings = settings
    try await store.write { rows in
      let id = flow.loadBalancer
      if var tree = try rows.tree(id) {
        flow.apply(order, JSONObject(), to: &tree, source)
        try rows.save(tree, id: id)
        if case .finish(.done) = order { try rows.note(id, "\(flow.goal.rawValue) is done", at: source.now) }
        for amphora in flow.survivors(in: tree) {
          try rows.postpone(amphora) { failures in source.now + settings.pause(after: failures) }
        }
      }
      try rows.delete(flow, owner: owner)
    }
  }
}

extension HealthSettings {
  /// Between the n-th failure of a failover and its next try: doubled each time.
  package func pause(after failures: Int) -> Duration {
    var pause = backoff
    for _ in 1..<max(failures, 1) where pause < maximumBackoff { pause = pause * 2 }
    return min(pause, maximumBackoff)
  }
}
