import Health
import Model
import Node
import Synchronization
import Testing

/// One process of a node hands over to the next: the same clock, other ports.
@Suite(.timeLimit(.minutes(1))) struct HandoverTests {
  /// What the speakers of the next process are told.
  private final class Speakers: Sendable {
    let log = Mutex<[String]>([])
    func note(_ text: String) { log.withLock { $0.append(text) } }
    var all: [String] { log.withLock { $0 } }
  }

  private func successor(
    _ memory: NodeMemory, _ topology: Topology, at now: Instant, _ speakers: Speakers = Speakers()
  ) async throws -> (Node, FakePorts) {
    let fake = FakePorts()
    fake.state.withLock { $0.now = now }
    let node = Node(version: "next") { _ in
      var ports = fake.ports
      ports.vips.apply = { speakers.note("run \($0.map(\.vip.name))") }
      ports.vips.resume = { speakers.note("resume \($0)") }
      return ports
    }
    await node.recall(memory)
    await node.begin(topology)
    return (node, fake)
  }

  @Test func theNextProcessServesAtOnceWithWhatWasKnown() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.probe(.failed(.web(1))))
    try await node.apply(.override(.web(2), .state(.drain)))
    try await node.apply(.override(.web(3), .weight(7)))
    let before = try #require(fake.worlds.last)
    let events = await node.events(after: 0)
    let memory = try await node.beginHandover()

    let (next, other) = try await successor(memory, .sample(), at: fake.ports.now())
    try await next.apply(.tick)
    try await next.settled()
    let after = try #require(other.worlds.last)
    #expect(after.generation == before.generation + 1)
    #expect(after.standings[0].map(\.verdict) == before.standings[0].map(\.verdict))
    #expect(after.standings[0].map(\.state) == [.ready, .drain, .ready])
    #expect(after.standings[0].map(\.weight) == [100, 100, 7])
    #expect(await next.events(after: 0).events.prefix(events.events.count) == events.events[...])
  }

  @Test func aNewFileHasTheLastWordOnOverridesAndAddresses() async throws {
    let (node, fake) = try await servingNode()
    try await node.apply(.override(.web(1), .weight(7)))
    try await node.apply(.override(.web(2), .weight(8)))
    let memory = try await node.beginHandover()
    let changed = Topology.sample { topology in
      topology.pools[0].backends[0].weight = 50
      topology.pools[0].backends[2].address = .unix("/moved")
    }
    let (next, other) = try await successor(memory, changed, at: fake.ports.now())
    try await next.apply(.tick)
    // Who moved is asked first.
    #expect(other.worlds.isEmpty)
    try await next.apply(.probe(.passed(.web(3))))
    #expect(other.worlds.last?.standings[0].map(\.weight) == [50, 8, 100])
  }

  @Test func nothingChangesWhileAProcessIsAboutToTakeOver() async throws {
    let (node, _) = try await servingNode()
    _ = try await node.beginHandover()
    await #expect(throws: Refusal.upgrading) { try await node.apply(.override(.web(1), .weight(7))) }
    await #expect(throws: Refusal.upgrading) { try await node.apply(.load(.sample(backends: 1))) }
    await #expect(throws: Refusal.upgrading) { _ = try await node.beginHandover() }
    await node.keepOn("it hangs")
    try await node.apply(.override(.web(1), .weight(7)))
    #expect(await node.events(after: 0).events.contains { $0.kind == .upgrade && $0.message.contains("it hangs") })
  }

  @Test func whoStopsHandsOverToNobody() async throws {
    let (node, _) = try await servingNode()
    _ = try await node.beginHandover()
    await node.drain()
    #expect(await node.letGo(to: 1) == nil)
    await #expect(throws: Refusal.draining) { _ = try await node.beginHandover() }
  }

  @Test func virtualAddressesAreTheOldProcesssUntilItLetsGo() async throws {
    let wanted = Topology.sample { topology in
      topology.vips = [
        VIP(name: "front", interface: "eth0", addresses: [VIPAddress(IPAddress(192, 0, 2, 1))], virtualRouter: 51)
      ]
    }
    let (node, fake) = try await servingNode(wanted)
    let memory = try await node.beginHandover()
    let speakers = Speakers()
    let (next, _) = try await successor(memory, wanted, at: fake.ports.now(), speakers)
    try await next.apply(.tick)
    try await next.settled()
    #expect(speakers.all.isEmpty)
    await next.takeOver(active: ["front"])
    #expect(speakers.all == ["resume [\"front\"]", "run [\"front\"]"])
  }

  @Test func anEjectionEndsWhenItWouldHave() async throws {
    let ejecting = Topology.sample { $0.pools[0].outlier = OutlierPolicy() }
    let (node, fake) = try await servingNode(ejecting)
    try await node.apply(.outlier(OutlierTrip(key: .web(1), failures: 5, reason: "reset")))
    #expect(fake.worlds.last?.standings[0][0].verdict.state == .ejected)
    let memory = try await node.beginHandover()
    let (next, other) = try await successor(memory, ejecting, at: fake.ports.now())
    try await next.apply(.tick)
    #expect(other.worlds.last?.standings[0][0].verdict.state == .ejected)
    other.advance(.seconds(3_600))
    try await next.apply(.tick)
    #expect(other.worlds.last?.standings[0][0].verdict.state == .up)
  }
}
