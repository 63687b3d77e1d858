package import Model

/// One backend's verdict, from its probe, its agent and its traffic.
///
///     down ──(first success, then `rise` in a row)──► warming ──(slow start over)──► up
///      ▲  ▲                                              │ ▲                          │
///      │  └───────────(`fall` failures, agent)───────────┴─┼──────────────────────────┤
///      │                                          (time over)                         │
///      └───────────(`fall` failures, agent)────────── ejected ◄──(traffic fails)──────┘
///
/// Down wins over ejected. Without slow start, warming is skipped.
package struct BackendHealth: Sendable {
  package enum Event: Hashable, Sendable {
    case probe(ProbeOutcome)
    /// A worker saw `OutlierPolicy.consecutiveFailures`; the reason is the last one's.
    case trip(failures: Int, reason: String)
    case agent(AgentReport)
    /// Back from maintenance: what was known is old.
    case resume
    /// A timer may be due.
    case tick
  }

  package enum Effect: Hashable, Sendable {
    case changed(from: Verdict, to: Verdict)
    /// Still the same state, for another reason.
    case restated(Verdict)
    /// A warm-up step is due: weights are to be planned anew.
    case warmed
    case agent(AgentStanding)
  }

  package struct Settings: Hashable, Sendable {
    package var probe: Probe?
    package var outlier: OutlierPolicy?
    package var slowStart = Duration.zero

    package init() {}
    package init(_ pool: Pool) {
      probe = pool.probe
      outlier = pool.outlier
      slowStart = pool.slowStart
    }
  }

  /// Weights grow in this many steps while warming.
  package static let warmUpSteps: Int64 = 20

  package private(set) var verdict: Verdict
  package private(set) var agent = AgentStanding()
  package private(set) var settings: Settings
  private var tally: ProbeTally
  private var ejection = Ejection()
  /// Whether the next rise warms up: not the first one of a node that starts.
  private var warmsUp: Bool
  private var lastStep: Instant?

  /// - Parameter cold: the backend joins a pool that is already serving; at a node's start all are equally cold.
  package init(_ settings: Settings, cold: Bool, at now: Instant) {
    self.settings = settings
    tally = ProbeTally(settings.probe)
    warmsUp = cold
    verdict = Verdict(.down, reason: tally.reason, since: now)
    if tally.isUp {
      let warming = cold && settings.slowStart > .zero
      verdict = Verdict(warming ? .warming : .up, reason: tally.reason, since: now)
      warmsUp = true
    }
  }

  /// - Parameter memory: what an earlier process of this node knew of it.
  package init(_ settings: Settings, recalling memory: Memory, at now: Instant) {
    self.settings = settings
    tally = ProbeTally(settings.probe, recalling: memory)
    agent = memory.agent
    if settings.outlier != nil { ejection = memory.ejection }
    warmsUp = memory.warmsUp
    verdict = memory.verdict
    // What the memory rests on may be configured otherwise by now.
    var ignored: [Effect] = []
    ejection.end(at: now)
    settle(at: now, into: &ignored)
  }

  package var memory: Memory {
    Memory(
      verdict: verdict, isUp: tally.isUp, isProven: tally.isProven, reason: tally.reason, ejection: ejection,
      agent: agent, warmsUp: warmsUp)
  }

  /// Whether the next probe should come after the `fast` interval.
  package var isChanging: Bool { tally.isChanging }
  package var isEjected: Bool { verdict.state == .ejected }
  /// Ejections so far, earlier processes' too.
  package var ejections: UInt64 { ejection.count }

  /// When `tick` has something to do.
  package var nextTimer: Instant? {
    let step = verdict.state == .warming ? nextStep : nil
    guard let until = ejection.until else { return step }
    return step.map { min($0, until) } ?? until
  }

  private var nextStep: Instant {
    let end = verdict.since + settings.slowStart
    let step = max(settings.slowStart.nanoseconds / BackendHealth.warmUpSteps, 100_000_000)
    return min(end, (lastStep ?? verdict.since) + .nanoseconds(step))
  }

  package mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
    switch event {
    case .probe(let outcome):
      guard let probe = settings.probe else { return }
      // Whoever was not there when the node started is cold when it comes.
      if outcome != .success { warmsUp = true }
      tally.count(outcome, probe)
    case .trip(let failures, let reason):
      // Whoever takes no traffic trips over requests of before.
      guard let outlier = settings.outlier, verdict.takesTraffic else { return }
      ejection.begin("\(failures) consecutive failures: \(reason)", outlier, at: now)
    case .agent(let report):
      let before = agent
      agent.apply(report)
      if agent != before { effects.append(.agent(agent)) }
    case .resume:
      tally = ProbeTally(settings.probe)
      ejection.end(at: now, unconditionally: true)
      verdict = Verdict(.down, reason: "back from maintenance", since: now)
      warmsUp = true
    case .tick:
      ejection.end(at: now)
      if verdict.state == .warming, nextStep <= now {
        lastStep = now
        effects.append(.warmed)
      }
    }
    settle(at: now, into: &effects)
  }

  /// A reload: the verdict stays, unless what it rests on is gone.
  package mutating func reconfigure(_ new: Settings, at now: Instant, into effects: inout [Effect]) {
    tally.reconfigure(from: settings.probe, to: new.probe)
    settings = new
    if new.outlier == nil { ejection.end(at: now, unconditionally: true) }
    settle(at: now, into: &effects)
  }

  /// The pool has no agent any more: what it said no longer holds.
  package mutating func forgetAgent(at now: Instant, into effects: inout [Effect]) {
    guard agent != AgentStanding() else { return }
    agent = AgentStanding()
    effects.append(.agent(agent))
    settle(at: now, into: &effects)
  }

  /// Makes the verdict what the parts amount to.
  private mutating func settle(at now: Instant, into effects: inout [Effect]) {
    let (state, reason) = conclusion(at: now)
    if state == verdict.state {
      guard reason != verdict.reason else { return }
      verdict.reason = reason
      effects.append(.restated(verdict))
    } else {
      let old = verdict
      verdict = Verdict(state, reason: reason, since: now)
      lastStep = nil
      if verdict.takesTraffic { warmsUp = true }
      effects.append(.changed(from: old, to: verdict))
    }
  }

  private func conclusion(at now: Instant) -> (Verdict.State, String) {
    if !tally.isUp { return (.down, tally.reason) }
    if let down = agent.down { return (.down, down) }
    if ejection.isActive { return (.ejected, ejection.reason) }
    switch verdict.state {
    case .up: return (.up, tally.reason)
    case .warming:
      return (now < verdict.since + settings.slowStart ? .warming : .up, tally.reason)
    case .down, .ejected:
      return (warmsUp && settings.slowStart > .zero ? .warming : .up, tally.reason)
    }
  }
}
