import Model
import Rollouts
import Testing
import Wire

@Suite struct CanaryTests {
  /// One rollout under 2,000 answers per look, one look a second.
  private func live(_ seed: UInt64, canaryErrors: Double, slower: Double, plan: CanaryPlan) -> (
    Canary, canaryAnswers: Int
  ) {
    var random = Random(seed: seed)
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    var (time, answers) = (Int64(0), 0)
    while !canary.phase.isOver, time < 3_600_000 {
      time += 1_000
      // Alternating rounding, as the shares of a real balancer.
      let mine = max(1, 2_000 * canary.share / 100)
      answers += mine
      let block = CanaryBlock(
        canary: side(mine, canaryErrors, slower, &random), control: side(2_000 - mine, 0.001, 1, &random))
      canary.handle(.looked(block), at: time, into: &effects)
    }
    return (canary, answers)
  }

  /// Latencies are exponential with a mean of 16 buckets' unit; buckets double.
  private func side(_ total: Int, _ errors: Double, _ slower: Double, _ random: inout Random) -> CanaryBlock.Side {
    var latencies = [UInt64](repeating: 0, count: 104)
    for _ in 0..<total {
      // A sum of uniforms is enough of a bell for a latency; 25 buckets wide.
      let value = (random.unit() + random.unit() + random.unit()) * 10 * slower + 46
      latencies[min(103, Int(value))] += 1
    }
    return CanaryBlock.Side(total: UInt64(total), errors: draw(total, errors, &random).hits, latencies: latencies)
  }

  private var quick: CanaryPlan {
    var plan = CanaryPlan()
    plan.hold = .seconds(5)
    plan.samples = 50
    plan.falsePositives = 0.02
    return plan
  }

  @Test func anIdenticalVersionTakesOver() {
    var aborted = 0
    for seed in 0..<200 as Range<UInt64> {
      let (canary, _) = live(seed, canaryErrors: 0.001, slower: 1, plan: quick)
      #expect(canary.phase.isOver)
      if canary.phase != .completed { aborted += 1 }
    }
    // Stated: at most 2%, that is 4 of 200.
    #expect(aborted <= 4, "\(aborted) of 200 identical versions were stopped")
  }

  @Test(arguments: [(0.05, 1.0), (0.001, 1.3)])
  func aBadVersionIsStoppedAndTheEvidenceNamed(errors: Double, slower: Double) {
    for seed in 0..<40 as Range<UInt64> {
      let (canary, answers) = live(seed, canaryErrors: errors, slower: slower, plan: quick)
      guard case .rolledBack(let evidence) = canary.phase else {
        Issue.record("seed \(seed) ended as \(canary.phase)")
        continue
      }
      #expect(evidence.contains(slower > 1 ? "slow answers" : "errors"))
      #expect(canary.share == 0)
      #expect(answers < 1_500, "\(answers) answers of the canary before it was stopped")
    }
  }

  @Test func copiesComeBeforeClientsAndEndWithTheStep() {
    var plan = quick
    plan.steps = [0, 10, 100]
    plan.mirrored = 2_500
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    #expect((canary.share, canary.mirrored) == (0, 2_500))
    var random = Random(seed: 1)
    func look(_ second: Int64, errors: Double = 0.001) {
      let block = CanaryBlock(canary: side(500, errors, 1, &random), control: side(2_000, 0.001, 1, &random))
      canary.handle(.looked(block), at: second * 1_000, into: &effects)
    }
    var bad = canary
    for second in 1...6 as ClosedRange<Int64> { look(second) }
    #expect((canary.share, canary.mirrored) == (10, nil))
    swap(&canary, &bad)
    for second in 1...4 as ClosedRange<Int64> { look(second, errors: 0.1) }
    guard case .rolledBack = canary.phase else {
      Issue.record("it ended as \(canary.phase)")
      return
    }
    #expect((canary.share, canary.mirrored) == (0, nil))
    #expect(canary.history.map(\.share) == [0])
  }

  /// However many answers a look has: it takes several to be sure, and then no client has met a bad version.
  @Test func theStepOfCopiesLastsUntilTheyWereComparedOftenEnough() {
    var plan = quick
    (plan.hold, plan.samples, plan.steps, plan.mirrored) = (.zero, 1, [0, 10, 100], 10_000)
    for seed in 0..<40 as Range<UInt64> {
      var random = Random(seed: seed)
      for errors in [0.001, 0.2] {
        var effects: [Canary.Effect] = []
        var canary = Canary(plan, at: 0, into: &effects)
        var looks = 0
        while canary.share == 0, !canary.phase.isOver {
          looks += 1
          let block = CanaryBlock(canary: side(200, errors, 1, &random), control: side(400, 0.001, 1, &random))
          canary.handle(.looked(block), at: Int64(looks) * 500, into: &effects)
          if looks == 1 {
            let lack = "the answers to its copies were compared only 1 of \(CanaryPlan.fewestLooks) times"
            #expect(canary.waiting(at: 500) == lack)
          }
        }
        if errors > 0.1 {
          guard case .rolledBack = canary.phase else { return #expect(Bool(false), "seed \(seed): \(canary.phase)") }
        } else {
          #expect((canary.share, looks) == (10, CanaryPlan.fewestLooks))
        }
      }
    }
  }

  @Test func looksWithoutAnswersToCopiesAreNoComparison() {
    var plan = quick
    (plan.hold, plan.samples, plan.steps, plan.mirrored) = (.zero, 1, [0, 100], 100)
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    _ = looks(&canary, 20) { $0.canary = .init() }
    #expect(canary.share == 0 && canary.waiting(at: 20_000) == "only 0 of 1 answers")
    _ = looks(&canary, 5, from: 21) { _ in }
    #expect(canary.share == 0)
    _ = looks(&canary, 1, from: 26) { _ in }
    #expect(canary.share == 100)
  }

  @Test func aStepThatGoesOnHasItsTimeAnew() {
    var effects: [Canary.Effect] = []
    var canary = Canary(CanaryPlan(), at: 0, into: &effects)
    func look(_ time: Int64, _ answers: UInt64) {
      let block = CanaryBlock(canary: .init(total: answers), control: .init(total: 9))
      canary.handle(.looked(block), at: time, into: &effects)
    }
    look(3_600_000, 0)
    #expect(canary.phase == .paused("only 0 of 500 answers in 3600 s"))
    canary.handle(.order(.resume), at: 7_200_000, into: &effects)
    look(7_200_500, 400)
    #expect(canary.phase == .running && canary.step == 0)
    look(7_260_000, 100)
    #expect(canary.step == 1)
  }

  @Test func stepsAreHeldAndWantSamples() {
    var plan = CanaryPlan()
    plan.steps = [10, 100]
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    #expect(effects == [.share(10)])
    let block = CanaryBlock(
      canary: .init(total: 100, errors: 0, latencies: []), control: .init(total: 900, errors: 0, latencies: []))
    for second in 1..<60 as Range<Int64> { canary.handle(.looked(block), at: second * 1_000, into: &effects) }
    #expect(canary.step == 0)
    canary.handle(.looked(block), at: 60_000, into: &effects)
    #expect(canary.step == 1 && effects.contains(.share(100)))
  }

  @Test func tooFewAnswersPauseIt() {
    var effects: [Canary.Effect] = []
    var canary = Canary(CanaryPlan(), at: 0, into: &effects)
    let block = CanaryBlock(
      canary: .init(total: 0, errors: 0, latencies: []), control: .init(total: 9, errors: 0, latencies: []))
    canary.handle(.looked(block), at: 3_600_000, into: &effects)
    guard case .paused = canary.phase else { return #expect(Bool(false), "\(canary.phase)") }
    canary.handle(.order(.rollback), at: 3_600_001, into: &effects)
    #expect(effects.last == .note("rolled back: by order"))
    #expect(canary.share == 0)
  }

  @Test func aPausedCanaryIsStillStopped() {
    var effects: [Canary.Effect] = []
    var canary = Canary(CanaryPlan(), at: 0, into: &effects)
    canary.handle(.order(.pause), at: 0, into: &effects)
    for second in 1...20 as ClosedRange<Int64> {
      let block = CanaryBlock(
        canary: .init(total: 20, errors: 10, latencies: []), control: .init(total: 900, errors: 0, latencies: []))
      canary.handle(.looked(block), at: second * 1_000, into: &effects)
    }
    guard case .rolledBack = canary.phase else { return #expect(Bool(false), "\(canary.phase)") }
  }

  private func looks(_ canary: inout Canary, _ count: Int, from: Int64 = 1, _ edit: (inout CanaryBlock) -> Void)
    -> [Canary.Effect]
  {
    var effects: [Canary.Effect] = []
    for second in from..<from + Int64(count) {
      var block = CanaryBlock(
        canary: .init(total: 100, errors: 0, latencies: []), control: .init(total: 900, errors: 0, latencies: []))
      edit(&block)
      canary.handle(.looked(block), at: second * 1_000, into: &effects)
    }
    return effects
  }

  @Test func aVersionThatIsGoneIsLeftAtOnce() {
    var effects: [Canary.Effect] = []
    var canary = Canary(CanaryPlan(), at: 0, into: &effects)
    #expect(looks(&canary, 1) { $0.carrying = 0 }.contains(.share(0)))
  }

  @Test func aSwitchHasNothingToCompareWithButItsOwnLimit() {
    var plan = CanaryPlan()
    (plan.steps, plan.mostErrors) = ([100], 0.02)
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    // Too few to say.
    _ = looks(&canary, 1) { ($0.canary, $0.control) = (.init(total: 40, errors: 9), .init()) }
    #expect(canary.phase == .running)
    _ = looks(&canary, 1, from: 2) { ($0.canary, $0.control) = (.init(total: 40, errors: 0), .init()) }
    #expect(canary.phase == .rolledBack("errors: canary 11.3% of 80, and at most 2.0% are allowed"))
  }

  @Test func aStepThatCannotBeCarriedWaitsUntilItCan() {
    var plan = CanaryPlan()
    (plan.steps, plan.hold, plan.samples, plan.capacity) = ([10, 50, 100], .seconds(1), 10, 10)
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    let waits = looks(&canary, 3) { ($0.load.inFlight, $0.carrying) = (61, 3) }
    let reason = "50% of 61 requests in flight need 4 backends of version , and 3 are up"
    #expect(canary.waiting == reason && canary.step == 0)
    #expect(waits == [.note("waits: \(reason)")])
    _ = looks(&canary, 1, from: 4) { ($0.load.inFlight, $0.carrying) = (60, 3) }
    #expect(canary.waiting == nil && canary.step == 1)
  }

  @Test func theEvidenceOfEachStepIsKeptAndACompletedOneCanBeTakenBack() {
    var plan = CanaryPlan()
    (plan.steps, plan.hold, plan.samples) = ([10, 100], .seconds(2), 100)
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 0, into: &effects)
    _ = looks(&canary, 4) { $0.canary.latencies = [100, 0] }
    #expect(canary.phase == .completed && canary.share == 100)
    #expect(canary.history.map(\.share) == [10, 100])
    #expect(canary.history.map(\.canary.total) == [200, 200])
    #expect(canary.history.map(\.canary.latencies) == [[200, 0], [200, 0]])
    #expect(canary.history.map(\.until) == [2_000, 4_000])
    canary.handle(.order(.pause), at: 5_000, into: &effects)
    #expect(canary.phase == .completed)
    canary.handle(.order(.rollback), at: 5_000, into: &effects)
    #expect(canary.phase == .rolledBack("by order") && canary.share == 0)
  }
}
