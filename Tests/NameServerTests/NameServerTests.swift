import DNS
import Kernel
import Model
import NameServer
import Synchronization
import Telemetry
import Testing

/// A World through the driver, without clients: what the balanced names are answered with.
@Suite struct NameServerTests {
  private static let zone = ZoneSource(
    name: "z.test.", file: "t",
    texts: [
      ZoneText(path: "t", bytes: Array("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n".utf8))
    ])

  private func world(_ name: BalancedName, down: Set<String> = [], since seconds: Int64 = 0) -> World {
    var topology = Topology()
    var pool = Pool(name: "web", backends: [])
    for index in 1...3 {
      pool.backends.append(
        Backend(name: "b\(index)", address: .ip(Endpoint(IPAddress(10, 0, 0, UInt8(index)), 80))))
    }
    topology.pools = [pool]
    var names = NameService()
    var source = Self.zone
    source.balanced = [name.name: name.name]
    names.zones = [source]
    names.names = [name]
    names.workers = 1
    topology.names = names
    let standings = pool.backends.enumerated().map { index, backend in
      let isUp = !down.contains(backend.name)
      return Standing(
        slot: BackendSlot(UInt32(index)),
        verdict: Verdict(isUp ? .up : .down, reason: "t", since: Instant(nanoseconds: seconds * 1_000_000_000)),
        state: .ready, weight: 100, effectiveWeight: isUp ? 10_000 : 0, acceptsPersistent: isUp)
    }
    return World(generation: 1, topology: topology, standings: [standings])
  }

  @Test func aPoolIsSpeltOutAndFollowsItsVerdicts() throws {
    let server = try NameServer(loads: { [:] })
    defer { server.stop() }
    let name = BalancedName(name: "api.z.test.", root: NameGroup(.all, [NameChoice(.pool("web"))]))
    var wide = name
    wide.answers = 16
    try server.apply(world(wide))
    #expect(try server.answer("api.z.test", "A", client: nil).contains("10.0.0.3"))
    try server.apply(world(wide, down: ["b3"]))
    let text = try server.answer("api.z.test", "A", client: nil)
    #expect(text.contains("10.0.0.1") && text.contains("10.0.0.2") && !text.contains("10.0.0.3"))
    let report = try #require(server.report())
    #expect(report.names.first?.members.map(\.isUp) == [true, true, false])
    #expect(report.names.first?.members.map(\.source) == ["web/b1", "web/b2", "web/b3"])
  }

  @Test func aNameThatAnswersFromOthersSaysSoOnce() throws {
    let told = Mutex<[NameTurn]>([])
    let server = try NameServer(tell: { turns in told.withLock { $0 += turns } }, loads: { [:] })
    defer { server.stop() }
    let name = BalancedName(name: "api.z.test.", root: NameGroup(.all, [NameChoice(.pool("web"))]))
    // Its first addresses are no change, and a World like the one before is none.
    for down in [[], [], ["b3"], ["b3"]] as [Set<String>] { try server.apply(world(name, down: down)) }
    var turn = NameTurn(name: "api.z.test")
    (turn.usable, turn.all, turn.well, turn.isWell) = (2, 3, 2, false)
    (turn.gone, turn.backends) = ([IPAddress(10, 0, 0, 3)], [BackendKey(pool: "web", backend: "b3")])
    #expect(told.withLock { $0 } == [turn])
    #expect(turn.description == "answers from 2 of 3 addresses, without 10.0.0.3")
    // It flaps: what has become of it is told some seconds later, and nothing where it is as it was.
    for down in [[], ["b1"], ["b3"]] as [Set<String>] { try server.apply(world(name, down: down)) }
    #expect(told.withLock { $0.count } == 1)
  }

  @Test func aNameThatFallsBackOnAllSaysThatNoneIsWell() {
    var turn = NameTurn(name: "api.z.test.")
    (turn.usable, turn.all, turn.back) = (3, 3, [IPAddress(10, 0, 0, 1), IPAddress(10, 0, 0, 2)])
    #expect(turn.description == "answers from 3 of 3 addresses, though none is well")
    (turn.usable, turn.all, turn.back) = (0, 3, [])
    #expect(turn.description == "answers from none of 3 addresses")
    (turn.usable, turn.all, turn.well) = (5, 5, 5)
    turn.back = (1...5).map { IPAddress(10, 0, 0, $0) }
    #expect(turn.description == "answers from 5 of 5 addresses, with 10.0.0.1, 10.0.0.2, 10.0.0.3 and 2 more again")
  }

  @Test func aVerdictThatMayChangeShortensTheTTL() throws {
    let server = try NameServer(loads: { [:] })
    defer { server.stop() }
    var name = BalancedName(name: "api.z.test.", root: NameGroup(.roundRobin, [NameChoice(.pool("web"))]))
    name.settle = .zero
    try server.apply(world(name, since: -1_000_000))
    #expect(server.report()?.names.first?.ttl == 60)
    server.pace([BackendKey(pool: "web", backend: "b2"): true])
    #expect(server.report()?.names.first?.ttl == 5)
    server.pace([BackendKey(pool: "web", backend: "b2"): false])
    #expect(server.report()?.names.first?.ttl == 60)
  }

  @Test func aSiteThatIsDownOrDrainedLeavesForTheNext() throws {
    let server = try NameServer(loads: { [:] })
    defer { server.stop() }
    let name = BalancedName(
      name: "api.z.test.", root: NameGroup(.failover, [NameChoice(.site("eu")), NameChoice(.site("us"))]))
    var first = world(name)
    var names = try #require(first.topology.names)
    names.sites = [
      Site(name: "eu", addresses: [IPAddress(192, 0, 2, 1)]), Site(name: "us", addresses: [IPAddress(192, 0, 2, 2)]),
    ]
    var topology = first.topology
    topology.names = names
    first = World(generation: 2, topology: topology, standings: first.standings)
    func standing(_ state: SiteStanding.State) -> SiteStanding {
      SiteStanding(state, isUp: state == .up, reason: "t", since: Instant(nanoseconds: 0))
    }
    first.sites = ["eu": standing(.up), "us": standing(.up)]
    try server.apply(first)
    #expect(try server.answer("api.z.test", "A", client: nil).contains("192.0.2.1"))
    first.sites["eu"] = standing(.drained)
    try server.apply(first)
    #expect(try server.answer("api.z.test", "A", client: nil).contains("192.0.2.2"))
    // Its end comes within the second, and no answer outlives it.
    first.sites["eu"]?.until = Clock.now() + .milliseconds(900)
    try server.apply(first)
    #expect(server.report()?.names.first?.ttl == 0)
    first.sites["us"] = standing(.down)
    try server.apply(first)
    // Nobody is well: the fallback is everybody.
    #expect(try server.answer("api.z.test", "A", client: nil).contains("192.0.2.1"))
  }

  @Test func aZoneThatCannotBeReadChangesNothing() throws {
    let server = try NameServer(loads: { [:] })
    defer { server.stop() }
    let name = BalancedName(name: "api.z.test.", root: NameGroup(.all, [NameChoice(.pool("web"))]))
    try server.apply(world(name))
    var broken = world(name)
    var topology = broken.topology
    topology.names?.zones[0].texts[0].bytes += Array("x A 1.2.3\n".utf8)
    broken = World(generation: 3, topology: topology, standings: broken.standings)
    #expect(throws: NameServerError.self) { try server.apply(broken) }
    #expect(try server.answer("ns.z.test", "A", client: nil).contains("192.0.2.53"))
  }
}
