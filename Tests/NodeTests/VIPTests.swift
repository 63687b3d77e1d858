import Health
import Model
import Node
import Synchronization
import Testing

/// What the node orders of virtual addresses.
private final class Recorder: Sendable {
  let orders = Mutex<[[VIPOrder]]>([])
  let stops = Mutex(0)

  var last: [VIPOrder] { orders.withLock { $0.last ?? [] } }
}

private func topology(_ tracks: [VIPTrack] = [VIPTrack(.pool("web"), .weight(-100))]) -> Topology {
  .sample(backends: 2) { topology in
    var vip = VIP(
      name: "front", interface: "eth0", addresses: [VIPAddress(IPAddress(192, 0, 2, 1))], virtualRouter: 51)
    vip.tracks = tracks
    topology.vips = [vip]
  }
}

private func begun(_ topology: Topology) async throws -> (Node, FakePorts, Recorder) {
  let fake = FakePorts()
  let recorder = Recorder()
  let node = Node(version: "test") { _ in
    var ports = fake.ports
    ports.vips.apply = { orders in recorder.orders.withLock { $0.append(orders) } }
    ports.vips.stop = { recorder.stops.withLock { $0 += 1 } }
    return ports
  }
  await node.begin(topology)
  return (node, fake, recorder)
}

@Suite(.timeLimit(.minutes(1))) struct VIPTests {
  @Test func noAddressIsClaimedBeforeTheNodeServes() async throws {
    let (node, _, recorder) = try await begun(topology())
    try await node.apply(.probe(.passed(.web(1))))
    #expect(recorder.last.isEmpty)
    try await node.apply(.probe(.failed(.web(2))))
    #expect(recorder.last.map(\.vip.name) == ["front"])
    #expect(recorder.last[0].failing.isEmpty, "one backend is enough")
  }

  /// The kernel's connections, look by look, and what was ordered between them.
  private func handedOver(_ looks: [Set<UInt64>?], within limit: Duration = .seconds(5)) async throws -> [String] {
    let fake = FakePorts(), recorder = Recorder(), rest = Mutex(looks)
    let notes = Mutex<[String]>([])
    let node = Node(version: "test") { _ in
      var ports = fake.ports
      ports.vips.apply = { orders in
        recorder.orders.withLock { $0.append(orders) }
        if let wish = orders.first?.handover { notes.withLock { $0.append(wish.rawValue) } }
      }
      ports.parting.part = { addresses in if !addresses.isEmpty { notes.withLock { $0.append("part") } } }
      ports.parting.dropNew = { addresses in notes.withLock { $0.append(addresses.isEmpty ? "hear" : "drop") } }
      ports.parting.connections = { _ in
        // Each look takes as long as the drill's clock says.
        fake.advance(.milliseconds(100))
        notes.withLock { $0.append("look") }
        return rest.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
      }
      return ports
    }
    await node.begin(topology())
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: ""))))
    try await node.handOver("front", within: limit)
    let seen = notes.withLock { $0 }
    return Array(seen.prefix { $0 != "resign" }) + (seen.contains("resign") ? ["resign"] : [])
  }

  @Test func aHandOverWaitsForWhoWasThereThenForWhoCameMeanwhile() async throws {
    #expect(
      try await handedOver([[1, 2], [2, 3], [3, 4], [4], []])
        == ["part", "look", "look", "look", "drop", "look", "look", "look", "resign"])
  }

  @Test func whoWasAcceptedBehindTheFirstLookIsSeenByTheSecond() async throws {
    #expect(
      try await handedOver([[], [], [], [7], []])
        == ["part", "look", "look", "drop", "look", "look", "look", "look", "resign"])
  }

  @Test func newcomersAreHeardAgainWhereTheLastRequestsTakeTooLong() async throws {
    let seen = try await handedOver([[], []] + [Set<UInt64>?](repeating: [9], count: 9) + [[]])
    #expect(seen.filter { $0 != "look" } == ["part", "drop", "hear", "drop", "resign"])
  }

  @Test func aSecondHandOverDoesNotCutTheFirst() async throws {
    let fake = FakePorts(), isOpen = Mutex(true), looks = Mutex(0)
    let node = Node(version: "test") { _ in
      var ports = fake.ports
      ports.parting.connections = { _ in
        looks.withLock { $0 += 1 }
        return isOpen.withLock { $0 } ? [1] : []
      }
      return ports
    }
    await node.begin(topology())
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: ""))))
    async let first: Void = node.handOver("front", within: .seconds(5))
    while looks.withLock({ $0 }) == 0 { await Task.yield() }
    await #expect(throws: Refusal.handingOver) { try await node.handOver("front", within: .seconds(5)) }
    await #expect(throws: Refusal.handingOver) { try await node.handOver("front", within: .zero) }
    isOpen.withLock { $0 = false }
    try await first
  }

  @Test func whoNeverEndsIsWaitedForUntilTheLimitOnce() async throws {
    let seen = try await handedOver([[1]], within: .seconds(2))
    #expect(seen.filter { $0 != "look" } == ["part", "drop", "resign"])
    #expect(seen.count { $0 == "look" } == 22, "twenty looks until then, and two")
  }

  @Test func whereTheKernelDoesNotTellTheTimeIsWaitedOut() async throws {
    let seen = try await handedOver([nil], within: .seconds(1))
    #expect(seen.filter { $0 != "look" } == ["part", "drop", "resign"])
    #expect(seen.count { $0 == "look" } == 17)
  }

  @Test func aPoolWithoutHealthyBackendsFailsTheTrackAndItsReturnMendsIt() async throws {
    let (node, fake, recorder) = try await begun(topology())
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    fake.advance(.seconds(1))
    for number in [1, 2] {
      try await node.apply(.probe(.failed(.web(number))))
      fake.advance(.seconds(1))
      try await node.apply(.tick)
    }
    #expect(recorder.last[0].failing == ["pool web": "none of 2 backends takes new traffic: refused"])
    try await node.apply(.probe(.passed(.web(2))))
    #expect(recorder.last[0].failing.isEmpty)
  }

  @Test func aListenerFailsWithAllItsPools() async throws {
    let (node, fake, recorder) = try await begun(topology([VIPTrack(.listener("front"), .fault)]))
    for number in [1, 2] { try await node.apply(.probe(.failed(.web(number)))) }
    fake.advance(.seconds(1))
    #expect(recorder.last[0].failing.keys.sorted() == ["listener front"])
  }

  @Test func aScriptIsProbedAndCounts() async throws {
    var probe = Probe(kind: .exec(command: ["/bin/check"]))
    probe.fall = 1
    let (node, fake, recorder) = try await begun(topology([VIPTrack(.script(probe), .fault)]))
    let target = try #require(fake.probes.last?.first { $0.key.backend == "script /bin/check" })
    #expect(target.check == .probe(probe))
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    #expect(recorder.last.isEmpty, "its first word is waited for, too")
    try await node.apply(.probe(.passed(target.key)))
    #expect(recorder.last[0].failing.isEmpty)
    fake.advance(.seconds(1))
    try await node.apply(.probe(.failed(target.key)))
    #expect(recorder.last[0].failing == ["script /bin/check": "refused"])
  }

  @Test func anOrderLastsUntilTheFileSaysSomethingNew() async throws {
    let (node, _, recorder) = try await begun(topology())
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    try await node.apply(.vip(.handover("front", .release)))
    #expect(recorder.last[0].handover == .release)
    try await node.apply(.load(topology()))
    #expect(recorder.last[0].handover == .release)
    var changed = topology()
    changed.vips[0].priority = 7
    try await node.apply(.load(changed))
    #expect(recorder.last[0].handover == nil)
    await #expect(throws: Refusal.noSuchVIP("back")) { try await node.apply(.vip(.handover("back", .claim))) }
  }

  @Test func aDrainingNodeResignsFirst() async throws {
    let (node, _, recorder) = try await begun(topology())
    for number in [1, 2] { try await node.apply(.probe(.passed(.web(number)))) }
    await node.drain()
    #expect(recorder.stops.withLock { $0 } == 1)
  }

  @Test func reportsBecomeEvents() async throws {
    let (node, _, _) = try await begun(topology())
    try await node.apply(.vip(.report(VIPReport(vip: "front", kind: .active, message: "nobody was heard"))))
    let event = await node.events(after: 0).events.last
    #expect(event?.kind == .active)
    #expect(event?.subject == "front")
  }
}
