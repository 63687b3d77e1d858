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
