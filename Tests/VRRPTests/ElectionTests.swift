import Model
import Testing
import VRRP
import Wire

/// Whole elections with a virtual clock, many seeds: bad minutes, then what must be true afterwards.
@Suite struct ElectionTests {
  static let millisecond: Int64 = 1_000_000

  /// Crashes, restarts, cuts, loss, weights, clean stops, at random.
  static func trouble(_ simulation: inout Simulation, events: Int) {
    let count = simulation.nodes.count
    for _ in 0..<events {
      let node = Int(simulation.random.below(UInt32(count)))
      let link = Int(simulation.random.below(UInt32(simulation.settings.links)))
      switch simulation.random.below(9) {
      case 0: simulation.crash(node)
      case 1, 2: simulation.restart(node)
      case 3: simulation.sides[link] = (0..<count).map { _ in Int(simulation.random.below(2)) }
      case 4: simulation.sides[link] = Array(repeating: 0, count: count)
      case 5: simulation.settings.loss = simulation.random.below(60)
      case 6:
        simulation.forgive(node)
        simulation.tell(.track("pool", isWell: simulation.random.below(2) == 0), node)
      case 7:
        simulation.tell(.shutdown, node)
        simulation.crash(node)
      default:
        simulation.forgive(node)
        simulation.tell(.handover(simulation.random.below(2) == 0 ? .release : nil), node)
      }
      simulation.run(for: Int64(simulation.random.below(400)) * millisecond)
    }
  }

  /// The links are whole again, and all that is up has no wishes.
  static func calm(_ simulation: inout Simulation) {
    simulation.settings.loss = 0
    for link in simulation.sides.indices { simulation.sides[link] = simulation.sides[link].map { _ in 0 } }
    for node in simulation.nodes.indices {
      simulation.forgive(node)
      simulation.tell(.handover(nil), node)
      simulation.tell(.track("pool", isWell: true), node)
    }
    if !simulation.nodes.contains(where: \.isUp) { simulation.restart(Int(simulation.random.below(3))) }
  }

  static func settings(_ seed: UInt64) -> Simulation.Settings {
    var settings = Simulation.Settings()
    var random = Random(seed: seed &+ 1 << 32)
    switch random.below(4) {
    case 0: settings.priorities = [200, 200, 100]
    case 1: settings.priorities = [100, 100, 100]
    default: break
    }
    settings.preempts = random.below(4) != 0
    if settings.preempts, random.below(4) == 0 { settings.preemptDelay = .milliseconds(500) }
    settings.loss = random.below(40)
    settings.travelsAsBytes = seed % 20 == 0
    return settings
  }

  /// The best node that is up: by priority, then by address.
  static func best(_ simulation: Simulation) -> Int? {
    simulation.nodes.indices.filter { simulation.nodes[$0].isUp }.max {
      (simulation.settings.priorities[$0], simulation.address($0, link: 0))
        < (simulation.settings.priorities[$1], simulation.address($1, link: 0))
    }
  }

  @Test func aThousandElectionsEndWithOneActiveRouter() throws {
    var longest: Int64 = 0
    var steps = 0
    for seed in 0..<1000 as Range<UInt64> {
      var simulation = Simulation(Self.settings(seed), seed: seed)
      for node in simulation.nodes.indices { simulation.tell(.start, node) }
      Self.trouble(&simulation, events: 12)
      Self.calm(&simulation)
      simulation.run(for: 1_500 * Self.millisecond)
      #expect(simulation.violations.isEmpty, "seed \(seed): \(simulation.violations.prefix(3))")
      try #require(simulation.active.count == 1, "seed \(seed): \(simulation.active)")
      // Equal priorities never preempt a living Active router: any of the equals may stay.
      if simulation.settings.preempts, let best = Self.best(simulation) {
        let priorities = simulation.settings.priorities
        #expect(priorities[simulation.active[0]] == priorities[best], "seed \(seed)")
      }
      longest = max(longest, simulation.longestOverlap)
      steps += simulation.steps
    }
    print("elections: 1000 seeds, \(steps) steps, longest overlap \(longest / Self.millisecond) ms of at most 109 ms")
  }

  @Test func takeoversKeepTheBudget() {
    var worst: [Int64] = [0, 0]
    for seed in 0..<200 as Range<UInt64> {
      for clean in [false, true] {
        var settings = Simulation.Settings()
        // A late advert that comes after a resignation looks like a return: RFC 9568 has no sequence numbers.
        settings.keepsOrder = true
        var simulation = Simulation(settings, seed: seed)
        for node in simulation.nodes.indices { simulation.tell(.start, node) }
        simulation.run(for: 1_000 * Self.millisecond + Int64(simulation.random.below(100)) * Self.millisecond)
        guard simulation.active == [0] else {
          Issue.record("seed \(seed): \(simulation.active)")
          continue
        }
        if clean { simulation.tell(.shutdown, 0) }
        simulation.crash(0)
        let start = simulation.time
        while simulation.active.isEmpty, simulation.time - start < 2_000 * Self.millisecond {
          simulation.run(for: Self.millisecond / 2)
        }
        let budget =
          clean
          ? FailoverBudget.cleanStop(interval: every(10), version: .v3, backupPriority: 150, announcement: .zero)
          : FailoverBudget.crash(interval: every(10), version: .v3, backupPriority: 150, announcement: .zero)
        let limit = budget.total.nanoseconds * 101 / 100 + simulation.settings.delay + Self.millisecond / 2
        worst[clean ? 1 : 0] = max(worst[clean ? 1 : 0], simulation.time - start)
        #expect(simulation.active == [1] && simulation.time - start <= limit, "seed \(seed), clean \(clean)")
      }
    }
    print("takeovers: crash at most \(worst[0] / Self.millisecond) ms, clean stop \(worst[1] / Self.millisecond) ms")
  }

  @Test func aReleaseMovesTheAddressWithoutAGap() {
    for seed in 0..<100 as Range<UInt64> {
      var simulation = Simulation(Simulation.Settings(), seed: seed)
      for node in simulation.nodes.indices { simulation.tell(.start, node) }
      simulation.run(for: 1_000 * Self.millisecond)
      simulation.forgive(0)
      simulation.tell(.handover(.release), 0)
      var gaps = 0
      for _ in 0..<1_000 {
        simulation.run(for: Self.millisecond)
        if simulation.active.isEmpty { gaps += 1 }
      }
      #expect(gaps == 0 && simulation.active == [1], "seed \(seed): \(gaps) ms without an owner")
    }
  }

  @Test func syncGroupsMoveWhole() throws {
    var longest: Int64 = 0
    for seed in 0..<300 as Range<UInt64> {
      var settings = Self.settings(seed)
      settings.links = 2
      settings.priorities = [200, 150, 100]
      var simulation = Simulation(settings, seed: seed)
      for node in simulation.nodes.indices { simulation.tell(.start, node) }
      Self.trouble(&simulation, events: 10)
      Self.calm(&simulation)
      simulation.run(for: 2_500 * Self.millisecond)
      #expect(simulation.violations.isEmpty, "seed \(seed): \(simulation.violations.prefix(3))")
      try #require(simulation.active.count == 1, "seed \(seed): \(simulation.active)")
      if settings.preempts { #expect(simulation.active.first == Self.best(simulation), "seed \(seed)") }
      longest = max(longest, simulation.longestOverlap)
    }
    print("sync groups: 300 seeds, longest overlap \(longest / Self.millisecond) ms")
  }

  /// The same seed takes the same way.
  @Test func aSeedRepeats() {
    func steps() -> [Int] {
      var simulation = Simulation(Self.settings(4), seed: 4)
      for node in simulation.nodes.indices { simulation.tell(.start, node) }
      Self.trouble(&simulation, events: 12)
      return [simulation.steps, Int(simulation.longestOverlap), Int(simulation.random.next() >> 2)]
    }
    #expect(steps() == steps())
  }
}
