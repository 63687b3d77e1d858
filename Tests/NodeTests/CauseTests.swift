import Health
import Model
import Node
import Planner
import Testing

/// From what happened last to what began it, by the links of events.
private func chain(_ node: Node, from kind: Event.Kind) async throws -> [Event.Kind] {
  let events = await node.events(after: 0).events
  var kinds: [Event.Kind] = []
  var next = events.last { $0.kind == kind }
  while let event = next {
    kinds.append(event.kind)
    // A cause comes before what it leads to.
    if let cause = event.cause { #expect(cause < event.id) }
    next = event.cause.flatMap { cause in events.first { $0.id == cause } }
  }
  return kinds
}

private func announcing(_ topology: inout Topology) {
  var bgp = BGPTopology(localAS: 65001, identifier: 1)
  var web = BGPAnnouncement(name: "web", prefixes: [IPPrefix(host: IPAddress(203, 0, 113, 1))])
  web.conditions = [.init(.pool("web"), healthy: .count(2))]
  (web.upAfter, web.downAfter) = (.zero, .seconds(3))
  bgp.announcements = [web]
  topology.bgp = bgp
  var vip = VIP(name: "front", interface: "eth0", addresses: [VIPAddress(IPAddress(10, 0, 0, 9))], virtualRouter: 5)
  vip.tracks = [VIPTrack(.pool("web"), .weight(-50))]
  topology.vips = [vip]
}

private func report(_ kind: VIPReport.Kind, _ message: String, own: Bool) -> Change {
  var report = VIPReport(vip: "front", kind: kind, message: message)
  report.isOwnDoing = own
  return .vip(.report(report))
}

@Suite(.timeLimit(.minutes(1))) struct CauseTests {
  @Test func aWithdrawalLeadsBackToTheProbeThatFailed() async throws {
    let (node, fake) = try await servingNode(.sample(backends: 2, announcing))
    try await node.apply(.probe(.failed(.web(1))))
    // Not yet: it waits for `down-after`, and has its cause all the same.
    #expect(await node.events(after: 0).events.allSatisfy { $0.kind != .withdrawn })
    fake.advance(.seconds(3))
    try await node.apply(.tick)
    #expect(try await chain(node, from: .withdrawn) == [.withdrawn, .down])
    let events = await node.events(after: 0).events
    let down = try #require(events.last { $0.kind == .down })
    #expect(down.subject == "web/b1" && down.message.contains("refused"))
    try await node.apply(.probe(.passed(.web(1))))
    #expect(try await chain(node, from: .announced) == [.announced, .up])
  }

  @Test func anOrderLeadsToAll() async throws {
    let (node, fake) = try await servingNode(.sample(backends: 2, announcing))
    try await node.apply(.override(.web(1), .state(.maintenance)))
    fake.advance(.seconds(3))
    try await node.apply(.tick)
    #expect(try await chain(node, from: .withdrawn) == [.withdrawn, .override])
    try await node.apply(.override(.web(1), .state(.ready)))
    #expect(try await chain(node, from: .down) == [.down, .override])
  }

  @Test func aVirtualAddressMovesForWhatFailed() async throws {
    let (node, _) = try await servingNode(.sample(backends: 2, announcing))
    for number in [1, 2] { try await node.apply(.probe(.failed(.web(number)))) }
    try await node.apply(report(.vip, "priority 100 -> 50", own: true))
    #expect(try await chain(node, from: .vip) == [.vip, .down])
    try await node.apply(report(.backup, "outranked", own: true))
    #expect(try await chain(node, from: .backup) == [.backup, .vip, .down])
    // What another node led to has no cause here.
    try await node.apply(report(.active, "nobody was heard", own: false))
    #expect(try await chain(node, from: .active) == [.active])
  }

  @Test func aSiteIsDownForTheAddressThatFailed() async throws {
    let key = BackendKey(pool: Site.pool(of: "eu"), backend: "10.0.0.1")
    let (node, _) = try await servingNode(
      .sample(backends: 1) {
        var pool = $0.pools[0]
        pool.name = key.pool
        pool.backends[0].name = key.backend
        $0.pools.append(pool)
        var names = NameService()
        names.sites = [Site(name: "eu", addresses: [IPAddress(10, 0, 0, 1)])]
        $0.names = names
      })
    try await node.apply(.probe(.failed(key)))
    let last = try #require(await node.events(after: 0).events.last)
    #expect(last.message.hasPrefix("site eu is down"))
    #expect(try await chain(node, from: .down) == [.down, .down])
  }

  @Test func aNameAnswersFromOthersForTheVerdictOrTheSite() async throws {
    let key = BackendKey(pool: Site.pool(of: "eu"), backend: "10.0.0.1")
    let (node, fake) = try await servingNode(
      .sample(backends: 2) {
        var pool = $0.pools[0]
        pool.name = key.pool
        pool.backends = [pool.backends[0]]
        pool.backends[0].name = key.backend
        $0.pools.append(pool)
        var names = NameService()
        names.sites = [Site(name: "eu", addresses: [IPAddress(10, 0, 0, 1)])]
        $0.names = names
      })
    var turn = NameTurn(name: "api.z.test")
    (turn.backends, turn.isWell) = ([.web(1)], false)
    try await node.apply(.probe(.failed(.web(1))))
    try await node.apply(.override(.web(2), .state(.drain)))
    try await node.apply(.names([turn]))
    #expect(try await chain(node, from: .name) == [.name, .down])
    turn.backends = [.web(2)]
    try await node.apply(.names([turn]))
    #expect(try await chain(node, from: .name) == [.name, .override])
    // By way of the site.
    try await node.apply(.probe(.failed(key)))
    fake.advance(Node.spacing)
    try await node.apply(.tick)
    (turn.backends, turn.sites) = ([key], ["eu"])
    try await node.apply(.names([turn]))
    #expect(try await chain(node, from: .name) == [.name, .down, .down])
    // Whatever is said of its address afterwards.
    try await node.apply(.override(key, .state(.drain)))
    try await node.apply(.names([turn]))
    #expect(try await chain(node, from: .name) == [.name, .down, .down])
    // Long after: it was something else.
    fake.advance(.seconds(60))
    try await node.apply(.names([turn]))
    #expect(try await chain(node, from: .name) == [.name])
  }

  @Test func whatIsLongPastLedToNothing() async throws {
    let (node, fake) = try await servingNode(.sample(backends: 2, announcing))
    try await node.apply(.probe(.failed(.web(1))))
    fake.advance(.seconds(60))
    try await node.apply(report(.fault, "fault", own: true))
    #expect(try await chain(node, from: .fault) == [.fault])
  }

  @Test func aFileLeadsToItsNewcomers() async throws {
    let (node, _) = try await servingNode(.sample(backends: 2))
    try await node.apply(.load(.sample(backends: 3)))
    #expect(try await chain(node, from: .down) == [.down, .applied])
  }

  @Test func theCauseIsGivenByWhoeverActs() async throws {
    let (node, _) = try await servingNode(.sample(backends: 2))
    let event = await node.note(.rollout, "web: order: next")
    try await node.apply(.override(.web(1), .state(.drain)), because: event)
    #expect(try await chain(node, from: .override) == [.override, .rollout])
    try await node.apply(.probe(.failed(.web(2))))
    let down = await node.events(after: 0).events.last?.id
    #expect(await node.fall(of: .web(2)) == down)
    #expect(await node.fall(of: .web(1)) == nil)
  }
}
