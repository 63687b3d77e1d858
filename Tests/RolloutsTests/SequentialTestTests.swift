import Model
import Rollouts
import Testing
import Wire

@Suite struct SequentialTestTests {
  @Test func theLogarithmIsOne() {
    for (value, expected) in [
      (1.0, 0.0), (2, 0.693_147_180_559_945_3), (10, 2.302_585_092_994_046), (0.01, -4.605_170_185_988_091),
    ] {
      #expect(abs(SequentialTest.log(value) - expected) <= 1e-14 * max(1, abs(expected)))
    }
    #expect(abs(SequentialTest.log(1e-300) + 690.775_527_898_213_7) < 1e-9)
  }

  @Test func withoutDataOrDifferenceThereIsNoEvidence() {
    var test = SequentialTest(alpha: 0.01)
    test.observe(canary: .init(hits: 0, total: 0), control: .init(hits: 5, total: 10))
    test.observe(canary: .init(hits: 3, total: 10), control: .init(hits: 0, total: 0))
    #expect(test.logEvidence == 0 && !test.isWorse)
  }

  @Test func aBetterCanaryIsNeverStopped() {
    var (test, random) = (SequentialTest(alpha: 0.01), Random(seed: 5))
    for _ in 0..<500 {
      test.observe(canary: draw(100, 0.01, &random), control: draw(900, 0.05, &random))
    }
    #expect(!test.isWorse)
  }

  /// 1,000 lives of 200 looks each at equal shares: with a usual test at 5% a look, most would be stopped.
  @Test(arguments: [0.0, 0.001, 0.01, 0.2])
  func falseAlarmsAreRarerThanStated(share: Double) {
    var random = Random(seed: 42)
    var alarms = 0
    for _ in 0..<1_000 {
      var test = SequentialTest(alpha: 0.05)
      for _ in 0..<200 where !test.isWorse {
        test.observe(canary: draw(20, share, &random), control: draw(180, share, &random))
      }
      if test.isWorse { alarms += 1 }
    }
    // 50 are stated; three deviations above would be 71.
    #expect(alarms <= 50, "\(alarms) of 1,000")
  }

  /// How many answers of the canary it takes to see the difference.
  @Test(
    arguments: [(0.0, 0.05, 600), (0.001, 0.01, 2_500), (0.01, 0.05, 1_200), (0.1, 0.2, 800)] as [(Double, Double, Int)]
  )
  func aWorseCanaryIsSeen(control: Double, canary: Double, within: Int) {
    var random = Random(seed: 7)
    var seen = 0
    for _ in 0..<100 {
      var test = SequentialTest(alpha: 0.01)
      var answers = 0
      while answers < within, !test.isWorse {
        test.observe(canary: draw(10, canary, &random), control: draw(90, control, &random))
        answers += 10
      }
      if test.isWorse { seen += 1 }
    }
    #expect(seen >= 90, "\(seen) of 100 within \(within) answers")
  }

  /// The table of `Docs/operations.md`: how many of 200 rollouts are stopped within so many answers of the canary, which
  /// has a tenth of all. The chance of a false alarm is stated as 1%.
  @Test func thePowerIsAsDocumented() {
    let samples = [100, 250, 500, 1_000, 2_500]
    let cases = [(0.01, 0.01), (0.01, 0.02), (0.01, 0.05), (0.001, 0.01), (0.0, 0.05), (0.1, 0.2)]
    var lines = ["others    canary  " + samples.map { "within \($0)" }.joined(separator: "  ")]
    for (row, (control, canary)) in cases.enumerated() {
      var random = Random(seed: 1_000 + UInt64(row))
      var stopped = [Int](repeating: 0, count: samples.count)
      for _ in 0..<200 {
        var test = SequentialTest(alpha: 0.01)
        var answers = 0
        while answers < samples[samples.count - 1], !test.isWorse {
          test.observe(canary: draw(10, canary, &random), control: draw(90, control, &random))
          answers += 10
        }
        guard test.isWorse else { continue }
        for (index, within) in samples.enumerated() where answers <= within { stopped[index] += 1 }
      }
      lines.append("\(control)  \(canary)  " + stopped.map { "\($0 / 2)%" }.joined(separator: "  "))
      #expect(zip(stopped, stopped.dropFirst()).allSatisfy(<=))
      if control == canary { #expect(stopped[samples.count - 1] <= 2, "false alarms: \(stopped)") }
      if canary >= 0.05 { #expect(stopped[samples.count - 1] >= 190, "\(control) and \(canary): \(stopped)") }
    }
    print(lines.joined(separator: "\n"))
  }
}

/// So many of `total` independent trials succeed.
func draw(_ total: Int, _ share: Double, _ random: inout Random) -> SequentialTest.Count {
  var hits: UInt64 = 0
  for _ in 0..<total where random.unit() < share { hits += 1 }
  return SequentialTest.Count(hits: hits, total: UInt64(total))
}

extension Random {
  /// Uniform in [0, 1).
  mutating func unit() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
}
