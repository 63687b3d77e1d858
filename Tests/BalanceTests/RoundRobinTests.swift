import Balance
import Model
import Testing
import Wire

@Suite struct RoundRobinTests {
  func sequence(_ weights: [UInt32], _ count: Int, tried: TriedSet = TriedSet()) -> String {
    let table = PickTable(policy: .roundRobin, candidates: candidates(weights))
    var roundRobin = RoundRobin(table)
    let loads = ArrayLoads(counts: Array(repeating: 0, count: weights.count))
    var result = ""
    for _ in 0..<count {
      guard let index = roundRobin.pick(table, tried: tried, loads: loads) else { return result }
      result.unicodeScalars.append(Unicode.Scalar(UInt8(97 + index)))
    }
    return result
  }

  @Test(
    arguments: [
      ([5, 1, 1], "aabacaaaabacaa"),
      ([1, 1, 1], "abcabc"),
      ([4, 2, 1], "abacabaabacaba"),
      ([0, 3, 0, 1], "bbdbbbdb"),
      ([7], "aaa"),
      ([], ""),
    ] as [([UInt32], String)])
  func sequenceIsSmooth(weights: [UInt32], expected: String) {
    #expect(sequence(weights, expected.count) == expected)
  }

  @Test func withoutATriedBackendTheSequenceIsTheOthers() {
    var tried = TriedSet()
    tried.insert(0)
    #expect(sequence([5, 2, 1], 9, tried: tried) == sequence([0, 2, 1], 9))
  }

  @Test func everyPeriodGivesEveryBackendItsExactShare() {
    var random = Random(seed: 21)
    for _ in 0..<50 {
      // Up to 16 backends are scanned; more are grouped by weight.
      let weights = (0..<(2 + Int(random.below(40)))).map { _ in 1 + random.below(4) }
      let sum = Int(weights.reduce(0, +))
      let table = PickTable(policy: .roundRobin, candidates: candidates(weights))
      var roundRobin = RoundRobin(table)
      let loads = ArrayLoads(counts: Array(repeating: 0, count: weights.count))
      var counts = Array(repeating: 0, count: weights.count)
      for _ in 0..<sum {
        if let index = roundRobin.pick(table, tried: TriedSet(), loads: loads) { counts[index] += 1 }
      }
      #expect(counts == weights.map(Int.init))
    }
  }

  @Test func largePoolsKeepGapsEven() {
    // 300 backends, three weights: a backend's longest wait is near its mean wait.
    let weights = (0..<300).map { UInt32([1, 2, 4][$0 % 3]) }
    let table = PickTable(policy: .roundRobin, candidates: candidates(weights))
    var roundRobin = RoundRobin(table)
    let loads = ArrayLoads(counts: Array(repeating: 0, count: 300))
    var last = Array(repeating: 0, count: 300)
    for turn in 1...2800 {
      guard let index = roundRobin.pick(table, tried: TriedSet(), loads: loads) else { break }
      if last[index] > 0 { #expect(turn - last[index] <= 700 / Int(weights[index]) + 3) }
      last[index] = turn
    }
    #expect(last.allSatisfy { $0 > 0 })
  }

  @Test func workersStartAtDifferentPlaces() {
    var starts: Set<Int> = []
    var random = Random(seed: 1)
    for seed in 0..<64 as Range<UInt64> {
      var picker = Picker(policy: .roundRobin, candidates: candidates([9, 9, 9, 9]), seed: seed)
      let loads = ArrayLoads(counts: [0, 0, 0, 0])
      if let index = picker.pick(PickRequest(), loads: loads, random: &random, now: epoch) { starts.insert(index) }
    }
    #expect(starts == [0, 1, 2, 3])
  }

  @Test func aChangeOfThePoolKeepsThePlaceInTheSequence() {
    var random = Random(seed: 1)
    let loads = ArrayLoads(counts: Array(repeating: 0, count: 5))
    var picker = Picker(policy: .roundRobin, candidates: candidates([1, 1, 1, 1]), seed: 1)
    func next() -> Int? { picker.pick(PickRequest(), loads: loads, random: &random, now: epoch) }
    let first = next() ?? -1
    picker.update(candidates: candidates([1, 1, 1, 1, 1]))
    // The newcomer waits for its turn in the rotation.
    #expect(next() == (first + 1) % 4)
    // Health flaps: updates before every pick must not restart the rotation.
    var seen: Set<Int> = []
    for turn in 0..<5 {
      picker.update(candidates: candidates(turn % 2 == 0 ? [1, 1, 1, 1, 1] : [2, 2, 2, 2, 2]))
      seen.insert(next() ?? -1)
    }
    #expect(seen.count == 5)
  }

  @Test func sharesHoldThroughConstantUpdates() {
    var random = Random(seed: 4)
    var picker = Picker(policy: .roundRobin, candidates: candidates([50, 30, 20]), seed: 4)
    var counts = [0, 0, 0, 0]
    for turn in 0..<10_000 {
      if turn % 7 == 0 {
        picker.update(candidates: candidates(turn % 2 == 0 ? [50, 30, 20] : [50, 30, 20, 0]))
      }
      let loads = ArrayLoads(counts: [0, 0, 0, 0])
      if let index = picker.pick(PickRequest(), loads: loads, random: &random, now: epoch) { counts[index] += 1 }
    }
    #expect(abs(counts[0] - 5000) < 20 && abs(counts[1] - 3000) < 20 && abs(counts[2] - 2000) < 20, "\(counts)")
  }
}
