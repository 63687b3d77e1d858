import Health
import Model
import Node
import Planner
import Synchronization
import Testing

private let vip = IPPrefix(host: IPAddress(203, 0, 113, 1))

/// The orders that the speakers got.
private final class FakeSpeakers: Sendable {
  let orders = Mutex<[BGPOrder]>([])
  let prepared = Mutex<[BGPTopology?]>([])

  var port: BGPPort {
    var port = BGPPort()
    port.apply = { order in self.orders.withLock { $0.append(order) } }
    port.prepare = { topology in self.prepared.withLock { $0.append(topology) } }
    return port
  }

  var last: BGPOrder? { orders.withLock { $0.last } }
  var count: Int { orders.withLock { $0.count } }
}

private func announcing(_ topology: inout Topology) {
  var bgp = BGPTopology(localAS: 65001, identifier: 1)
  var web = BGPAnnouncement(name: "web", prefixes: [vip])
  web.conditions = [.init(.pool("web"), healthy: .count(2))]
  web.upAfter = .zero
  bgp.announcements = [web]
  bgp.drain.convergence = .milliseconds(50)
  bgp.drain.settle = .zero
  topology.bgp = bgp
}

private func started(backends: Int = 3) async throws -> (Node, FakePorts, FakeSpeakers) {
  let (fake, speakers) = (FakePorts(), FakeSpeakers())
  let node = Node(version: "test") { _ in
    var ports = fake.ports
    ports.bgp = speakers.port
    return ports
  }
  await node.begin(.sample(backends: backends, announcing))
  return (node, fake, speakers)
}

@Suite(.timeLimit(.minutes(1))) struct AnnouncementTests {
  @Test func sessionsStartAtOnceAndRoutesWaitForFirstVerdicts() async throws {
    let (node, _, speakers) = try await started(backends: 2)
    #expect(speakers.last?.topology != nil && speakers.last?.routes == nil)
    try await node.apply(.probe(.passed(.web(1))))
    #expect(speakers.count == 1)
    try await node.apply(.probe(.passed(.web(2))))
    #expect(speakers.last?.routes?.keys.map(\.self) == [vip])
  }

  @Test func aVerdictIsToldToRoutersBeforeTheWorldIsPublished() async throws {
    let (node, fake, speakers) = try await started(backends: 2)
    for number in 1...2 { try await node.apply(.probe(.passed(.web(number)))) }
    // Within the spacing of Worlds, and all the same at once.
    let worlds = fake.worlds.count
    try await node.apply(.probe(.failed(.web(1))))
    #expect(speakers.last?.routes == [:] && fake.worlds.count == worlds)
    #expect(await node.events(after: 0).events.contains { $0.kind == .withdrawn && $0.subject == "announcement web" })
    let told = speakers.count
    try await node.apply(.probe(.failed(.web(1))))
    #expect(speakers.count == told)
  }

  @Test func operatorsOrdersAndTheirRefusals() async throws {
    let (node, _, speakers) = try await started(backends: 2)
    for number in 1...2 { try await node.apply(.probe(.passed(.web(number)))) }
    try await node.apply(.announcement(.withdraw("web")))
    #expect(speakers.last?.routes == [:])
    try await node.apply(.announcement(.automatic("web")))
    #expect(speakers.last?.routes?.count == 1)
    await #expect(throws: Refusal.noSuchAnnouncement("wen")) { try await node.apply(.announcement(.withdraw("wen"))) }
    await #expect(throws: Refusal.noGracefulRestart) { try await node.planRestart() }
  }

  @Test func aDrainedBackendCountsAsGone() async throws {
    let (node, _, speakers) = try await started(backends: 2)
    for number in 1...2 { try await node.apply(.probe(.passed(.web(number)))) }
    try await node.apply(.override(.web(1), .state(.drain)))
    #expect(speakers.last?.routes == [:])
  }

  @Test func aRefusedReloadTakesItsAddressesBack() async throws {
    let (node, fake, speakers) = try await started(backends: 2)
    for number in 1...2 { try await node.apply(.probe(.passed(.web(number)))) }
    let before = try #require(speakers.last)
    fake.fail("address in use")
    var next = Topology.sample(backends: 2, announcing)
    next.bgp?.announcements[0].prefixes.append(IPPrefix(host: IPAddress(203, 0, 113, 2)))
    next.listeners[0].name = "other"
    await #expect(throws: Refusal.self) { try await node.apply(.load(next)) }
    #expect(speakers.prepared.withLock { $0.last??.announcements[0].prefixes.count } == 2)
    #expect(speakers.last == before)
  }

  @Test func aNodeWithoutPeersLeavesAtOnce() async throws {
    let (node, _, speakers) = try await started(backends: 2)
    for number in 1...2 { try await node.apply(.probe(.passed(.web(number)))) }
    await node.leave()
    #expect(speakers.last?.routes?.count == 1)
  }

  @Test func withoutTheSectionNothingIsOrdered() async throws {
    let (fake, speakers) = (FakePorts(), FakeSpeakers())
    let node = Node(version: "test") { _ in
      var ports = fake.ports
      ports.bgp = speakers.port
      return ports
    }
    await node.begin(.sample(probed: false))
    try await node.apply(.tick)
    #expect(speakers.count == 0)
    await #expect(throws: Refusal.noBGP) { try await node.apply(.announcement(.drain)) }
  }
}
