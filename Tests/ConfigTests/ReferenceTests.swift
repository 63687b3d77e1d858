import Config
import Foundation
import Model
import Testing

/// The file that names every key, value by value.
@Suite struct ReferenceTests {
  private let topology: Topology

  init() throws {
    let text = try String(contentsOf: referenceFile, encoding: .utf8)
    topology = try Config.load(text, file: "reference.yaml", baseDirectory: "/etc/sluice").topology
  }

  private func pool(_ name: String) throws -> Pool { try #require(topology.pools.first { $0.name == name }) }
  private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }
  private func address(_ text: String) throws -> SocketAddress { try #require(SocketAddress(text)) }

  @Test func theNode() {
    var expected = Topology()
    expected.accessLog = .syslog(SyslogTarget(address: .ip(Endpoint(.loopbackV4, 514)), facility: .local0))
    expected.accessLogTemplate = try? LogTemplate(
      "{client} [{time}] \"{method} {path}\" {status} {bytes} {duration_us} {backend} {reason}")
    expected.secret = "change-me-and-keep-me"
    expected.admin.socket = "/tmp/sluice-reference/admin.sock"
    expected.admin.bind = Endpoint(.loopbackV4, 9901)
    expected.admin.token = "a-long-random-token"
    expected.admin.readToken = "a-token-for-looking"
    expected.admin.metrics = Endpoint(.loopbackV4, 9145)
    expected.state = "/tmp/sluice-reference/state.db"
    var floating = FloatingSettings()
    floating.pools = [
      .init(
        name: "public", ranges: [IPAddress(203, 0, 113, 16)...IPAddress(203, 0, 113, 31)], device: "sl-absent0",
        vip: "front")
    ]
    floating.failovers = [
      .init(
        name: "shop", address: IPAddress(203, 0, 113, 16), pool: "db", servers: ["127.0.0.1:9021"],
        returns: true)
    ]
    expected.floating = floating
    expected.node.name = "lb-1"
    expected.node.site = "eu-1"
    var peers = PeerSettings(
      key: "a-long-random-key-of-all-nodes",
      nodes: [
        .init(name: "lb-1", address: Endpoint(.loopbackV4, 7946)),
        .init(name: "lb-2", address: Endpoint(IPAddress(127, 0, 0, 2), 7946)),
      ])
    peers.previousKey = "the-key-before-that-one"
    peers.bind = Endpoint(.loopbackV4, 7946)
    expected.peers = peers
    expected.tracing = Tracing()
    expected.tracing?.otlp = "http://127.0.0.1:4318/v1/traces"
    expected.listeners = topology.listeners
    expected.pools = topology.pools
    expected.names = topology.names
    expected.bgp = topology.bgp
    expected.vips = topology.vips
    #expect(topology == expected)
    #expect(topology.listeners.map(\.name) == ["web", "db", "dns"])
    #expect(
      topology.pools.map(\.name) == [
        "web", "api", "db", "dns", "calls", "us-front", "batch", "site:eu-1", "site:us-1", "dns:other.example.com.",
      ])
  }

  @Test func theVIPs() throws {
    var front = VIP(
      name: "front", interface: "sl-absent0",
      addresses: [
        VIPAddress(IPAddress(192, 0, 2, 10)), VIPAddress(IPAddress(192, 0, 2, 11), prefixLength: 24),
      ], virtualRouter: 51)
    front.companions = [VIPAddress(try #require(IPAddress("2001:db8::10")))]
    front.priority = 150
    front.interval = .milliseconds(100)
    front.preemptDelay = .seconds(10)
    front.source = IPAddress(192, 0, 2, 1)
    front.keys = [
      AdvertKey(id: 2, secret: "the-new-key-of-this-link"), AdvertKey(id: 1, secret: "the-old-key-of-this-link"),
    ]
    front.usesVirtualMAC = true
    front.group = "edge"
    front.announcing.refresh = .seconds(60)
    var script = Probe(kind: .exec(command: ["/bin/true"]))
    script.every = .seconds(5)
    script.timeout = .seconds(2)
    script.fall = 2
    front.tracks = [
      VIPTrack(.pool("web"), .weight(-100)), VIPTrack(.interface("sl-absent1"), .fault),
      VIPTrack(.listener("web"), .weight(-50)), VIPTrack(.script(script), .weight(20)),
    ]
    var back = VIP(
      name: "back", interface: "sl-absent0", addresses: [VIPAddress(IPAddress(198, 51, 100, 10))], virtualRouter: 52)
    back.version = .v2
    back.password = "s3cret"
    back.peers = [IPAddress(198, 51, 100, 2), IPAddress(198, 51, 100, 3)]
    back.minimumHopLimit = 64
    #expect(topology.vips == [front, back])
  }

  @Test func theHTTPListener() throws {
    var socket = Bind(.unix("/tmp/sluice-reference/web.sock"))
    socket.mode = 0o660
    var expected = Listener(
      name: "web", transport: .http,
      binds: [Bind(try address("127.0.0.1:8080")), Bind(try address("[::1]:8080")), socket], routes: [])
    expected.acceptProxyFrom = [try prefix("192.0.2.0/24")]
    expected.access.deny = [try prefix("198.51.100.7")]
    expected.limits.connectionRatePerSource = Rate(count: 200, period: .seconds(1), burst: 400)
    expected.limits.requestRatePerSource = Rate(count: 1000, period: .seconds(1), burst: 1000)
    expected.limits.bodyBytes = 100 << 20
    expected.http.via = "sluice"
    expected.http.maxRequests = 10_000
    var affinity = SiteAffinity(site: "eu-1")
    (affinity.cookie.maxAge, affinity.cookie.sameSite, affinity.cookie.secure) = (.seconds(86_400), "Lax", true)
    affinity.forward = [.init(site: "us-1", pool: "us-front")]
    expected.affinity = affinity
    expected.routes = topology.listeners[0].routes
    #expect(topology.listeners[0] == expected)
  }

  @Test func itsRoutes() throws {
    var match = Match()
    match.hosts = [.exact("shop.example.com"), .wildcard("shop.example.com")]
    match.path = .prefix("/api/")
    match.methods = ["GET", "POST"]
    match.headers = [
      .init(name: "x-version", test: .exact("2")), .init(name: "x-debug", test: .present),
      .init(name: "x-old", test: .absent),
      .init(name: "x-id", test: .regex("^[0-9]+$")),
    ]
    match.query = [.init(name: "page", test: .prefix("1"))]
    match.cookies = [.init(name: "beta", test: .exact("yes"))]
    match.sources = [try prefix("127.0.0.0/8"), try prefix("::1")]
    var api = Route(match: match, action: .pool("api"))
    api.name = "api"
    api.rewrite = .prefix("/v2/")
    api.requestHeaders = [
      .remove(name: "x-internal"), .set(name: "x-team", value: "shop"), .add(name: "x-hop", value: "sluice"),
    ]
    api.responseHeaders = [.remove(name: "server")]
    api.timeouts.request = .seconds(30)
    api.timeouts.perTry = .seconds(5)
    api.retry = RetryPolicy()
    api.retry?.attempts = 1
    var mirror = Mirror(pool: "batch")
    mirror.share = 0.1
    api.mirror = mirror

    var redirect = Redirect()
    redirect.status = 301
    redirect.scheme = "https"
    redirect.host = "shop.example.com"
    redirect.path = "/new"
    var old = Match()
    old.path = .exact("/old")

    var response = FixedResponse(status: 200)
    response.contentType = "text/plain"
    response.body = "ok\n"
    var health = Match()
    health.path = .regex("^/healthz?$")
    var attempt = Match()
    attempt.path = .prefix("/try")

    #expect(
      topology.listeners[0].routes == [
        api, Route(match: old, action: .redirect(redirect)), Route(match: health, action: .respond(response)),
        Route(
          match: attempt,
          action: .split([WeightedPool(pool: "web", weight: 90), WeightedPool(pool: "api", weight: 10)])),
        Route(action: .pool("web")),
      ])
  }

  @Test func theOtherListeners() throws {
    let db = Listener(
      name: "db", transport: .tcp, binds: [Bind(try address("127.0.0.1:5432"))], routes: [Route(action: .pool("db"))])
    var dns = Listener(
      name: "dns", transport: .udp, binds: [Bind(try address("127.0.0.1:5353"))], routes: [Route(action: .pool("dns"))])
    dns.udp.replies = 1
    #expect(Array(topology.listeners.dropFirst()) == [db, dns])
  }

  @Test func theWebPool() throws {
    var backends = try ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003", "127.0.0.1:9004", "127.0.0.1:9005"].map {
      Backend(name: $0, address: try address($0))
    }
    backends[1].name = "two"
    backends[1].weight = 50
    backends[1].maxConnections = 100
    backends[2].state = .drain
    backends[2].priority = 1
    backends[3].priority = 2
    backends[3].probePort = 9104
    backends[4].version = "green"
    var expected = Pool(name: "web", backends: backends)
    var http = HTTPProbe()
    http.path = "/healthz"
    http.host = "web.internal"
    http.headers = [HTTPField(name: "x-probe", value: "1")]
    http.expect = [200...299, 304...304]
    http.body = "ok"
    expected.probe = Probe(kind: .http(http))
    expected.probe?.fast = .milliseconds(500)
    expected.outlier = OutlierPolicy()
    expected.timeouts.drain = .seconds(300)
    var cookie = InsertedCookie(name: "SLUICE")
    (cookie.maxAge, cookie.sameSite) = (.seconds(3600), "Lax")
    expected.persistence = .cookie(cookie)
    expected.retry.onStatus = [503]
    expected.slowStart = .seconds(10)
    expected.panicThreshold = 0.5
    expected.priorityThreshold = 0.7
    expected.drift.weight = 50
    expected.versions.header = "x-version"
    expected.versions.cookie = "version"
    #expect(try pool("web") == expected)
  }

  @Test func theOtherPools() throws {
    let api = try pool("api")
    #expect(api.policy == .maglev(.header("x-user")))
    #expect(api.agent?.port == 9777 && api.agent?.send == Array("shop\n".utf8))
    #expect(api.persistence == .header(name: "x-session", idle: .seconds(1800), maxEntries: 100_000))
    let db = try pool("db")
    #expect(db.policy == .boundedLoad(.source, factor: 1.25))
    #expect(db.probe?.kind == .tcp(send: Array("PING\n".utf8), expect: "PONG"))
    #expect(db.persistence == .source(prefixV4: 32, prefixV6: 64, idle: .seconds(1800), maxEntries: 100_000))
    #expect(db.sendProxy == .v2)
    let dns = try pool("dns")
    #expect(dns.policy == .roundRobin)
    #expect(dns.probe?.kind == .udp(send: [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1], expect: nil))
    let batch = try pool("batch")
    #expect(batch.probe?.kind == .exec(command: ["/usr/local/bin/check-batch", "--quick"]))
    #expect(batch.probe?.every == .seconds(30) && batch.probe?.timeout == .seconds(10))
    #expect(
      batch.backends == [
        Backend(name: "unix:/tmp/sluice-reference/batch.sock", address: .unix("/tmp/sluice-reference/batch.sock"))
      ])
  }

  @Test func escapesAboveASCIIAreOneByteEach() throws {
    let text = Snippet.pool(#"probe: { udp: { send: "\x80\xff\u00e9\0" } }"#).text
    let topology = try Config.load(text, file: "f", baseDirectory: "/").topology
    #expect(topology.pools[0].probe?.kind == .udp(send: [0x80, 0xff, 0xe9, 0], expect: nil))
  }

  @Test func aBackupComesAfterThePoolsHighestPriority() throws {
    func priorities(_ items: String) throws -> [Int] {
      let text =
        "listeners: { a: { bind: 127.0.0.1:1, protocol: tcp, pool: p } }\npools: { p: { backends: [\(items)] } }"
      return try Config.load(text, file: "f", baseDirectory: "/").topology.pools[0].backends.map(\.priority)
    }
    #expect(
      try priorities(#"{ address: "127.0.0.1:1", backup: true }, { address: "127.0.0.1:2", priority: 4 }, 127.0.0.1:3"#)
        == [5, 4, 0])
    #expect(
      try priorities(#"{ address: "127.0.0.1:1", backup: true }, { address: "127.0.0.1:2", backup: true }"#) == [0, 0])
  }
}
