import Model
import Routing
import Testing
import Wire

@Suite struct RouteTableProperties {
  @Test(arguments: 0..<60) func agreesWithALinearScan(seed: UInt64) throws {
    var draw = Draw(random: Random(seed: seed))
    let routes = (0..<[1, 3, 10, 40, 200][Int(seed) % 5]).map { _ in draw.route() }
    let table = try RouteTable(routes: routes)
    var oracle = Oracle(routes)
    var scratch = MatchScratch()
    for _ in 0..<500 {
      let request = draw.request()
      let found = request.match(table, &scratch)
      let expected = oracle.match(request)
      guard found == expected else {
        Issue.record("\(request): found \(String(describing: found)), expected \(String(describing: expected))")
        return
      }
    }
  }
}

/// Random routes and requests from small alphabets, so that they meet often.
private struct Draw {
  var random: Random

  mutating func one<T>(_ choices: [T]) -> T { choices[Int(random.below(UInt32(choices.count)))] }
  mutating func chance(_ percent: UInt32) -> Bool { random.below(100) < percent }

  mutating func host() -> String {
    (0...random.below(4)).map { _ in one(["a", "b", "example", "com", "net"]) }.joined(separator: ".")
  }

  mutating func path() -> String {
    let segments = (0..<random.below(5)).map { _ in one(["api", "ap", "apix", "v1", "x", ""]) }
    return "/" + segments.joined(separator: "/")
  }

  mutating func test(_ name: String) -> Match.Field {
    let test: Match.Field.Test
    switch random.below(5) {
    case 0: test = .present
    case 1: test = .absent
    case 2: test = .exact(one(["1", "12", ""]))
    case 3: test = .prefix(one(["1", ""]))
    default: test = .regex(one(["^[0-9]+$", "2"]))
    }
    return Match.Field(name: name, test: test)
  }

  mutating func route() -> Route {
    var match = Match()
    if chance(70) {
      for _ in 0...random.below(3) { match.hosts.append(chance(30) ? .wildcard(host()) : .exact(host())) }
    }
    switch random.below(10) {
    case 0..<2: match.path = .exact(path())
    case 2..<7: match.path = .prefix(path() + (chance(30) ? "/" : ""))
    case 7: match.path = .regex(one(["^/api", "v1$", "/x/", "^/$"]))
    default: break
    }
    if chance(20) { match.methods = [one(["GET", "POST"])] }
    if chance(20) { match.headers.append(test(one(["x-a", "x-b"]))) }
    if chance(15) { match.query.append(test(one(["p", "q"]))) }
    if chance(15) { match.cookies.append(test(one(["c", "d"]))) }
    if chance(15), let prefix = IPPrefix(one(["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"])) {
      match.sources = [prefix]
    }
    return Route(match: match, action: .pool("p"))
  }

  mutating func request() -> TestRequest {
    var request = TestRequest()
    request.host = host()
    if chance(10) { request.host = request.host.uppercased() }
    if chance(10) { request.host += "." }
    if chance(5) { request.host = one(["", ".", ".com", "a..com", "..", "[::1]"]) }
    request.path = chance(3) ? one(["*", ""]) : path()
    request.method = one(["GET", "POST", "get", "PUT"])
    request.query = (0..<random.below(3)).map { _ in one(["p=1", "p=12", "q", "q=", "p=x&q=2", "pp=1"]) }.joined(
      separator: "&")
    for _ in 0..<random.below(3) {
      let name = one(["X-A", "x-a", "X-B", "Other"])
      request.headers.append((name, one(["1", "12", "x", ""])))
    }
    if chance(40) { request.headers.append(("Cookie", one(["c=1", "c=12; d=1", "d; c=", "cc=1;c=2", " ; c=1 "]))) }
    request.source = one([
      IPAddress(10, 1, 2, 3), IPAddress(192, 0, 2, 9), IPAddress(v6: 0x2001_0db8_0000_0000, 5), .loopbackV4,
    ])
    return request
  }
}
