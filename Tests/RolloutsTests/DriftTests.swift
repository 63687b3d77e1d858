import Foundation
import Rollouts
import Testing
import Wire

@Suite struct DriftTests {
  enum Machine: String, CaseIterable {
    case quiet = "quiet"
    /// One answer in eight meets a pause of 50 to 200 ms, always.
    case pausing = "pauses"
    /// In every look of a second the machine halts once for 50 to 200 ms, and each second backend once more, alone:
    /// slow answers come in heaps.
    case halting = "halts"
  }

  /// In which buckets answers of 20 ms and a quarter, more or less, fall: drawn from, it is quick.
  private struct Times {
    private var plain: [Int] = []
    private var paused: [Int] = []
    private let pausing: UInt64

    init(_ machine: Machine, slower: Double) {
      var random = Random(seed: 1)
      pausing = machine == .pausing ? 125 : 0
      for _ in 0..<4_096 {
        let own = 20 * slower * (0.75 + random.unit() / 2) - log(1 - random.unit())
        plain.append(Times.bucket(own))
        let pause = 50 + 150 * random.unit()
        paused.append(Times.bucket(own + (machine == .pausing ? pause : pause * random.unit())))
      }
    }

    /// As the data plane counts: four to each doubling, in microseconds.
    private static func bucket(_ milliseconds: Double) -> Int {
      let time = UInt64(milliseconds * 1_000)
      let exponent = 63 - time.leadingZeroBitCount
      return min(103, (exponent - 1) << 2 + Int(time >> UInt64(exponent - 2)) & 3)
    }

    /// - Parameter halted: how many of a thousand meet a halt.
    func draw(halted: UInt64, _ random: inout Random) -> Int {
      let lot = random.next()
      return (lot % 1_000 < halted + pausing ? paused : plain)[Int(lot >> 52)]
    }
  }

  /// Five backends with 100 answers a look; the first one's shares change when it is told so.
  private struct Pool {
    let machine: Machine
    var random: Random
    var watch: DriftWatch
    private let usual: Times

    init(_ machine: Machine = .quiet, seed: UInt64, _ settings: DriftWatch.Settings = .init()) {
      self.machine = machine
      random = Random(seed: seed)
      watch = DriftWatch(settings)
      usual = Times(machine, slower: 1)
    }

    private mutating func halt() -> UInt64 { machine == .halting ? 50 + random.next() % 151 : 0 }

    mutating func look(errors: Double = 0.01, slower: Times? = nil) -> [DriftWatch.Event] {
      var blocks: [String: CanaryBlock.Side] = [:]
      let all = halt()
      for index in 0..<5 {
        let halted = all + (random.next() & 1 == 0 ? halt() : 0)
        let times = index == 0 ? slower ?? usual : usual
        var latencies = [UInt64](repeating: 0, count: 104)
        for _ in 0..<100 { latencies[times.draw(halted: halted, &random)] += 1 }
        let hits = draw(100, index == 0 ? errors : 0.01, &random).hits
        blocks["b\(index)"] = .init(total: 100, errors: hits, latencies: latencies)
      }
      return watch.look(blocks)
    }

    /// Looks until the first one is flagged, with what was found; nil: not within so many.
    mutating func flagged(errors: Double = 0.01, slower: Times? = nil, within: Int) -> (Int, DriftWatch.Finding)? {
      for look in 1...within {
        guard let event = self.look(errors: errors, slower: slower).first else { continue }
        guard case .drifting("b0", let finding) = event else { return nil }
        return (look, finding)
      }
      return nil
    }
  }

  /// Stated: one in 100,000 looks for each backend and comparison; that is 0.2 expected in 10 lives of 200 looks of 5
  /// backends with 2 comparisons. Differences must matter as well, so that there are fewer. SLUICE_DRIFT_LIVES: how many.
  @Test(arguments: Machine.allCases) func falseAlarmsAreAsRareAsStated(machine: Machine) {
    var alarms = 0
    let lives = ProcessInfo.processInfo.environment["SLUICE_DRIFT_LIVES"].flatMap { UInt64($0) } ?? 10
    for seed in 0..<lives {
      var pool = Pool(machine, seed: seed)
      for _ in 0..<200 { alarms += pool.look().count }
    }
    print("\(machine.rawValue): \(alarms) false alarms in \(lives * 2_000) looks")
    #expect(alarms <= Int(1 + lives / 50), "\(alarms) in \(lives * 2_000) looks")
  }

  @Test(arguments: [(0.1, 1.0, "errors", 10), (0.05, 1.0, "errors", 25), (0.01, 1.3, "slow answers", 10)])
  func aBackendThatDriftsIsSeenAndRecovers(errors: Double, slower: Double, what: String, within: Int) {
    let times = Times(.quiet, slower: slower)
    for seed in 0..<10 as Range<UInt64> {
      var pool = Pool(seed: seed)
      for _ in 0..<50 { _ = pool.look() }
      guard let (_, finding) = pool.flagged(errors: errors, slower: times, within: within) else {
        Issue.record("seed \(seed): not within \(within) looks")
        continue
      }
      #expect(finding.what == what && finding.own > finding.others)
      var recovered: [DriftWatch.Event] = []
      for _ in 0..<80 where recovered.isEmpty { recovered = pool.look() }
      #expect(recovered == [.recovered("b0")])
      #expect(pool.watch.drifting.isEmpty)
    }
  }

  /// The table of `Docs/operations.md`: looks of 100 answers until each of 20 slower backends is flagged. Beyond one
  /// line, at the 90th percentile, all answers met a pause: what it sees of a slower backend is the same as of the others.
  @Test func aSlowBackendDoesNotHideInPauses() {
    var lines = ["machine  slower  one line: median, flagged of 20  four lines: median, flagged of 20"]
    for machine in Machine.allCases {
      for slower in [1.1, 1.3] {
        let times = Times(machine, slower: slower)
        let counts = [[90], SlownessTest.quantiles].map { quantiles in
          var settings = DriftWatch.Settings()
          settings.quantiles = quantiles
          return (0..<20 as Range<UInt64>).compactMap { seed in
            var pool = Pool(machine, seed: 100 + seed, settings)
            for _ in 0..<30 { _ = pool.look() }
            return pool.flagged(slower: times, within: 40)?.0
          }.sorted()
        }
        let words = counts.map { "\($0.isEmpty ? "–" : "\($0[$0.count / 2])")  \($0.count)" }
        lines.append("\(machine.rawValue)  \(slower)  " + words.joined(separator: "  "))
        guard slower == 1.3 else { continue }
        #expect(counts[1].count == 20 && counts[1].allSatisfy { $0 <= 12 }, "\(machine): \(counts[1])")
        if machine != .quiet { #expect(counts[0].isEmpty, "one line sees it: \(counts[0])") }
      }
    }
    print(lines.joined(separator: "\n"))
  }

  @Test func whatHasAlwaysBeenSoIsNoDrift() {
    let times = Times(.quiet, slower: 1.03)
    for seed in 0..<10 as Range<UInt64> {
      var pool = Pool(seed: seed)
      var events: [DriftWatch.Event] = []
      for _ in 0..<300 { events += pool.look(errors: 0.02, slower: times) }
      #expect(events.isEmpty, "seed \(seed): \(events)")
    }
  }

  @Test func aPoolThatChangesAsAWholeHasNoDrifters() {
    var watch = DriftWatch()
    var random = Random(seed: 3)
    for look in 0..<200 {
      let share = look < 100 ? 0.01 : 0.5
      var blocks: [String: CanaryBlock.Side] = [:]
      for index in 0..<4 {
        blocks["b\(index)"] = .init(total: 100, errors: draw(100, share, &random).hits, latencies: [])
      }
      #expect(watch.look(blocks) == [])
    }
  }
}
