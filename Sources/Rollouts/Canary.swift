internal import Model

/// A canary's way through its steps, judged at every look by two sequential tests: errors, and slow answers.
///
/// "Slow" is a latency bucket above the control's 90th percentile, taken from blocks before the one it is used on, so
/// that each test stays exact. At the last step there is no control left to compare with: it is held and then done.
package struct Canary: Codable, Hashable, Sendable {
  package enum Phase: Codable, Hashable, Sendable {
    case running
    case paused(String)
    case completed
    /// All traffic is back with the old version; the evidence in words.
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
    /// Pause, resume, rollback; `next` ends the step's hold.
    case order(RolloutEvent.Order)
  }

  package enum Effect: Hashable, Sendable {
    /// The canary's share of all traffic, in hundredths.
    case share(Int)
    case note(String)
  }

  package let plan: CanaryPlan
  package private(set) var phase = Phase.running
  /// An index of `plan.steps`.
  package private(set) var step = 0
  package private(set) var since: Int64
  /// Of the canary, on this step.
  package private(set) var samples: UInt64 = 0
  package private(set) var errors: SequentialTest
  package private(set) var slowness: SequentialTest
  /// The control's latencies so far, for the bound of what is slow.
  private var latencies: [UInt64] = []

  package init(_ plan: CanaryPlan, at now: Int64, into effects: inout [Effect]) {
    self.plan = plan
    since = now
    // Two tests share the risk.
    errors = SequentialTest(alpha: plan.falsePositives / 2)
    slowness = SequentialTest(alpha: plan.falsePositives / 2)
    effects.append(.share(share))
  }

  /// In hundredths.
  package var share: Int { phase == .running || isPaused ? plan.steps[step] : phase == .completed ? 100 : 0 }

  private var isPaused: Bool { if case .paused = phase { true } else { false } }

  package mutating func handle(_ event: Event, at now: Int64, into effects: inout [Effect]) {
    guard !phase.isOver else { return }
    switch event {
    case .order(.pause): phase = .paused("by order")
    case .order(.resume): phase = .running
    case .order(.next): advance(at: now, into: &effects)
    case .order(.abort), .order(.rollback): rollBack("by order", into: &effects)
    case .looked(let block): look(block, at: now, into: &effects)
    }
  }

  private mutating func look(_ block: CanaryBlock, at now: Int64, into effects: inout [Effect]) {
    samples += block.canary.total
    errors.observe(
      canary: .init(hits: block.canary.errors, total: block.canary.total),
      control: .init(hits: block.control.errors, total: block.control.total))
    if let bound = slowBound {
      slowness.observe(canary: Canary.slow(block.canary, bound), control: Canary.slow(block.control, bound))
    }
    if latencies.isEmpty {
      latencies = block.control.latencies
    } else {
      for index in latencies.indices where index < block.control.latencies.count {
        latencies[index] += block.control.latencies[index]
      }
    }
    // Also while paused: a bad canary must not stay where it is.
    if errors.isWorse { return rollBack(evidence("errors", errors), into: &effects) }
    if slowness.isWorse { return rollBack(evidence("slow answers", slowness), into: &effects) }
    guard phase == .running, now - since >= plan.hold.milliseconds else { return }
    if samples >= plan.samples { return advance(at: now, into: &effects) }
    if now - since >= plan.patience.milliseconds {
      phase = .paused("only \(samples) of \(plan.samples) answers in \(plan.patience)")
      effects.append(.note("paused: too few answers to judge by"))
    }
  }

  private mutating func advance(at now: Int64, into effects: inout [Effect]) {
    guard step + 1 < plan.steps.count else {
      phase = .completed
      effects.append(.share(100))
      effects.append(.note("completed"))
      return
    }
    step += 1
    since = now
    samples = 0
    effects.append(.share(share))
    effects.append(.note("\(share)% of the traffic"))
  }

  private mutating func rollBack(_ why: String, into effects: inout [Effect]) {
    phase = .rolledBack(why)
    effects.append(.share(0))
    effects.append(.note("rolled back: \(why)"))
  }

  /// The first bucket above the control's 90th percentile; nil before there are a hundred answers.
  private var slowBound: Int? {
    let total = latencies.reduce(0, +)
    guard total >= 100 else { return nil }
    var seen: UInt64 = 0
    for (index, count) in latencies.enumerated() {
      seen += count
      if seen * 10 >= total * 9 { return index + 1 }
    }
    return nil
  }

  private static func slow(_ side: CanaryBlock.Side, _ bound: Int) -> SequentialTest.Count {
    .init(hits: side.latencies.dropFirst(bound).reduce(0, +), total: side.latencies.reduce(0, +))
  }

  private func evidence(_ what: String, _ test: SequentialTest) -> String {
    func percent(_ count: SequentialTest.Count) -> String {
      let tenths = Int((count.share * 1_000).rounded())
      return "\(tenths / 10).\(tenths % 10)% of \(count.total)"
    }
    return "\(what): canary \(percent(test.canary)), control \(percent(test.control)), "
      + "with at most \(test.alpha) chance of a false alarm"
  }
}
