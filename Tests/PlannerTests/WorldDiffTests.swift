import Model
import Planner
import Testing

@Suite struct WorldDiffTests {
  func allUp(_ topology: Topology) -> World { Planner.plan(.allUp(topology, at: epoch), at: epoch) }

  func listener(_ name: String, port: UInt16) -> Listener {
    Listener(
      name: name, transport: .http, binds: [Bind(.ip(Endpoint(.anyV4, port)))], routes: [Route(action: .pool("web"))])
  }

  @Test func theSameIsNothing() {
    let world = allUp(topology(makePool([1, 2])))
    #expect(WorldDiff(from: world, to: world).isEmpty)
    #expect(WorldDiff(from: world, to: world).description == "nothing changes")
  }

  @Test func fromNothingAllIsAdded() {
    var wished = topology(makePool([3, 1]))
    wished.listeners = [listener("front", port: 80)]
    #expect(
      WorldDiff(from: nil, to: allUp(wished)).description == """
        + listener front
        + pool web
        + backend web/b0
        + backend web/b1
        traffic of pool web:
          b0: absent -> 75.0%
          b1: absent -> 25.0%
        """)
  }

  @Test func changesAreSaidInTrafficTerms() {
    var old = topology(makePool([1, 1]), makePool([1], name: "old"))
    old.listeners = [listener("front", port: 80), listener("gone", port: 81)]
    var pool = makePool([1, 2, 1])
    pool.policy = .maglev(.source)
    pool.slowStart = .seconds(10)
    pool.backends[0].state = .drain
    var new = topology(pool, makePool([1], name: "fresh"))
    new.listeners = [listener("front", port: 8080)]
    new.listeners[0].routes.append(Route(action: .pool("fresh")))
    new.listeners[0].limits.uriBytes = 1024
    new.workers = 2
    new.secret = "must not show"
    let diff = WorldDiff(from: allUp(old), to: allUp(new))
    #expect(
      diff.description == """
        - listener gone
        ~ listener front: binds 0.0.0.0:8080, no longer binds 0.0.0.0:80, routes 1 -> 2, limits
        - pool old
        ~ pool web: balance p2c -> maglev (source), slow-start 0ms -> 10000ms
        + pool fresh
        ~ backend web/b0: state ready -> drain
        ~ backend web/b1: weight 1 -> 2
        + backend web/b2
        + backend fresh/b0
        ~ node: workers auto -> 2, secret
        traffic of pool web:
          b0: 50.0% -> 0.0%
          b1: 50.0% -> 66.7%
          b2: absent -> 33.3%
        traffic of pool old:
          b0: 100.0% -> absent
        traffic of pool fresh:
          b0: absent -> 100.0%
        """)
  }

  @Test func theNameServersPartIsSaidToo() {
    var old = topology(makePool([1]))
    var service = NameService()
    service.zones = [ZoneSource(name: "z.test.", file: "z", texts: [ZoneText(path: "z", bytes: [1])])]
    service.sites = [Site(name: "eu", addresses: []), Site(name: "us", addresses: [])]
    service.names = [BalancedName(name: "api.z.test.", root: NameGroup(.failover, [NameChoice(.site("eu"))]))]
    old.names = service
    #expect(WorldDiff(from: allUp(old), to: allUp(old)).isEmpty)
    var new = old
    new.names?.udpLimit = 4096
    new.names?.zones[0].texts[0].bytes = [2]
    new.names?.sites[0].quorum = 2
    new.names?.sites[1].name = "ap"
    new.names?.names[0].root.policy = .all
    new.names?.names[0].longestTTL = 30
    #expect(
      WorldDiff(from: allUp(old), to: allUp(new)).description == """
        ~ dns: edns-buffer 1232 -> 4096
        ~ zone z.test.: records
        - site us
        ~ site eu: quorum more than half -> 2
        + site ap
        ~ name api.z.test.: balance failover -> all, longest ttl 60s -> 30s
        """)
    var none = old
    none.names = nil
    #expect(WorldDiff(from: allUp(old), to: allUp(none)).description.hasPrefix("- dns\n- zone z.test."))
  }

  @Test func healthAloneMovesTraffic() {
    let before = world(makePool([1, 1]), "uu"), after = world(makePool([1, 1]), "ud")
    let diff = WorldDiff(from: before, to: after)
    #expect(diff.changes.isEmpty)
    #expect(diff.shares.map(\.after) == [100, 0])
  }
}
