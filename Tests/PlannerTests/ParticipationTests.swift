import Model
import Planner
import Testing
import Wire

@Suite struct ParticipationTests {
  @Test(arguments: [
    ("uuu", [10000, 5000, 100]),
    ("udu", [10000, 0, 100]),
    ("eud", [0, 5000, 0]),
    ("ddd", [0, 0, 0]),
  ])
  func theHealthyHaveTheirWeights(health: String, expected: [Int]) {
    #expect(world(makePool([100, 50, 1]), health).weights == expected)
  }

  @Test func administrativeStates() {
    var pool = makePool([10, 10, 10, 10])
    pool.backends[1].state = .drain
    pool.backends[2].state = .maintenance
    let plain = world(pool, "uuud")
    #expect(plain.weights == [1000, 0, 0, 0])
    #expect(plain.persistent == "yynn")
    // The API's word stands instead of the configuration's.
    let changed = world(pool, "uuuu") {
      $0.overrides.states = [key(0): .maintenance, key(1): .ready]
      $0.overrides.weights = [key(1): 7, key(3): 0]
    }
    #expect(changed.weights == [0, 700, 0, 0])
    #expect(changed.persistent == "nyny")
    #expect(changed.standings[0][3].weight == 0 && changed.standings[0][1].weight == 7)
    #expect(changed.standings[0].map(\.state) == [.maintenance, .ready, .maintenance, .ready])
  }

  @Test func anAgentAsksForLessNotForMore() {
    var pool = makePool([100, 100, 100, 65_535])
    pool.backends[2].state = .drain
    let planned = world(pool, "uuuu") {
      $0.observations[key(0)]?.agentWeight = 25
      $0.observations[key(0)]?.agentMaxConnections = 30
      $0.observations[key(1)]?.agentState = .drain
      $0.observations[key(2)]?.agentState = .ready
      $0.observations[key(3)]?.agentWeight = 1000
    }
    #expect(planned.weights == [2500, 0, 0, 6_553_500])
    #expect(planned.standings[0].map(\.state) == [.ready, .drain, .drain, .ready])
    #expect(planned.standings[0].map(\.maxConnections) == [30, nil, nil, nil])
  }

  @Test(arguments: [(0, 1000), (1, 1900), (5, 5500), (9, 9100), (10, 10000), (60, 10000)])
  func warmUpGrowsFromATenth(seconds: Int, expected: Int) {
    var pool = makePool([100, 100])
    pool.slowStart = .seconds(10)
    #expect(world(pool, "uw", at: epoch + .seconds(seconds)).weights == [10000, expected])
  }

  @Test func warmUpIsVisibleWithAWeightOfOne() {
    var pool = makePool([1, 1])
    pool.slowStart = .seconds(10)
    #expect(world(pool, "uw", at: epoch + .seconds(2)).weights == [100, 28])
  }

  @Test(
    arguments: [
      // Threshold 0: the first group with anybody takes all.
      (0.0, "uuuu", [100, 100, 0, 0]),
      (0.0, "uduu", [100, 0, 0, 0]),
      (0.0, "dduu", [0, 0, 100, 0]),
      (0.0, "dddu", [0, 0, 0, 100]),
      (0.0, "dddd", [0, 0, 0, 0]),
      // Threshold 70%: half a group (50/70 of the traffic) leaves 2/7 to the next.
      (0.7, "uuuu", [100, 100, 0, 0]),
      (0.7, "uduu", [100, 0, 40, 0]),
      (0.7, "dduu", [0, 0, 100, 0]),
      // The groups below leave nothing undone: the last healthy one takes the rest.
      (0.7, "uddd", [100, 0, 0, 0]),
      (0.7, "uddu", [100, 0, 0, 40]),
    ] as [(Double, String, [Int])])
  func priorityGroups(threshold: Double, health: String, expected: [Int]) {
    var pool = makePool([1, 1, 1, 1], priorities: [0, 0, 1, 2])
    pool.priorityThreshold = threshold
    #expect(world(pool, health).weights == expected)
  }

  @Test func warmingCountsAsHealthInAGroup() {
    var pool = makePool([10, 10, 10], priorities: [0, 0, 1])
    pool.priorityThreshold = 0.9
    pool.slowStart = .seconds(10)
    #expect(world(pool, "wwu").weights == [100, 100, 0])
  }

  @Test(arguments: [
    (0.5, "uudd", [100, 100, 0, 0]),
    (0.5, "uddd", [100, 100, 100, 100]),
    (0.5, "eedu", [100, 100, 100, 100]),
    (0.5, "dddd", [100, 100, 100, 100]),
    (0.0, "dddd", [0, 0, 0, 0]),
  ])
  func panicSpreadsOverAll(threshold: Double, health: String, expected: [Int]) {
    var pool = makePool([1, 1, 1, 1])
    pool.panicThreshold = threshold
    #expect(world(pool, health).weights == expected)
  }

  @Test func panicNeverOverridesAnOrder() {
    var pool = makePool([1, 1, 1, 0, 1])
    pool.panicThreshold = 0.9
    pool.backends[0].state = .drain
    pool.backends[1].state = .maintenance
    let planned = world(pool, "uuddd")
    #expect(planned.weights == [0, 0, 100, 0, 100])
    #expect(planned.persistent == "ynyny")
  }

  @Test func aHealthyBackupIsNoReasonToPanic() {
    var pool = makePool([1, 1, 1, 1], priorities: [0, 0, 0, 1])
    pool.panicThreshold = 0.5
    #expect(world(pool, "dddu").weights == [0, 0, 0, 100])
    #expect(world(pool, "dddd").weights == [100, 100, 100, 100])
  }

  @Test func withoutAnObservationAProbedBackendIsDownAndAnUnprobedOneUp() {
    var pool = makePool([1, 1])
    #expect(world(pool, "").weights == [100, 100])
    pool.probe = Probe(kind: .tcp(send: [], expect: nil))
    #expect(world(pool, "").weights == [0, 0])
    #expect(world(pool, "u").weights == [100, 0])
    #expect(Planner.plan(.allUp(topology(pool), at: epoch), at: epoch).weights == [100, 100])
  }

  @Test func somebodyIsPickedWhenAnybodyIsHealthy() {
    var random = Random(seed: 17)
    let letters: [Character] = ["u", "d", "w", "e"]
    for _ in 0..<3000 {
      let count = 1 + Int(random.below(8))
      var pool = makePool(
        (0..<count).map { _ in [0, 1, 100, 65_535][Int(random.below(4))] },
        priorities: (0..<count).map { _ in Int(random.below(3)) })
      pool.priorityThreshold = [0, 0.3, 0.7, 1][Int(random.below(4))]
      pool.panicThreshold = [nil, 0, 0.5, 1][Int(random.below(4))]
      pool.slowStart = .seconds(Int(random.below(10)))
      for index in pool.backends.indices {
        pool.backends[index].state = AdministrativeState.allCases[Int(random.below(3))]
      }
      let health = String((0..<count).map { _ in letters[Int(random.below(4))] })
      let planned = world(pool, health, at: epoch + .milliseconds(Int(random.below(12_000)))) {
        for index in 0..<count { $0.observations[key(index)]?.agentWeight = Int(random.below(300)) }
      }
      var healthy = false
      for standing in planned.standings[0] {
        #expect((0...6_553_500).contains(standing.effectiveWeight))
        if standing.state != .ready || standing.weight == 0 { #expect(standing.effectiveWeight == 0) }
        if standing.state == .maintenance { #expect(!standing.acceptsPersistent) }
        if pool.panicThreshold == nil, !standing.verdict.takesTraffic { #expect(standing.effectiveWeight == 0) }
        healthy = healthy || (standing.state == .ready && standing.weight > 0 && standing.verdict.takesTraffic)
      }
      let agentZero = planned.standings[0].allSatisfy { $0.effectiveWeight == 0 }
      if healthy && agentZero {
        // Only an agent that says 0% may leave a healthy pool without anybody.
        let unscaled = world(pool, health)
        #expect(unscaled.weights.contains { $0 > 0 })
      }
    }
  }
}
