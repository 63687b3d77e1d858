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
    var latencies = [UInt64](repeating: 0, count: 64)
    for _ in 0..<total {
      // A sum of uniforms is enough of a bell for a latency; 25 buckets wide.
      let value = (random.unit() + random.unit() + random.unit()) * 10 * slower + 10
      latencies[min(63, Int(value))] += 1
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
}
