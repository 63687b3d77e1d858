internal import Model

/// A canary's way through its steps, judged at every look by sequential tests of errors and of slow answers. At the last
/// step there is no control left to compare with: it is held and then done.
package struct Canary: Codable, Hashable, Sendable {
  package enum Phase: Codable, Hashable, Sendable {
    case running
    case paused(String)
    case completed
    /// All traffic is back with the other versions; the evidence in words.
    case rolledBack(String)

    package var isOver: Bool {
      switch self {
      case .running, .paused: false
      case .completed, .rolledBack: true
      }
    }
  }

  package enum Event: Hashable, Sendable {
    case looked(CanaryBlock)
    /// Pause, resume, rollback; `next` ends the step's hold. A completed one can still be rolled back.
    case order(RolloutEvent.Order)
  }

  package enum Effect: Hashable, Sendable {
    /// The canary's share of all clients, in hundredths.
    case share(Int)
    case note(String)
  }

  package let plan: CanaryPlan
  package private(set) var phase = Phase.running
  /// An index of `plan.steps`.
  package private(set) var step = 0
  package private(set) var errors: SequentialTest
  package private(set) var slowness: SlownessTest
  /// What each step showed; the last one is the present.
  package private(set) var history: [CanaryStep]
  /// Why the canary could not carry the next step; nil: it can, or nobody has asked yet.
  package private(set) var waiting: String?

  package init(_ plan: CanaryPlan, at now: Int64, into effects: inout [Effect]) {
    self.plan = plan
    // Both share the risk.
    errors = SequentialTest(alpha: plan.falsePositives / 2)
    slowness = SlownessTest(alpha: plan.falsePositives / 2)
    history = [CanaryStep(share: plan.steps[0], since: now)]
    effects.append(.share(share))
  }

  /// In hundredths.
  package var share: Int {
    switch phase {
    case .running, .paused: plan.steps[step]
    case .completed: plan.steps.last ?? 100
    case .rolledBack: 0
    }
  }

  /// How many of the requests it gets copies of now, in ten-thousandths; nil: none.
  package var mirrored: Int? { phase.isOver || plan.steps[step] > 0 ? nil : plan.mirrored }

  /// The canary's answers on this step.
  package var samples: UInt64 { history[history.count - 1].canary.total }

  private var looks: Int { history[history.count - 1].looks ?? 0 }

  /// Of what there is too little yet to judge the step by; nil: of nothing.
  private var lack: String? {
    if samples < plan.samples { return "only \(samples) of \(plan.samples) answers" }
    // What gets copies is to be found out before its first client comes.
    guard plan.steps[step] == 0, plan.samples > 0, looks < CanaryPlan.fewestLooks else { return nil }
    return "the answers to its copies were compared only \(looks) of \(CanaryPlan.fewestLooks) times"
  }

  /// Why the next step is not taken yet; nil: nothing is in its way but time.
  package func waiting(at now: Int64) -> String? {
    guard phase == .running, now - since >= plan.hold.milliseconds else { return waiting }
    return waiting ?? lack
  }

  private var since: Int64 { history[history.count - 1].since }

  package mutating func handle(_ event: Event, at now: Int64, into effects: inout [Effect]) {
    if case .order(.rollback) = event, phase == .completed { return rollBack("by order", at: now, into: &effects) }
    guard !phase.isOver else { return }
    switch event {
    case .order(.pause): phase = .paused("by order")
    case .order(.resume):
      // Its time begins anew: one that had too few answers in it would else be paused again at once.
      if phase != .running { history[history.count - 1].since = now }
      phase = .running
    case .order(.next): advance(at: now, into: &effects)
    case .order(.abort), .order(.rollback): rollBack("by order", at: now, into: &effects)
    case .looked(let block): look(block, at: now, into: &effects)
    }
  }

  /// All answers of both sides so far.
  private var past: CanaryBlock {
    history.reduce(into: CanaryBlock(canary: .init(), control: .init())) { sum, step in
      sum.canary += step.canary
      sum.control += step.control
    }
  }

  private mutating func look(_ block: CanaryBlock, at now: Int64, into effects: inout [Effect]) {
    slowness.observe(block, past: past)
    history[history.count - 1].canary += block.canary
    history[history.count - 1].control += block.control
    if block.canary.total > 0, block.control.total > 0 { history[history.count - 1].looks = looks + 1 }
    errors.observe(
      canary: .init(hits: block.canary.errors, total: block.canary.total),
      control: .init(hits: block.control.errors, total: block.control.total))
    // Also while paused: a bad canary must not stay where it is.
    if let why = verdict(block) { return rollBack(why, at: now, into: &effects) }
    guard phase == .running, now - since >= plan.hold.milliseconds else { return }
    guard let lack else { return advanceIfThereIsRoom(block, at: now, into: &effects) }
    if now - since >= plan.patience.milliseconds {
      phase = .paused("\(lack) in \(plan.patience.milliseconds / 1_000) s")
      effects.append(.note("paused: too few answers to judge by"))
    }
  }

  /// Why it must end; nil: it may go on.
  private func verdict(_ block: CanaryBlock) -> String? {
    if block.carrying == 0 { return "no backend of version \(plan.version) is up" }
    if errors.isWorse { return evidence("errors", errors, errors.alpha) }
    if slowness.isWorse { return evidence("slow answers", slowness.leading, slowness.alpha) }
    let own = history[history.count - 1].canary
    if let most = plan.mostErrors, own.total >= CanaryPlan.fewest, Double(own.errors) > most * Double(own.total) {
      return "errors: canary \(Canary.percent(own.errors, own.total)), and at most \(Canary.percent(most)) are allowed"
    }
    return nil
  }

  private mutating func advanceIfThereIsRoom(_ block: CanaryBlock, at now: Int64, into effects: inout [Effect]) {
    if step + 1 < plan.steps.count, let reason = shortage(block, at: plan.steps[step + 1]) {
      if waiting == nil { effects.append(.note("waits: \(reason)")) }
      waiting = reason
      return
    }
    advance(at: now, into: &effects)
  }

  /// Why the canary's backends could not carry this share of the load; nil: they can.
  private func shortage(_ block: CanaryBlock, at share: Int) -> String? {
    switch Need(capacity: plan.capacity, rate: plan.rate, of: block.load, share: share) {
    case nil: return nil
    case .unknown: return "the pool's requests a second are being counted"
    case .backends(let needed, let load):
      guard needed > block.carrying else { return nil }
      return "\(share)% of \(load) need \(needed) backends of version \(plan.version), and \(block.carrying) are up"
    }
  }

  private mutating func advance(at now: Int64, into effects: inout [Effect]) {
    waiting = nil
    history[history.count - 1].until = now
    guard step + 1 < plan.steps.count else {
      phase = .completed
      effects.append(.share(share))
      effects.append(.note("completed: version \(plan.version) has \(share)% of the clients"))
      return
    }
    step += 1
    history.append(CanaryStep(share: plan.steps[step], since: now))
    effects.append(.share(share))
  }

  private mutating func rollBack(_ why: String, at now: Int64, into effects: inout [Effect]) {
    waiting = nil
    history[history.count - 1].until = now
    phase = .rolledBack(why)
    effects.append(.share(0))
    effects.append(.note("rolled back: \(why)"))
  }

  private func evidence(_ what: String, _ test: SequentialTest, _ alpha: Double) -> String {
    func percent(_ count: SequentialTest.Count) -> String { Canary.percent(count.hits, count.total) }
    return "\(what): canary \(percent(test.canary)), control \(percent(test.control)), "
      + "with at most \(alpha) chance of a false alarm"
  }

  private static func percent(_ hits: UInt64, _ total: UInt64) -> String {
    "\(percent(total == 0 ? 0 : Double(hits) / Double(total))) of \(total)"
  }

  private static func percent(_ share: Double) -> String {
    let tenths = Int((share * 1_000).rounded())
    return "\(tenths / 10).\(tenths % 10)%"
  }
}

extension Canary {
  /// After a restart: what happened meanwhile was not seen, so that the step's time begins anew. Its answers stay.
  package mutating func recover(at now: Int64) {
    guard !phase.isOver else { return }
    history[history.count - 1].since = now
  }

  /// Takes no further step until somebody says so; a worse version is taken back all the same.
  package mutating func pause(_ reason: String) {
    guard !phase.isOver else { return }
    phase = .paused(reason)
  }
}
