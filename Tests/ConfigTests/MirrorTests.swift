import Config
import Model
import Testing

/// `mirror` of a route: what a right one means, and what is said of a wrong one.
@Suite struct MirrorTests {
  private func text(_ route: String, protocol: String = "http") -> String {
    """
    listeners:
      web:
        bind: 127.0.0.1:1
        protocol: \(`protocol`)
        routes: [\(route)]
    pools:
      web: { backends: [127.0.0.1:2] }
      shadow: { backends: [127.0.0.1:3] }
      h2: { protocol: h2, backends: [127.0.0.1:4] }
    """
  }

  @Test func itsPoolMaySpeakHTTP2() throws {
    let loaded = try Config.load(
      text("{ pool: web, mirror: { pool: h2 } }"), file: "t.yaml", baseDirectory: "/nowhere")
    #expect(loaded.topology.listeners[0].routes[0].mirror == Mirror(pool: "h2"))
  }

  @Test func aRouteHasOne() throws {
    let plain = try Config.load(
      text("{ pool: web, mirror: { pool: shadow } }"), file: "t.yaml", baseDirectory: "/nowhere")
    #expect(plain.topology.listeners[0].routes[0].mirror == Mirror(pool: "shadow"))
    let route = "{ pool: web, mirror: { pool: shadow, share: 0.5%, body: 1KiB, in-flight: 3, timeout: 1s } }"
    let loaded = try Config.load(text(route), file: "t.yaml", baseDirectory: "/nowhere")
    var expected = Mirror(pool: "shadow")
    (expected.share, expected.body, expected.inFlight, expected.timeout) = (0.005, 1024, 3, .seconds(1))
    #expect(loaded.topology.listeners[0].routes[0].mirror == expected)
  }

  @Test(arguments: [
    ("{ pool: web, mirror: {} }", "http", "`mirror`: expected `pool`"),
    ("{ pool: web, mirror: { pool: shadwo } }", "http", "no pool `shadwo`; did you mean `shadow`?"),
    (
      "{ respond: { status: 200 }, mirror: { pool: shadow } }", "http",
      "`mirror`: the route answers itself and sends nothing to a backend"
    ),
    ("{ pool: web, mirror: { pool: shadow } }", "tcp", "`mirror` is for http listeners; this one is tcp"),
  ])
  func whatIsWrongIsSaid(route: String, protocol: String, expected: String) {
    let found = faults(text(route, protocol: `protocol`))
    #expect(found.count == 1 && found[0].hasSuffix(expected), "\(found)")
  }
}
