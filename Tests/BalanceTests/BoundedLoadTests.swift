import Balance
import Model
import Testing
import Wire

@Suite struct BoundedLoadTests {
  @Test(arguments: [1.0, 1.25, 2.0])
  func nobodyExceedsTheFactor(factor: Double) {
    var random = Random(seed: 31)
    let weights: [UInt32] = (0..<20).map { $0 < 10 ? 100 : 200 }
    var picker = Picker(policy: .boundedLoad(.source, factor: factor), candidates: candidates(weights), seed: 1)
    var loads = ArrayLoads(counts: Array(repeating: 0, count: 20))
    var live: [Int] = []
    for _ in 0..<20_000 {
      // Skewed keys: half of the requests have one of three hashes.
      let hash = random.below(2) == 0 ? UInt64(random.below(3)) : random.next()
      guard let index = picker.pick(PickRequest(hash: hash), loads: loads, random: &random, now: epoch) else {
        Issue.record("nobody")
        return
      }
      let room = factor * Double(live.count + 1) * Double(weights[index]) / 3000
      #expect(Double(loads.counts[index] + 1) <= room.rounded(.up))
      loads.counts[index] += 1
      live.append(index)
      if live.count > 400 {
        live.swapAt(Int(random.below(UInt32(live.count))), live.count - 1)
        loads.counts[live.removeLast()] -= 1
      }
    }
  }

  @Test func anIdlePoolIsPlainMaglev() {
    let pool = candidates(Array(repeating: 10, count: 30))
    var bounded = Picker(policy: .boundedLoad(.uri, factor: 1.25), candidates: pool, seed: 1)
    var plain = Picker(policy: .maglev(.uri), candidates: pool, seed: 1)
    var random = Random(seed: 2)
    let loads = ArrayLoads(counts: Array(repeating: 0, count: 30))
    for _ in 0..<2000 {
      let request = PickRequest(hash: random.next())
      let one = bounded.pick(request, loads: loads, random: &random, now: epoch)
      #expect(one == plain.pick(request, loads: loads, random: &random, now: epoch))
    }
  }

  @Test func largePoolsStayNearTheBound() {
    // Above 64 backends the sum of the loads lags by a few picks.
    var random = Random(seed: 5)
    let count = 500
    var picker = Picker(
      policy: .boundedLoad(.uri, factor: 1.5), candidates: candidates(Array(repeating: 1, count: count)), seed: 1)
    var loads = ArrayLoads(counts: Array(repeating: 0, count: count))
    for _ in 0..<10_000 {
      let hash = random.below(2) == 0 ? UInt64(random.below(5)) : random.next()
      if let index = picker.pick(PickRequest(hash: hash), loads: loads, random: &random, now: epoch) {
        loads.counts[index] += 1
      }
    }
    #expect((loads.counts.max() ?? 0) <= 31)
    #expect(loads.counts.reduce(0, +) == 10_000)
  }
}
