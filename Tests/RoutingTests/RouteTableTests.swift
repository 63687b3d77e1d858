import Model
import Routing
import Testing

@Suite struct RouteTableTests {
  private func route(_ hosts: [Match.Host] = [], _ path: Match.Path? = nil) -> Route {
    var match = Match()
    match.hosts = hosts
    match.path = path
    return Route(match: match, action: .pool("p"))
  }

  @Test(arguments: [
    ("/api", "/api", true), ("/api/", "/api", true), ("/api", "/api/", true), ("/api/", "/api/x", true),
    ("/api", "/apix", false), ("/api/v1", "/api", false), ("/", "/anything", true), ("/", "*", true),
    ("/api", "/API", false),
    ("/api", "//api", false), ("/api", "/api//x", true),
  ])
  func prefixesMatchWholeSegments(prefix: String, path: String, expected: Bool) throws {
    let table = try RouteTable(routes: [route([], .prefix(prefix))])
    #expect((TestRequest(path: path).match(table) != nil) == expected)
  }

  @Test(arguments: [
    ("example.com", 0), ("EXAMPLE.com", 0), ("example.com.", 0), ("www.example.com", 1), ("a.b.example.com", 1),
    ("example.org", 2), ("wwwexample.com", 2), (".example.com", 2), ("com", 2), ("", 2), (".", 2), ("[::1]", 3),
  ])
  func hostsMatchExactlyOrBelowAWildcard(host: String, expected: Int) throws {
    let table = try RouteTable(routes: [
      route([.exact("example.com")]), route([.wildcard("example.com")]), route([], .exact("/")),
      route([.exact("[::1]")]),
    ])
    // The last route is behind one for every host, so it is tried on another path.
    let request = TestRequest(host: host, path: expected == 3 ? "/x" : "/")
    #expect(request.match(table) == expected)
  }

  @Test func theFirstRouteInOrderWinsWhateverItsKind() throws {
    let routes = [
      route([], .regex("^/a/b")), route([.wildcard("com")], .prefix("/a")), route([.exact("x.com")], .exact("/a/c")),
      route([], .prefix("/a")), route([.exact("x.com")]), route(),
    ]
    let table = try RouteTable(routes: routes)
    for (host, path, expected) in [
      ("x.com", "/a/b", 0), ("x.com", "/a/c", 1), ("y.com", "/a/c", 1), ("x.org", "/a", 3), ("x.com", "/z", 4),
      ("y.org", "/z", 5),
    ] { #expect(TestRequest(host: host, path: path).match(table) == expected, "\(host)\(path)") }
  }

  @Test func withoutRoutesNothingMatches() throws {
    let table = try RouteTable(routes: [])
    #expect(TestRequest(host: "example.com").match(table) == nil)
  }

  @Test func aConnectionMatchesBySource() throws {
    var inside = Match()
    inside.sources = [IPPrefix("10.0.0.0/8")!]
    let table = try RouteTable(routes: [Route(match: inside, action: .pool("a")), Route(action: .pool("b"))])
    var scratch = MatchScratch()
    func index(_ source: IPAddress) -> Int? {
      table.match(RouteRequest(source: source), fields: NoFields(), scratch: &scratch)
    }
    #expect(index(IPAddress(10, 0, 0, 1)) == 0)
    #expect(index(IPAddress("::ffff:10.0.0.1")!) == 0)
    #expect(index(IPAddress(11, 0, 0, 1)) == 1)
  }

  @Test func aRegexThatDoesNotCompileSaysWhere() {
    var match = Match()
    match.headers = [.init(name: "x-id", test: .regex("a(b"))]
    let error = #expect(throws: RouteTableError.self) {
      try RouteTable(routes: [Route(action: .pool("p")), Route(match: match, action: .pool("p"))])
    }
    #expect(error?.route == 1)
    #expect(error?.place == "header x-id")
    #expect(error?.reason == RegexError(offset: 3, message: "missing closing parenthesis"))
  }

  @Test func aRegexThatCostsTooMuchFailsClosed() throws {
    let hostile = String(repeating: "a", count: 64) + "!"
    let table = try RouteTable(routes: [route([], .prefix("/ok")), route([], .regex("^/(a+)+$")), route()])
    var scratch = MatchScratch()
    #expect(TestRequest(path: "/" + hostile).match(table, &scratch) == nil)
    var exhausted = scratch.exhausted
    #expect(exhausted)
    #expect(TestRequest(path: "/ok/" + hostile).match(table, &scratch) == 0)
    exhausted = scratch.exhausted
    #expect(!exhausted)
    #expect(TestRequest(path: "/b").match(table, &scratch) == 2)
  }

  @Test func anExpensiveRegexBehindTheWinnerDoesNotMatter() throws {
    let hostile = "/" + String(repeating: "a", count: 64) + "!"
    let table = try RouteTable(routes: [route([.exact("h")], .regex("^/(a+)+$")), route([], .exact(hostile)), route()])
    #expect(TestRequest(host: "h", path: hostile).match(table) == nil)
    let later = try RouteTable(routes: [route([], .exact(hostile)), route([.exact("h")], .regex("^/(a+)+$"))])
    #expect(TestRequest(host: "h", path: hostile).match(later) == 0)
  }
}
