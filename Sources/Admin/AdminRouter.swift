internal import FoundationEssentials
package import Hummingbird
internal import NIOCore
internal import Wire

/// The endpoints, each a few lines from the request to an `AdminOperations` call.
package enum AdminRouter {
  /// A request's body, in bytes.
  package static let bodyLimit = 1 << 20
  /// From a request's head to the end of its body.
  package static let bodyDeadline = Duration.seconds(10)

  package static func build(_ operations: some AdminOperations, rule: AccessRule) -> Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: AnswerErrors())
    // Before the rule: the page holds no secret, and asks for the token itself.
    for file in DashboardFile.all { on(router, file.path, [.get: { _, _ in file.response }]) }
    router.add(middleware: CheckAccess(rule: rule))

    on(router, "v1/health", [.get: { _, _ in try json(HealthReport(status: "ok", phase: await operations.phase())) }])
    on(router, "metrics", [.get: { try await metrics($0, $1, operations) }])
    on(router, "v1/status", [.get: { _, _ in try json(await operations.status()) }])
    on(router, "v1/history", [.get: { _, _ in try json(await operations.history()) }])
    on(router, "v1/panels", [.get: { _, _ in try json(await operations.panels()) }])
    let live = LiveStream(operations)
    on(router, "v1/stream", [.get: { _, _ in try live.response() }])
    on(router, "v1/peers", [.get: { _, _ in try json(await operations.peers()) }])
    on(
      router, "v1/events",
      [
        .get: { request, _ in
          var after: UInt64 = 0
          if let text = request.uri.queryParameters["after"] {
            guard let number = UInt64(text) else {
              throw AdminError(.malformed, "after is not a number", hint: "pass the `next` of the last answer")
            }
            after = number
          }
          return try json(await operations.events(after: after))
        }
      ])
    on(router, "v1/reload", [.post: { _, _ in try json(try await operations.reload()) }])
    on(
      router, "v1/check",
      [
        .post: { request, _ in
          guard let text = String(validating: try await body(request), as: UTF8.self) else {
            throw AdminError(.malformed, "the configuration is not UTF-8", hint: "send the file's text as the body")
          }
          let name = request.uri.queryParameters["name"].map(String.init) ?? "config"
          return try json(try await operations.check(text, name: name))
        }
      ])
    addNames(router, operations)
    addRollouts(router, operations)
    addExplain(router, operations)
    addLifecycle(router, operations)
    for state in StateOrder.allCases {
      on(
        router, "v1/backends/{pool}/{backend}/\(state.rawValue)",
        [
          .post: { _, context in
            let (pool, backend) = try key(context)
            return try json(try await operations.set(state, pool: pool, backend: backend))
          }
        ])
    }
    addBGP(router, operations)
    on(
      router, "v1/backends/{pool}/{backend}/weight",
      [
        .put: { request, context in
          let (pool, backend) = try key(context)
          let weight = try await order(request).weight
          guard (0...65_535).contains(weight) else {
            throw AdminError(.unprocessable, "weight \(weight) is outside 0...65535", hint: "0 takes no new traffic")
          }
          return try json(try await operations.set(weight: weight, pool: pool, backend: backend))
        }
      ])
    addVIPs(router, operations)
    addFloating(router, operations)
    return router
  }

  /// For scrapers, who need no token: the metrics and nothing else.
  package static func metricsOnly(_ operations: some AdminOperations) -> Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: AnswerErrors())
    on(router, "metrics", [.get: { try await metrics($0, $1, operations) }])
    return router
  }

  private static func metrics(
    _ request: Request, _: BasicRequestContext, _ operations: some AdminOperations
  ) async throws -> Response {
    let format = Exposition.Format(accept: request.headers[.accept])
    let text = NodeMetrics.text(
      await operations.status(), format, bgp: await operations.bgpStatus(), vips: await operations.vips(),
      floating: await operations.floatingIPs(), names: try? await operations.nameService())
    return Response(
      status: .ok, headers: [.contentType: format.contentType, .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  typealias Handler = @Sendable (Request, BasicRequestContext) async throws -> Response

  /// Binds the methods of a path; all other methods answer 405 with what is allowed.
  static func on(
    _ router: Router<BasicRequestContext>, _ path: String, _ handlers: [HTTPRequest.Method: Handler]
  ) {
    let allow = handlers.keys.map(\.rawValue).sorted().joined(separator: ", ")
    for method in [.get, .head, .post, .put, .patch, .delete, .options, .trace] as [HTTPRequest.Method] {
      router.on(RouterPath(path), method: method) { request, context in
        guard let handler = handlers[method] else {
          throw AdminError(
            .methodNotAllowed, "\(method.rawValue) is not for this path", hint: "use \(allow)", allow: allow)
        }
        return try await handler(request, context)
      }
    }
  }

  private static func key(_ context: BasicRequestContext) throws -> (String, String) {
    guard let pool = context.parameters.get("pool").flatMap({ PathSegment.decode($0) }),
      let backend = context.parameters.get("backend").flatMap({ PathSegment.decode($0) })
    else { throw AdminError(.malformed, "the path is not valid percent-encoded UTF-8", hint: "encode \"/\" as %2F") }
    return (pool, backend)
  }

  static func body(_ request: Request) async throws -> [UInt8] {
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      group.addTask {
        do {
          return Array(buffer: try await request.body.collect(upTo: bodyLimit))
        } catch is NIOTooManyBytesError {
          throw AdminError(.tooLarge, "the body is above \(bodyLimit) bytes", hint: "send less")
        }
      }
      group.addTask {
        try await Task.sleep(for: bodyDeadline)
        throw AdminError(.timedOut, "the body did not come in \(bodyDeadline)", hint: "send the whole request at once")
      }
      defer { group.cancelAll() }
      return try await group.next() ?? []
    }
  }

  private static func order(_ request: Request) async throws -> WeightOrder {
    do {
      return try JSONDecoder().decode(WeightOrder.self, from: Data(try await body(request)))
    } catch is DecodingError {
      throw AdminError(.malformed, "the body is not a weight order", hint: "send {\"weight\": 50}")
    }
  }

  static func json(_ report: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
    var bytes = try encoded(report)
    bytes.append(UInt8(ascii: "\n"))
    return Response(
      status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  /// JSON on one line.
  static func encoded(_ report: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(report))
  }
}
