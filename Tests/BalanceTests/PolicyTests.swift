import Balance
import Model
import Testing
import Wire

@Suite struct PolicyTests {
  static let weightSets: [[UInt32]] = [
    [1, 1, 1], [5, 1, 1], [100, 50, 0, 25], [10, 20, 30, 40, 50, 0, 60], Array(repeating: 7, count: 40),
    (1...50).map { UInt32($0 * 3) },
  ]

  @Test(arguments: [
    BalancePolicy.roundRobin, .leastConnections, .random, .maglev(.source), .boundedLoad(.source, factor: 1.25),
  ])
  func idlePoolIsSharedByWeight(policy: BalancePolicy) {
    for (seed, weights) in PolicyTests.weightSets.enumerated() {
      let picks = 40_000
      let counts = shares(of: policy, weights: weights, picks: picks, seed: UInt64(seed))
      #expect(counts.reduce(0, +) == picks)
      // Five standard deviations above the mean of the chi-square distribution.
      let freedom = Double(weights.count { $0 > 0 } - 1)
      #expect(
        chiSquare(counts, weights) < freedom + 5 * (2 * freedom).squareRoot() + 5, "\(policy) \(weights) \(counts)")
    }
  }

  @Test(arguments: [BalancePolicy.p2c, .peakEWMA])
  func twoChoicesOnAnIdlePoolFollowTheFirstDraw(policy: BalancePolicy) {
    for (seed, weights) in PolicyTests.weightSets.enumerated() {
      let counts = shares(of: policy, weights: weights, picks: 40_000, seed: UInt64(seed))
      let freedom = Double(weights.count { $0 > 0 } - 1)
      #expect(
        chiSquare(counts, weights) < freedom + 5 * (2 * freedom).squareRoot() + 5, "\(policy) \(weights) \(counts)")
    }
  }

  @Test(arguments: allPolicies)
  func neverPicksWeightlessTriedOrFullOnes(policy: BalancePolicy) {
    var random = Random(seed: 7)
    // Tables of hash policies take longer to build than all the rest of the test.
    let rounds = Picker(policy: policy, candidates: [], seed: 0).hashes ? 40 : 400
    for round in 0..<rounds {
      let count = Int(random.below(30))
      let pool = (0..<count).map { index in
        Candidate(
          slot: BackendSlot(UInt32(index)), weight: random.below(3) == 0 ? 0 : random.below(1000),
          capacity: random.below(3) == 0 ? random.below(4) : Candidate.unlimited)
      }
      let loads = ArrayLoads(counts: (0..<count).map { _ in Int(random.below(5)) })
      var picker = Picker(policy: policy, candidates: pool, seed: UInt64(round))
      var tried = TriedSet()
      if count > 0 { for _ in 0..<random.below(9) { tried.insert(Int(random.below(UInt32(count)))) } }
      let open = Set(
        pool.indices.filter {
          pool[$0].weight > 0 && !tried.contains($0)
            && (pool[$0].capacity == Candidate.unlimited || loads.counts[$0] < Int(pool[$0].capacity))
        })
      for _ in 0..<20 {
        let request = PickRequest(hash: random.next(), tried: tried)
        let index = picker.pick(request, loads: loads, random: &random, now: epoch)
        if let index { #expect(open.contains(index)) } else { #expect(open.isEmpty) }
      }
    }
  }

  @Test(arguments: allPolicies)
  func emptyAndWeightlessPoolsGiveNobody(policy: BalancePolicy) {
    var random = Random(seed: 1)
    for pool in [candidates([]), candidates([0]), candidates([0, 0, 0])] {
      var picker = Picker(policy: policy, candidates: pool, seed: 1)
      let picked = picker.pick(
        PickRequest(), loads: ArrayLoads(counts: [0, 0, 0]), random: &random, now: epoch)
      #expect(picked == nil)
      #expect(picker.isEmpty)
    }
  }

  @Test(arguments: allPolicies)
  func oneAmongManyExcludedIsFound(policy: BalancePolicy) {
    // All but one of 500 are full, so that draws hardly ever hit it.
    var random = Random(seed: 3)
    let loads = ArrayLoads(counts: (0..<500).map { $0 == 321 ? 0 : 1 })
    var picker = Picker(policy: policy, candidates: candidates(Array(repeating: 10, count: 500), capacity: 1), seed: 3)
    for _ in 0..<50 {
      let request = PickRequest(hash: random.next())
      #expect(picker.pick(request, loads: loads, random: &random, now: epoch) == 321)
    }
    #expect(!picker.isEmpty)
  }

  @Test func exclusionKeepsTheProportionsOfTheRest() {
    let weights: [UInt32] = [1000, 10, 20, 30]
    var tried = TriedSet()
    tried.insert(0)
    for policy in [BalancePolicy.random, .leastConnections, .p2c, .peakEWMA, .maglev(.uri), .roundRobin] {
      var picker = Picker(policy: policy, candidates: candidates(weights), seed: 5)
      var random = Random(seed: 5)
      var counts = [0, 0, 0, 0]
      for _ in 0..<30_000 {
        let request = PickRequest(hash: random.next(), tried: tried)
        let index = picker.pick(request, loads: ArrayLoads(counts: [0, 0, 0, 0]), random: &random, now: epoch)
        if let index { counts[index] += 1 }
      }
      #expect(chiSquare(counts, [0, 10, 20, 30]) < 20, "\(policy) \(counts)")
    }
  }

  @Test func leastConnectionsTakesTheLeastForItsWeight() {
    var picker = Picker(policy: .leastConnections, candidates: candidates([100, 200, 50]), seed: 1)
    var random = Random(seed: 1)
    for (loads, expected) in [([1, 1, 1], 1), ([1, 3, 0], 2), ([0, 1, 1], 0), ([5, 9, 3], 1), ([10, 21, 6], 0)] {
      let picked = picker.pick(PickRequest(), loads: ArrayLoads(counts: loads), random: &random, now: epoch)
      #expect(picked == expected)
    }
  }

  @Test func leastConnectionsHoldsLoadInProportionToWeight() {
    var picker = Picker(policy: .leastConnections, candidates: candidates([10, 20, 30, 40]), seed: 1)
    var random = Random(seed: 1)
    var loads = ArrayLoads(counts: [0, 0, 0, 0])
    for _ in 0..<1000 {
      if let index = picker.pick(PickRequest(), loads: loads, random: &random, now: epoch) { loads.counts[index] += 1 }
    }
    #expect(loads.counts == [100, 200, 300, 400])
  }

  @Test func firstFillsInOrder() {
    var picker = Picker(policy: .first, candidates: candidates([1, 0, 1, 1], capacity: 2), seed: 1)
    var random = Random(seed: 1)
    var loads = ArrayLoads(counts: [0, 0, 0, 0])
    var sequence: [Int?] = []
    for _ in 0..<7 {
      let picked = picker.pick(PickRequest(), loads: loads, random: &random, now: epoch)
      if let picked { loads.counts[picked] += 1 }
      sequence.append(picked)
    }
    #expect(sequence == [0, 0, 2, 2, 3, 3, nil])
  }

  @Test func triedSetForgetsTheOldestOfNine() {
    var tried = TriedSet()
    #expect(tried.isEmpty && !tried.contains(0))
    for index in 0..<8 { tried.insert(index) }
    #expect((0..<8).allSatisfy { tried.contains($0) })
    tried.insert(100_000)
    #expect(!tried.contains(0) && tried.contains(1) && tried.contains(100_000))
  }

  @Test func aliasTableIsExactForUnevenWeights() {
    var random = Random(seed: 11)
    let weights: [UInt32] = [.max, 1, 0, 1_000_000_000, 3]
    let table = AliasTable(weights: weights)
    var counts = Array(repeating: 0, count: weights.count)
    for _ in 0..<200_000 { counts[table.draw(&random)] += 1 }
    #expect(counts[2] == 0)
    #expect(abs(Double(counts[3]) / 200_000 - 1e9 / (1e9 + 4_294_967_299)) < 0.005)
  }

  @Test func keysHashAlikeOnNodesThatShareASecret() {
    let one = KeyHasher(secret: "s"), same = KeyHasher(secret: "s"), other = KeyHasher(secret: "t")
    let source = IPAddress(192, 0, 2, 1)
    #expect(one.hash(source) == same.hash(source))
    #expect(one.hash(source) != other.hash(source))
    #expect(one.hash(source) != one.hash(IPAddress(192, 0, 2, 2)))
    #expect(one.hash(IPAddress(v6: 0, 0xffff_c000_0201)) == one.hash(source))
    let key: [UInt8] = Array("/cart?id=7".utf8)
    #expect(one.hash(key.span) == same.hash(key.span))
  }
}
