import Admin
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import Testing
import Wire

/// Every route of the API, each with everybody: a route that is new is asked the same without being named here.
@Suite struct RouteWalkTests {
  private static let authority = "127.0.0.1:9901"

  private enum Visitor: CaseIterable {
    case nobody, wrong, empty, basic, reader, foreign, foreignReader, rebound, `operator`

    var fields: HTTPFields {
      var fields: HTTPFields = [:]
      switch self {
      case .nobody: break
      case .wrong: fields[.authorization] = "Bearer an-operators-toke"
      case .empty: fields[.authorization] = "Bearer "
      case .basic: fields[.authorization] = "Basic an-operators-token"
      case .reader: fields[.authorization] = "Bearer a-readers-token"
      case .foreign:
        fields[.authorization] = "Bearer an-operators-token"
        fields[.origin] = "http://evil.example"
      case .foreignReader:
        fields[.authorization] = "Bearer a-readers-token"
        fields[.origin] = "null"
      // A page whose name has come to mean this node: to the browser it is of the same origin, and it has no token.
      case .rebound: fields[.origin] = "http://evil.example:9901"
      case .operator: fields[.authorization] = "Bearer an-operators-token"
      }
      return fields
    }

    var authority: String { self == .rebound ? "evil.example:9901" : RouteWalkTests.authority }

    /// nil: whatever the route itself says.
    func refusal(isOrder: Bool) -> Int? {
      switch self {
      case .nobody, .wrong, .empty, .basic, .rebound: 401
      case .foreign, .foreignReader: 403
      case .reader: isOrder ? 403 : nil
      case .operator: nil
      }
    }
  }

  private struct Walk {
    let node = FakeNode()
    let router: Router<BasicRequestContext>
    private let responder: any HTTPResponder<BasicRequestContext>

    init() {
      router = AdminRouter.build(
        node, rule: .token(operator: "an-operators-token", reader: "a-readers-token"))
      responder = router.buildResponder()
    }

    func ask(_ method: HTTPRequest.Method, _ path: String, _ visitor: Visitor) async throws -> Response {
      let request = Request(
        head: HTTPRequest(
          method: method, scheme: "http", authority: visitor.authority, path: path, headerFields: visitor.fields),
        body: RequestBody(buffer: ByteBuffer(string: #"{"weight": 5}"#)))
      let context = BasicRequestContext(
        source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Logger(label: "walk")))
      return try await responder.respond(to: request, context: context)
    }
  }

  /// With something in place of each parameter, so that orders that are let in are carried out.
  private static func filled(_ path: String) -> String {
    let known = ["pool": "web", "backend": PathSegment.encode(FakeNode.backendName), "vip": "front", "site": "eu-1"]
    return path.split(separator: "/").reduce(into: "") { text, segment in
      let name = segment.hasPrefix("{") ? String(segment.dropFirst().dropLast()) : nil
      text += "/" + (name.map { known[$0] ?? "x" } ?? String(segment))
    }
  }

  @Test func eachRouteLetsInWhoeverMay() async throws {
    let walk = Walk()
    let page: Set = ["/", "/dashboard.css", "/dashboard.js"]
    var orders = 0
    for route in walk.router.routes where !page.contains("\(route.path)") {
      let path = Self.filled("\(route.path)")
      let isOrder = route.method != .get && route.method != .head
      for visitor in Visitor.allCases where visitor != .operator {
        let status = try await walk.ask(route.method, path, visitor).status.code
        if let refusal = visitor.refusal(isOrder: isOrder) {
          #expect(status == refusal, "\(route) for \(visitor)")
        } else {
          #expect(status != 401 && status != 403, "\(route) for \(visitor)")
        }
      }
      #expect(await walk.node.orders.count == orders, "\(route): somebody gave an order who may not")
      let status = try await walk.ask(route.method, path, .operator).status.code
      #expect(status != 401 && status != 403, "\(route) for the operator")
      let now = await walk.node.orders.count
      #expect(isOrder || now == orders, "\(route) changes something, and whoever may look may call it")
      orders = now
    }
    // The walk reaches them: otherwise the above says nothing.
    #expect(walk.router.routes.count > 200)
    #expect(orders > 15)
  }

  @Test func onlyThePageIsForEverybody() async throws {
    let walk = Walk()
    for route in walk.router.routes where route.method == .get {
      let status = try await walk.ask(.get, Self.filled("\(route.path)"), .nobody).status.code
      let isOpen = ["/", "/dashboard.css", "/dashboard.js"].contains("\(route.path)")
      #expect(status == (isOpen ? 200 : 401), "\(route)")
    }
  }

  @Test func thePageCannotBeFramedNorRunAnothersScripts() async throws {
    let walk = Walk()
    let policy = try await walk.ask(.get, "/", .nobody).headers[.contentSecurityPolicy] ?? ""
    for word in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"] {
      #expect(policy.contains(word))
    }
  }

  @Test func noRefusalRepeatsAToken() async throws {
    let walk = Walk()
    for visitor in Visitor.allCases {
      let response = try await walk.ask(.post, "/v1/reload", visitor)
      let writer = Collector()
      try await response.body.write(writer)
      let text = writer.text + response.headers.map { "\($0.value)" }.joined()
      #expect(!text.contains("an-operators") && !text.contains("a-readers"), "\(visitor)")
    }
  }

  private final class Collector: ResponseBodyWriter, @unchecked Sendable {
    var text = ""
    func write(_ buffer: ByteBuffer) { text += String(buffer: buffer) }
    func finish(_ trailingHeaders: HTTPFields?) {}
  }
}
