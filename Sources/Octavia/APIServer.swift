internal import FoundationEssentials
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import OctaviaModel
internal import ServiceLifecycle

/// The threads of control-plane connections.
enum Loops {
  static let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
}

/// Serves requests over HTTP/1.1 until its task is cancelled.
package struct HTTPService: Sendable {
  package typealias Handler = @Sendable (APIRequest) async -> APIResponse

  /// A whole request's body, in bytes: a batch of some thousand members fits.
  package static let bodyLimit = 8 << 20

  let host: String
  let port: Int
  let logger: Logger
  let handler: Handler

  package init(host: String, port: Int, logger: Logger, handler: @escaping Handler) {
    self.host = host
    self.port = port
    self.logger = logger
    self.handler = handler
  }

  /// Returns when the socket is closed; `ready` is called once it is open.
  package func run(ready: @escaping @Sendable () -> Void) async throws {
    let own = "\(host):\(port)"
    let handler = handler
    let responder = CallbackResponder<BasicRequestContext> { request, _ in
      var body: [UInt8] = []
      do {
        body = Array(buffer: try await request.body.collect(upTo: Self.bodyLimit))
      } catch {
        return Response(status: .contentTooLarge, headers: [.connection: "close"])
      }
      var headers: [String: String] = [:]
      for field in request.headers { headers[field.name.canonicalName] = field.value }
      let authority = request.head.authority ?? own
      let answer = await handler(
        APIRequest(
          method: request.method.rawValue, target: request.uri.description, headers: headers, body: body,
          base: "http://\(authority)"))
      return Self.response(answer, method: request.method.rawValue)
    }
    let limits = HTTP1Channel.Configuration.DecoderConfiguration(
      maxHeaderFieldSize: 16 << 10, maxHeaderListSize: 64 << 10, maxHeaderFieldCount: 100)
    let application = Application(
      responder: responder,
      server: .http1(configuration: .init(idleTimeout: .seconds(60), httpDecoderConfiguration: limits)),
      configuration: .init(address: .hostname(host, port: port)),
      onServerRunning: { _ in ready() }, eventLoopGroupProvider: .shared(Loops.group), logger: logger)
    try await ServiceGroup(configuration: .init(services: [application], logger: logger)).run()
  }

  private static func response(_ answer: APIResponse, method: String) -> Response {
    var response = Response(status: .init(code: answer.status))
    response.headers[.init("x-openstack-request-id")!] = "req-\(UUID().uuidString.lowercased())"
    if let allow = answer.allow { response.headers[.allow] = allow }
    if let body = answer.body {
      var bytes: [UInt8] = []
      body.write(into: &bytes)
      response.headers[.contentType] = "application/json"
      response.body = ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
    } else if let metrics = answer.metrics {
      response.headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
      response.body = ResponseBody(byteBuffer: ByteBuffer(string: metrics))
    }
    return response
  }
}
