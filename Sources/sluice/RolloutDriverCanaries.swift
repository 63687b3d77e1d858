internal import Admin
internal import Foundation
internal import Model
internal import Node
internal import Rollouts
internal import Telemetry

/// Canaries: their looks at counters, and the divisions that they ask for.
extension RolloutDriver {
  func start(_ plan: CanaryPlan) async throws(AdminError) {
    try refuseWhileHeld()
    try refuseSecond(plan.pool)
    var effects: [Canary.Effect] = []
    let canary = Canary(plan, at: node.ports.wallClock(), into: &effects)
    let before = await node.snapshot().splits[plan.pool]
    // First of all, so that a refusal leaves nothing behind; by itself a division does not outlive the process.
    do {
      try await node.apply(.split(pool: plan.pool, canary.split))
    } catch {
      throw AdminError(error)
    }
    if let reason = await keep(canary, plan.pool) {
      try? await node.apply(.split(pool: plan.pool, before))
      throw RolloutDriver.notKept(reason)
    }
    runs[plan.pool] = nil
    canaries[plan.pool] = CanaryRun(canary)
    // Its division of the clients is told already.
    await node.note(.rollout, "\(plan.pool): canary of version \(plan.version) begun")
    keepLooking()
  }

  func order(_ order: RolloutEvent.Order, canary pool: String) async throws(AdminError) {
    guard let canary = canaries[pool]?.canary,
      !canary.phase.isOver || (canary.phase == .completed && order == .rollback)
    else {
      throw AdminError(.conflict, "the canary of \(pool) is over", hint: "`sluice rollout canary` begins another")
    }
    let event = await node.note(.rollout, "\(pool): order: \(order.rawValue)")
    await handle(.order(order), canary: pool, because: event)
  }

  func look(at snapshot: NodeSnapshot, canary pool: String) async {
    let now = node.ports.wallClock()
    guard let block = canaries[pool]?.look(snapshot, at: now), let canary = canaries[pool]?.canary else { return }
    // A reload may have undone it, or a node that was restarted not know it yet.
    if snapshot.splits[pool] != canary.split { await divide(pool, canary) }
    await handle(.looked(block), canary: pool)
  }

  private func handle(_ event: Canary.Event, canary pool: String, because cause: UInt64? = nil) async {
    await inTurn { await $0.take(event, canary: pool, because: cause) }
  }

  private func take(_ event: Canary.Event, canary pool: String, because cause: UInt64?) async {
    guard let before = canaries[pool]?.canary else { return }
    if isHeld, case .looked = event { return }
    let now = node.ports.wallClock()
    var next = before
    var effects: [Canary.Effect] = []
    next.handle(event, at: now, into: &effects)
    // Counts alone may be a few seconds old after a crash: which ones are missing does not depend on what is in them.
    let isNews = next.phase != before.phase || next.share != before.share || next.waiting != before.waiting
    if isNews || canaries[pool]?.isKept(at: now) == false {
      let loss = await keep(next, pool)
      canaries[pool]?.keptAt = now
      if let loss, next.share > before.share {
        let reason = RolloutDriver.lost(loss)
        // Not further; what was seen counts, and may still take it back.
        next = before
        next.pause(reason)
        effects = before.phase == next.phase ? [] : [.note("paused: \(reason)")]
        next.handle(event, at: now, into: &effects)
        if next.share > before.share { (next, effects) = (before, []) }
      }
    }
    canaries[pool]?.canary = next
    var cause = cause
    if case .rolledBack = next.phase, cause == nil { cause = await node.fall(of: next.plan.version, in: pool) }
    // What is decided is told before what is done for it.
    for case .note(let text) in effects { cause = await node.note(.rollout, "\(pool): \(text)", because: cause) }
    for case .share in effects { await divide(pool, next, because: cause) }
  }

  private func keep(_ canary: Canary, _ pool: String) async -> String? {
    let serve = await node.topology.pools.first { $0.name == pool }?.versions.serve
    return await keep(KeptRollout(canary, serve: serve), pool)
  }

  func divide(_ pool: String, _ canary: Canary, because cause: UInt64? = nil) async {
    do {
      try await node.apply(.split(pool: pool, canary.split), because: cause)
    } catch {
      await node.note(.rollout, "\(pool): its clients cannot be divided: \(error)")
    }
  }
}

extension Canary {
  var split: VersionSplit {
    var split = VersionSplit(plan.version, share: share * VersionSplit.whole / 100)
    split.mirrored = mirrored
    return split
  }
}

extension RolloutReport {
  init(_ canary: Canary, now: Int64) {
    let (phase, reason): (String, String?) =
      switch canary.phase {
      case .running: ("running", nil)
      case .paused(let why): ("paused", why)
      case .completed: ("completed", nil)
      case .rolledBack(let why): ("rolled back", why)
      }
    self.init(
      pool: canary.plan.pool, phase: phase, reason: reason, direction: phase == "rolled back" ? "back" : "forward",
      waiting: canary.waiting(at: now), backends: [])
    self.canary = CanaryReport(
      version: canary.plan.version, share: canary.share, plan: canary.plan.steps, samples: canary.plan.samples,
      falseAlarms: canary.plan.falsePositives,
      steps: canary.history.map { .init($0, now: now) },
      tests: [.init("errors", canary.errors), .init("slow answers", canary.slowness.leading)])
  }
}

extension CanaryReport.Step {
  fileprivate init(_ step: CanaryStep, now: Int64) {
    let date = Date(timeIntervalSince1970: Double(step.since) / 1_000)
    self.init(
      share: step.share, since: date.formatted(Date.ISO8601FormatStyle()),
      seconds: Double((step.until ?? now) - step.since) / 1_000, canary: .init(step.canary),
      control: .init(step.control))
  }
}

extension CanaryReport.Side {
  fileprivate init(_ side: CanaryBlock.Side) {
    let times = LatencyHistogram(counts: side.latencies, sum: 0)
    func seconds(_ share: Double) -> Double? { times.quantile(share).map { $0.rounded() / 1e6 } }
    self.init(answers: side.total, errors: side.errors, p50: seconds(0.5), p99: seconds(0.99))
  }
}

extension CanaryReport.Test {
  fileprivate init(_ name: String, _ test: SequentialTest) {
    self.init(
      name: name, canary: .init(answers: test.canary.total, errors: test.canary.hits),
      control: .init(answers: test.control.total, errors: test.control.hits),
      evidence: test.isWorse ? 1 : min(max(test.logEvidence / SequentialTest.log(1 / test.alpha), 0), 1))
  }
}
