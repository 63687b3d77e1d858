import Rollouts
import Testing
import Wire

@Suite struct DriftTests {
  /// Five backends with 100 answers a look; the first one's shares change at look `from`.
  private struct Pool {
    var random: Random
    var watch = DriftWatch()
    var looks = 0

    init(seed: UInt64) { random = Random(seed: seed) }

    mutating func look(errors: Double = 0.01, slower: Double = 1) -> [DriftWatch.Event] {
      looks += 1
      var blocks: [String: CanaryBlock.Side] = [:]
      for index in 0..<5 {
        let isFirst = index == 0
        var latencies = [UInt64](repeating: 0, count: 64)
        for _ in 0..<100 {
          let value = (random.unit() + random.unit() + random.unit()) * 10 * (isFirst ? slower : 1) + 10
          latencies[min(63, Int(value))] += 1
        }
        let hits = draw(100, isFirst ? errors : 0.01, &random).hits
        blocks["b\(index)"] = .init(total: 100, errors: hits, latencies: latencies)
      }
      return watch.look(blocks)
    }
  }

  /// Stated: one in 100,000 looks for each backend and test; that is 0.2 expected in 10 lives of 200 looks of 5 backends
  /// with 2 tests. Differences must matter as well, so that there are fewer.
  @Test func falseAlarmsAreAsRareAsStated() {
    var alarms = 0
    for seed in 0..<10 as Range<UInt64> {
      var pool = Pool(seed: seed)
      for _ in 0..<200 { alarms += pool.look().count }
    }
    #expect(alarms <= 1, "\(alarms) in 20,000 tests")
  }

  @Test(arguments: [(0.1, 1.0, "errors", 10), (0.05, 1.0, "errors", 25), (0.01, 1.3, "slow answers", 16)])
  func aBackendThatDriftsIsSeenAndRecovers(errors: Double, slower: Double, what: String, within: Int) {
    for seed in 0..<10 as Range<UInt64> {
      var pool = Pool(seed: seed)
      for _ in 0..<50 { _ = pool.look() }
      var events: [DriftWatch.Event] = []
      var looks = 0
      while events.isEmpty, looks < 100 {
        events = pool.look(errors: errors, slower: slower)
        looks += 1
      }
      guard case .drifting("b0", let finding) = events.first else {
        Issue.record("seed \(seed): \(events)")
        continue
      }
      #expect(finding.what == what && finding.own > finding.others)
      #expect(looks <= within, "seed \(seed): \(looks) looks")
      var recovered: [DriftWatch.Event] = []
      for _ in 0..<80 where recovered.isEmpty { recovered = pool.look() }
      #expect(recovered == [.recovered("b0")])
      #expect(pool.watch.drifting.isEmpty)
    }
  }

  @Test func whatHasAlwaysBeenSoIsNoDrift() {
    for seed in 0..<10 as Range<UInt64> {
      var pool = Pool(seed: seed)
      var events: [DriftWatch.Event] = []
      for _ in 0..<300 { events += pool.look(errors: 0.02, slower: 1.03) }
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
