import Balance
import Model
import Testing
import Wire

@Suite struct PeakEWMATests {
  func counts(_ picker: inout Picker, _ loads: [Int], at now: Instant, picks: Int = 2000) -> [Int] {
    var random = Random(seed: 77)
    var result = Array(repeating: 0, count: loads.count)
    for _ in 0..<picks {
      let index = picker.pick(PickRequest(), loads: ArrayLoads(counts: loads), random: &random, now: now)
      if let index { result[index] += 1 }
    }
    return result
  }

  @Test func theFasterOfTwoWins() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1]), seed: 1)
    picker.observe(latency: 10_000_000, backend: 0, now: epoch)
    picker.observe(latency: 1_000_000, backend: 1, now: epoch)
    #expect(counts(&picker, [0, 0], at: epoch) == [0, 2000])
    // Twenty in flight outweigh a tenth of the latency.
    #expect(counts(&picker, [0, 20], at: epoch) == [2000, 0])
  }

  @Test func aPeakCountsAtOnceAndIsForgottenSlowly() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1]), seed: 1)
    for turn in 0..<100 {
      let now = epoch + .milliseconds(turn)
      picker.observe(latency: 1_000_000, backend: 0, now: now)
      picker.observe(latency: 1_000_000, backend: 1, now: now)
    }
    let peak = epoch + .milliseconds(100)
    picker.observe(latency: 50_000_000, backend: 0, now: peak)
    #expect(counts(&picker, [0, 0], at: peak)[0] == 0)
    picker.observe(latency: 1_000_000, backend: 0, now: peak + .milliseconds(10))
    #expect(counts(&picker, [0, 0], at: peak + .milliseconds(10))[0] == 0)
    for turn in 0..<60 {
      let now = peak + .seconds(turn)
      picker.observe(latency: 1_000_000, backend: 0, now: now)
      picker.observe(latency: 1_000_000, backend: 1, now: now)
    }
    #expect(counts(&picker, [0, 0], at: peak + .seconds(60))[0] > 500)
  }

  @Test func anAverageThatNothingRenewsDecaysSoThatTheBackendIsTriedAgain() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1]), seed: 1)
    picker.observe(latency: 100_000_000, backend: 0, now: epoch)
    for second in 0..<200 { picker.observe(latency: 10_000_000, backend: 1, now: epoch + .seconds(second)) }
    #expect(counts(&picker, [0, 0], at: epoch)[0] == 0)
    #expect(counts(&picker, [0, 0], at: epoch + .seconds(200))[0] > 0)
  }

  @Test func anUnknownBackendCountsAsAverage() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1, 1]), seed: 1)
    picker.observe(latency: 1_000_000, backend: 0, now: epoch)
    picker.observe(latency: 40_000_000, backend: 1, now: epoch)
    let result = counts(&picker, [0, 0, 0], at: epoch)
    #expect(result[2] > 300 && result[0] > result[2])
  }

  @Test func aQuickFailureDoesNotAttract() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1]), seed: 1)
    for turn in 0..<10 {
      picker.observe(latency: 5_000_000, backend: 0, now: epoch + .milliseconds(turn))
      picker.observe(latency: 50_000, backend: 1, failed: true, now: epoch + .milliseconds(turn))
    }
    #expect(counts(&picker, [0, 0], at: epoch + .milliseconds(10))[1] == 0)
  }

  @Test func aChangedPoolKeepsWhatIsKnown() {
    var picker = Picker(policy: .peakEWMA, candidates: candidates([1, 1]), seed: 1)
    picker.observe(latency: 10_000_000, backend: 0, now: epoch)
    picker.observe(latency: 1_000_000, backend: 1, now: epoch)
    // The order changes; slots are what stays.
    picker.update(candidates: [
      Candidate(slot: BackendSlot(1), weight: 1), Candidate(slot: BackendSlot(0), weight: 1),
    ])
    #expect(counts(&picker, [0, 0], at: epoch) == [2000, 0])
    picker.update(table: PickTable(policy: .p2c, candidates: candidates([1, 1])))
    picker.observe(latency: 1, backend: 0, now: epoch)
    #expect(counts(&picker, [0, 0], at: epoch).allSatisfy { $0 > 800 })
  }
}
