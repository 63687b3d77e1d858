import DNS
import Model
import Testing
import Wire

/// 1,000 resolvers that keep an answer for their own 5 to 300 s, over four members of unlike capacity.
@Suite struct LoadSimulationTests {
  struct Result {
    var title: String
    /// The utilisation of each member in proportion to the mean, each 30 s.
    var series: [[Double]]

    /// How far from the mean the members are in the second half: the worst, and the mean of the worst.
    var worst: Double { late.map { $0.max() ?? 0 }.max() ?? 0 }
    var usual: Double { late.map { $0.max() ?? 0 }.reduce(0, +) / Double(late.count) }
    /// How often the most loaded member changes, per hour.
    var swings: Int { zip(late, late.dropFirst()).filter { top($0) != top($1) }.count }
    private var late: ArraySlice<[Double]> { series[(series.count / 2)...] }
    private func top(_ row: [Double]) -> Int? { row.firstIndex(of: row.max() ?? 0) }
  }

  enum Policy { case leastLoaded, even, damped(gain: Double) }

  static let capacities = [1.0, 1, 2, 4]

  static func run(_ title: String, _ policy: Policy, age: Int = 0) -> Result {
    var random = Random(seed: 42)
    let count = 1000
    let ttl = (0..<count).map { _ in 5 + Int(random.below(296)) }
    let demand = (0..<count).map { _ in 1 + Double(random.below(10)) }
    var expires = (0..<count).map { _ in Int(random.below(300)) }
    var member = [Int](repeating: 0, count: count)
    var settings = LoadDamper.Settings()
    if case .damped(let gain) = policy { settings.gain = gain }
    var damper = LoadDamper(members: 4, settings)
    let addresses = (0..<4).map { BalancedSet.Choice.member(.init(IPAddress(10, 0, 0, UInt8($0)))) }
    let set = BalancedSet(.init(.leastLoad, addresses))
    var compiled = CompiledSet(set)
    var turns: [UInt32] = []
    // What balancing sees may be as old as probes and the exchange between nodes make it.
    var measured: [[Double]] = []
    var result = Result(title: title, series: [])
    for second in 0..<7200 {
      if second % 10 == 0 {
        var load = [0.0, 0, 0, 0]
        for resolver in 0..<count { load[member[resolver]] += demand[resolver] }
        let used = (0..<4).map { load[$0] / capacities[$0] }
        let mean = load.reduce(0, +) / capacities.reduce(0, +)
        if second % 30 == 0 { result.series.append(used.map { $0 / mean }) }
        measured.append(used)
        let seen = measured[max(0, measured.count - 1 - age / 10)]
        switch policy {
        case .even: break
        case .leastLoaded:
          let least = seen.firstIndex(of: seen.min() ?? 0)
          compiled = CompiledSet(set, health: (0..<4).map { MemberHealth(isUp: $0 == least) })
        case .damped:
          damper.observe(seen, after: 10)
          compiled = CompiledSet(set, health: damper.shares.map { MemberHealth(share: $0) })
        }
      }
      for resolver in 0..<count where expires[resolver] <= second {
        let picks = compiled.pick(
          .v4, for: Asker(.loopbackV4), places: NoPlaces(), turns: &turns, turn: 0, random: &random)
        member[resolver] = Int(compiled.address(picks[0]).low & 3)
        expires[resolver] = second + ttl[resolver]
      }
    }
    return result
  }

  @Test func dampedLeastLoadDoesNotSwing() {
    let results = [
      Self.run("even shares", .even), Self.run("least loaded only", .leastLoaded),
      Self.run("damped, gain 0.5", .damped(gain: 0.5)), Self.run("damped, gain 1.5", .damped(gain: 1.5)),
      Self.run("least, 60 s old", .leastLoaded, age: 60),
      Self.run("damped, 60 s old", .damped(gain: 0.5), age: 60),
    ]
    print("least load, 1,000 resolvers, TTL 5-300 s, capacities 1:1:2:4, second hour, utilisation to the mean")
    print("policy".padded(20), "worst".padded(8), "usual".padded(8), "swings")
    for result in results {
      print(result.title.padded(20), result.worst.text.padded(8), result.usual.text.padded(8), result.swings)
    }
    for result in [results[4], results[5]] {
      print("\(result.title): utilisation of the first member, each 5 min, # = 0.1")
      for (index, row) in result.series.enumerated() where index % 10 == 0 {
        print("\(index / 2) min".padded(8), String(repeating: "#", count: min(Int(row[0] * 10), 60)), row[0].text)
      }
    }
    #expect(results[1].usual > 1.3 && results[4].usual > 2, "undamped load swings")
    #expect(results[2].worst < 1.35, "damped load stays near the mean")
    #expect(results[2].usual < 1.2)
    #expect(results[3].worst < 1.6, "three times the gain is still stable")
    #expect(results[5].worst < 1.6, "also when the measurement is a minute old")
  }

  @Test func theDamperIgnoresNonsense() {
    var damper = LoadDamper(members: 3)
    for load in [[nil, nil, nil], [.nan, 1, 1], [.infinity, -1, 1], [0, 0, 0], [1]] as [[Double?]] {
      damper.observe(load, after: 10)
    }
    damper.observe([1, 1, 1], after: -5)
    #expect(damper.shares.allSatisfy { $0.isFinite && $0 > 0 })
    for _ in 0..<100_000 { damper.observe([100, 1, nil], after: 60) }
    #expect(damper.shares.allSatisfy { $0.isFinite && $0 > 0 } && damper.shares[0] < damper.shares[1])
    #expect(abs(damper.shares.reduce(0, +) - 3) < 1e-6)
  }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}

extension Double {
  fileprivate var text: String {
    let hundredths = Int((self * 100).rounded())
    return "\(hundredths / 100).\(hundredths / 10 % 10)\(hundredths % 10)"
  }
}
