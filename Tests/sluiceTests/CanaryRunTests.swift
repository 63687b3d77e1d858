import Model
import Rollouts
import Telemetry
import Testing

@testable import Node
@testable import sluice

/// What a canary sees at its looks.
@Suite struct CanaryRunTests {
  /// - Parameter counts: requests in flight and in all, by backend; those of "v2" begin with n.
  private func snapshot(_ counts: KeyValuePairs<String, (inFlight: UInt64, requests: UInt64)>) throws -> NodeSnapshot {
    var pool = Pool(name: "web", backends: [])
    var statistics = DataPlaneStatistics()
    var standings: [Standing] = []
    for (index, (name, count)) in counts.enumerated() {
      var backend = Backend(name: name, address: try #require(SocketAddress("127.0.0.1:\(8_000 + index)")))
      backend.version = name.hasPrefix("n") ? "v2" : "v1"
      pool.backends.append(backend)
      let slot = BackendSlot(UInt32(index))
      var one = BackendStatistics()
      (one.inFlight, one.requests, one.responses.successful) = (count.inFlight, count.requests, count.requests)
      statistics.backends[slot] = one
      standings.append(
        Standing(
          slot: slot, verdict: Verdict(.up, reason: "", since: Instant(nanoseconds: 0)), state: .ready, weight: 100,
          effectiveWeight: 100, acceptsPersistent: true))
    }
    var topology = Topology()
    topology.pools = [pool]
    return NodeSnapshot(
      phase: .serving, generation: 1, uptime: .zero, version: "", topology: topology, standings: [standings],
      sites: [:], siteLoads: [:], siteObservers: [:], splits: [:], drifting: [:], statistics: statistics,
      peers: PeerBook(), now: Instant(nanoseconds: 0))
  }

  private func begun(_ steps: [Int], mirrored: Int?) -> CanaryRun {
    var plan = CanaryPlan()
    (plan.pool, plan.version, plan.steps, plan.mirrored) = ("web", "v2", steps, mirrored)
    var effects: [Canary.Effect] = []
    return CanaryRun(Canary(plan, at: 0, into: &effects))
  }

  @Test(arguments: [true, false])
  func copiesAreNoLoad(isMirrored: Bool) throws {
    var run = begun(isMirrored ? [0, 50, 100] : [50, 100], mirrored: isMirrored ? 10_000 : nil)
    var block: CanaryBlock?
    for (time, requests) in [(0, 1_000), (500, 1_100), (1_000, 1_200), (1_500, 1_300), (2_000, 1_400)]
      as [(Int64, UInt64)]
    {
      block = run.look(try snapshot(["old": (5, requests), "new": (5, requests)]), at: time)
    }
    let found = try #require(block)
    // Each side has 200 requests a second, and those of the canary are copies.
    #expect(found.load == PoolLoad(inFlight: isMirrored ? 5 : 10, perSecond: isMirrored ? 200 : 400))
    #expect((found.canary.total, found.control.total, found.carrying) == (100, 100, 1))
  }
}
