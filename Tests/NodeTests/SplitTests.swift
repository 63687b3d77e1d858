import Model
import Node
import Testing

@Suite struct SplitTests {
  private static func versions(_ topology: inout Topology, serve: String?) {
    for (index, version) in ["v1", "v1", "v2"].enumerated() { topology.pools[0].backends[index].version = version }
    topology.pools[0].versions.serve = serve
  }

  private func started() async throws -> (Node, FakePorts) {
    try await servingNode(.sample { SplitTests.versions(&$0, serve: "v1") })
  }

  @Test func aSplitIsInForceWhenApplyReturns() async throws {
    let (node, fake) = try await started()
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight) == [10_000, 10_000, 0])
    try await node.apply(.split(pool: "web", VersionSplit("v2", share: 5_000)))
    #expect(fake.worlds.last?.splits == ["web": VersionSplit("v2", share: 5_000)])
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight) == [5_000, 5_000, 10_000])
    #expect(await node.events(after: 0).events.last?.message == "50% of the clients go to version v2")
    await #expect(throws: Refusal.noSuchVersion(pool: "web", "v3")) {
      try await node.apply(.split(pool: "web", VersionSplit("v3", share: 1)))
    }
    await #expect(throws: Refusal.noSuchPool("x")) { try await node.apply(.split(pool: "x", nil)) }
  }

  @Test func itLastsThroughReloadsUntilTheFileSaysAnotherVersion() async throws {
    let (node, fake) = try await started()
    try await node.apply(.split(pool: "web", VersionSplit("v2", share: 10_000)))
    try await node.apply(
      .load(
        .sample {
          SplitTests.versions(&$0, serve: "v1"); $0.pools[0].backends[0].weight = 7
        }))
    #expect(fake.worlds.last?.splits["web"] == VersionSplit("v2", share: 10_000))
    try await node.apply(.load(.sample { SplitTests.versions(&$0, serve: "v2") }))
    try await node.apply(.load(.sample { SplitTests.versions(&$0, serve: "v1") }))
    #expect(fake.worlds.last?.splits["web"] == VersionSplit("v1", share: 10_000))
    try await node.apply(.split(pool: "web", VersionSplit("v2", share: 100)))
    try await node.apply(.load(.sample()))
    #expect(fake.worlds.last?.splits == [:])
  }

  @Test func aBackendThatDriftsLosesTheWeightThatItsPoolSays() async throws {
    let (node, fake) = try await servingNode(.sample { $0.pools[0].drift.weight = 25 })
    try await node.apply(.drift(.web(2), "errors: 9%"))
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight) == [10_000, 2_500, 10_000])
    #expect(await node.snapshot().drifting == [.web(2): "errors: 9%"])
    try await node.apply(
      .load(
        .sample {
          $0.pools[0].drift.weight = 25; $0.pools[0].backends[1].weight = 40
        }))
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight) == [10_000, 1_000, 10_000])
    try await node.apply(.drift(.web(2), nil))
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight) == [10_000, 4_000, 10_000])
    let events = await node.events(after: 0).events.filter { $0.kind == .drifting }
    #expect(events.map(\.message) == ["errors: 9%", "as its pool's others again"])
    await #expect(throws: Refusal.noSuchBackend(.web(9))) { try await node.apply(.drift(.web(9), nil)) }
  }
}
