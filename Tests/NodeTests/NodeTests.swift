import Health
import Model
import Node
import Planner
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct NodeTests {
  @Test func theFirstWorldWaitsForEveryFirstVerdict() async throws {
    let fake = FakePorts()
    let node = Node(version: "test") { _ in fake.ports }
    await node.begin(.sample(backends: 2))
    #expect(fake.probes.map { $0.map(\.key) } == [[.web(1), .web(2)]])
    try await node.apply(.tick)
    try await node.apply(.probe(.passed(.web(1))))
    #expect(fake.worlds.isEmpty)
    try await node.apply(.probe(.failed(.web(2))))
    #expect(fake.worlds.map(\.generation) == [1])
    #expect(fake.worlds[0].standings[0].map(\.verdict.takesTraffic) == [true, false])
    #expect(await node.phase == .serving)
  }

  @Test func aSilentProbeHoldsTheStartUpNoLongerThanItsTimeout() async throws {
    let fake = FakePorts()
    let node = Node(version: "test") { _ in fake.ports }
    await node.begin(.sample(backends: 2))
    let deadline = try #require(await node.nextDeadline)
    #expect(deadline - fake.ports.now() == .seconds(2))
    fake.advance(.seconds(2))
    try await node.apply(.tick)
    try await node.settled()
    #expect(fake.worlds.count == 1)
  }

  @Test func withoutProbesTheNodeServesAtOnce() async throws {
    let (node, fake) = try await servingNode(.sample(probed: false))
    #expect(await node.phase == .serving)
    #expect(fake.worlds.last?.standings[0].map(\.effectiveWeight).allSatisfy { $0 > 0 } == true)
  }

  @Test func aFirstWorldThatTheDataPlaneRefusesFailsTheStart() async throws {
    let fake = FakePorts()
    fake.fail("127.0.0.1:8080: address in use")
    let node = Node(version: "test") { _ in fake.ports }
    await node.begin(.sample(probed: false))
    try await node.apply(.tick)
    await #expect(throws: Refusal.dataPlane("127.0.0.1:8080: address in use")) { try await node.settled() }
  }

  @Test func aReloadKeepsHealthSlotsAndOverrides() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.probe(.failed(.web(1))))
    try await node.apply(.override(.web(2), .state(.drain)))
    let before = try #require(fake.worlds.last)
    try await node.apply(
      .load(.sample { $0.pools[0].backends.insert(Backend(name: "new", address: .unix("/n")), at: 0) }))
    let after = try #require(fake.worlds.last)
    #expect(after.generation == before.generation + 1)
    #expect(Array(after.standings[0].dropFirst()) == before.standings[0])
    #expect(after.standings[0][0].slot == BackendSlot(3))
    #expect(!after.standings[0][0].verdict.takesTraffic)
  }

  @Test func aReloadThatTheDataPlaneRefusesChangesNothing() async throws {
    let (node, fake) = try await servingNode()
    let before = await node.snapshot()
    let (worlds, probes) = (fake.worlds, fake.probes)
    fake.fail("port 81: permission denied")
    await #expect(throws: Refusal.dataPlane("port 81: permission denied")) {
      try await node.apply(.load(.sample(backends: 1)))
    }
    let after = await node.snapshot()
    #expect(
      after.topology == before.topology && after.standings == before.standings && after.generation == before.generation)
    #expect(fake.worlds == worlds && fake.probes == probes)
    #expect(await node.events(after: 0).events.last?.kind == .refused)
    fake.fail(nil)
    try await node.apply(.load(.sample(backends: 1)))
    #expect(fake.worlds.last?.standings[0].count == 1)
  }

  @Test func aReloadOfTheSameFilePublishesNothing() async throws {
    let (node, fake) = try await servingNode()
    let count = fake.worlds.count
    for _ in 0..<20 { try await node.apply(.load(.sample())) }
    #expect(fake.worlds.count == count)
  }

  @Test func flappingVerdictsMakeOneWorldPerTenMilliseconds() async throws {
    let (node, fake) = try await servingNode()
    let start = fake.worlds.count
    for round in 0..<1_000 {
      try await node.apply(.probe(round % 2 == 0 ? .failed(.web(1)) : .passed(.web(1))))
      fake.advance(.microseconds(100))
    }
    // 100 ms of flapping: the first at once, then at most one per spacing.
    #expect((2...11).contains(fake.worlds.count - start), "\(fake.worlds.count - start)")
    try await node.apply(.probe(.failed(.web(1))))
    let deadline = try #require(await node.nextDeadline)
    fake.advance(deadline - fake.ports.now())
    try await node.apply(.tick)
    #expect(fake.worlds.last?.standings[0][0].verdict.takesTraffic == false)
    #expect(await node.nextDeadline == nil)
  }

  @Test func changesThatArriveTogetherMakeOneWorld() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.probe(.failed(.web(1))))
    let count = fake.worlds.count
    try await node.apply(.probe(.failed(.web(2))))
    try await node.apply(.probe(.failed(.web(3))))
    #expect(fake.worlds.count == count)
    fake.advance(Node.spacing)
    try await node.apply(.tick)
    #expect(fake.worlds.count == count + 1)
    #expect(fake.worlds.last?.standings[0].filter(\.verdict.takesTraffic).isEmpty == true)
  }

  @Test func whatASnapshotShowsIsInForce() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.probe(.failed(.web(1))))
    try await node.apply(.probe(.failed(.web(2))))
    let shown = await node.snapshot()
    #expect(shown.standings[0][1].verdict.state == .down)
    #expect(fake.worlds.last?.standings == shown.standings)
    // Whoever asks often does not make more Worlds than there are changes.
    let count = fake.worlds.count
    for _ in 0..<20 { _ = await node.snapshot() }
    #expect(fake.worlds.count == count)
  }

  @Test func aSnapshotDoesNotHurryWhatTheDataPlaneRefused() async throws {
    let (node, fake) = try await servingNode()
    fake.fail("no memory")
    try await node.apply(.probe(.failed(.web(1))))
    _ = await node.snapshot()
    let refusals = await node.events(after: 0).events.filter { $0.kind == .refused }
    #expect(refusals.count == 1)
    #expect(await node.nextDeadline == fake.ports.now() + Node.retry)
  }

  @Test func aWorldThatFailsForAVerdictIsTriedAgain() async throws {
    let (node, fake) = try await servingNode()
    fake.fail("no memory")
    try await node.apply(.probe(.failed(.web(1))))
    #expect(await node.nextDeadline == fake.ports.now() + Node.retry)
    fake.fail(nil)
    fake.advance(Node.retry)
    try await node.apply(.tick)
    #expect(fake.worlds.last?.standings[0][0].verdict.takesTraffic == false)
  }

  @Test func anOverrideIsInForceWhenApplyReturnsAndStopsProbesInMaintenance() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.override(.web(1), .state(.maintenance)))
    try await node.apply(.override(.web(2), .weight(7)))
    let standings = try #require(fake.worlds.last).standings[0]
    #expect(standings.map(\.state) == [.maintenance, .ready, .ready])
    #expect(standings[0].effectiveWeight == 0 && !standings[0].acceptsPersistent)
    #expect(standings[1].weight == 7)
    #expect(fake.probes.last?.map(\.key) == [.web(2), .web(3)])
    await #expect(throws: Refusal.noSuchPool("x")) {
      try await node.apply(.override(BackendKey(pool: "x", backend: "y"), .weight(1)))
    }
    await #expect(throws: Refusal.noSuchBackend(.web(9))) { try await node.apply(.override(.web(9), .weight(1))) }
  }

  @Test func anOverrideEndsWhenTheFileSaysSomethingNewOfItsBackend() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.override(.web(1), .weight(7)))
    try await node.apply(.override(.web(2), .weight(8)))
    try await node.apply(.load(.sample { $0.pools[0].backends[0].weight = 50 }))
    #expect(fake.worlds.last?.standings[0].map(\.weight) == [50, 8, 100])
    let dropped = await node.events(after: 0).events.filter { $0.kind == .dropped }
    #expect(dropped.map(\.subject) == ["web/b1"])
  }

  @Test func verdictsAndOrdersAreInTheLog() async throws {
    let (node, fake) = try await servingNode()
    let (_, next) = await node.events(after: 0)
    try await node.apply(.probe(.failed(.web(2))))
    try await node.apply(.override(.web(1), .state(.drain)))
    await node.drain()
    let events = await node.events(after: next).events
    #expect(events.map(\.kind) == [.down, .override, .draining])
    #expect(events.map(\.subject) == ["web/b2", "web/b1", ""])
    #expect(!fake.state.withLock { $0.isAccepting })
  }

  @Test func aDrainingNodeRefusesChangesAndRunsNoProbes() async throws {
    let (node, fake) = try await servingNode()
    await node.drain()
    #expect(fake.probes.last == [])
    await #expect(throws: Refusal.draining) { try await node.apply(.load(.sample())) }
    await #expect(throws: Refusal.draining) { try await node.apply(.override(.web(1), .weight(1))) }
  }

  @Test func whatIsPostedIsTakenInByRun() async throws {
    let fake = FakePorts()
    let node = Node(version: "test") { _ in fake.ports }
    let running = Task { await node.run(sleep: { _ in try await Task.sleep(for: .seconds(3600)) }) }
    await node.begin(.sample(backends: 1))
    node.post(.probe(.passed(.web(1))))
    try await node.settled()
    #expect(fake.worlds.count == 1)
    running.cancel()
    await running.value
  }

  @Test func anEjectionEndsWhenItsTimeIsUp() async throws {
    let (node, fake) = try await servingNode(.sample { $0.pools[0].outlier = OutlierPolicy() })
    try await node.apply(.outlier(OutlierTrip(key: .web(1), failures: 5, reason: "connection reset")))
    #expect(fake.worlds.last?.standings[0].map(\.verdict.state) == [.ejected, .up, .up])
    #expect(await node.nextDeadline == fake.ports.now() + .seconds(10))
    fake.advance(.seconds(10))
    try await node.apply(.tick)
    #expect(fake.worlds.last?.standings[0][0].verdict.takesTraffic == true)
    #expect(await node.events(after: 0).events.suffix(2).map(\.kind) == [.ejected, .up])
  }

  @Test func aBackendThatComesBackWarmsUpTickByTick() async throws {
    let (node, fake) = try await servingNode(.sample { $0.pools[0].slowStart = .seconds(10) })
    try await node.apply(.probe(.failed(.web(1))))
    fake.advance(.seconds(1))
    try await node.apply(.probe(.passed(.web(1))))
    var weights: [Int] = []
    while let deadline = await node.nextDeadline {
      weights.append(try #require(fake.worlds.last).standings[0][0].effectiveWeight)
      fake.advance(deadline - fake.ports.now())
      try await node.apply(.tick)
    }
    #expect(weights.count >= 20 && weights == weights.sorted(), "\(weights)")
    #expect(fake.worlds.last?.standings[0].map(\.verdict.state) == [.up, .up, .up])
  }

  @Test func anAgentsLineCountsAndABadOneIsToldOnce() async throws {
    let (node, fake) = try await servingNode(.sample { $0.pools[0].agent = AgentCheck(port: 9000) })
    #expect(fake.probes.last?.count == 6)
    try await node.apply(.probe(.agent(.web(1), "50% drain\n")))
    let standing = try #require(fake.worlds.last).standings[0][0]
    #expect(standing.state == .drain && standing.effectiveWeight == 0)
    for _ in 0..<5 { try await node.apply(.probe(.agent(.web(1), "sleepy"))) }
    #expect(await node.events(after: 0).events.filter { $0.kind == .agent }.count == 2)
  }

  @Test func whatWasKnownBeforeMaintenanceIsForgotten() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.override(.web(1), .state(.maintenance)))
    try await node.apply(.override(.web(1), .state(.ready)))
    #expect(fake.worlds.last?.standings[0].map(\.verdict.takesTraffic) == [false, true, true])
    try await node.apply(.probe(.passed(.web(1))))
    fake.advance(.seconds(1))
    try await node.apply(.tick)
    #expect(fake.worlds.last?.standings[0].map(\.verdict.takesTraffic) == [true, true, true])
  }

  @Test func aPreviewSaysWhatMovesAndMovesNothing() async throws {
    let (node, fake) = try await servingNode(.sample(backends: 1))
    let count = fake.worlds.count
    let text = await node.baseline.preview(.sample(backends: 2)).description
    #expect(text.contains("b1: 100.0% -> 50.0%"), "\(text)")
    #expect(fake.worlds.count == count)
    #expect(await node.baseline.preview(.sample(backends: 1)).isEmpty)
  }
}
