internal import Config
internal import Model
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Three small HTTP servers that name themselves, and the quickstart configuration in front of them.
enum Demo {
  /// `Examples/quickstart.yaml`, word for word: a test compares the two.
  static let quickstart = """
    # What `sluice demo` runs: one HTTP listener before three backends, of which the
    # last is slower than the others.
    admin:
      socket: /tmp/sluice-quickstart/admin.sock
    listeners:
      web:
        bind: 127.0.0.1:8080
        protocol: http
        pool: web
    pools:
      web:
        balance: p2c
        probe: { http: { path: /healthz }, every: 1s }
        backends:
          - { name: one, address: "127.0.0.1:9001" }
          - { name: two, address: "127.0.0.1:9002" }
          - { name: slow, address: "127.0.0.1:9003" }

    """

  static let delays: [String: TimeAmount] = [
    "one": .milliseconds(2), "two": .milliseconds(2), "slow": .milliseconds(40),
  ]

  /// The quickstart, listening on `port`, with its admin socket at `socket`.
  static func topology(port: UInt16, socket: String) throws(Failure) -> Topology {
    var topology: Topology
    do {
      topology = try Config.load(quickstart, file: "quickstart", baseDirectory: ".").topology
    } catch {
      throw ConfigFile.failure(error, "quickstart", quickstart)
    }
    topology.admin.socket = socket
    topology.listeners[0].binds = [Bind(.ip(Endpoint(.loopbackV4, port)))]
    return topology
  }

  /// Starts a server for each backend, on the configured port or, where that is taken, another one.
  static func startBackends(_ topology: inout Topology) async throws(Failure) {
    for index in topology.pools[0].backends.indices {
      let backend = topology.pools[0].backends[index]
      guard case .ip(let endpoint) = backend.address else { continue }
      let delay = delays[backend.name] ?? .zero
      var port: Int?
      for wanted in [Int(endpoint.port), 0] where port == nil { port = try? await serve(backend.name, delay, wanted) }
      guard let port, let bound = UInt16(exactly: port) else {
        throw Failure(
          "the demo's backend \(backend.name) cannot listen on 127.0.0.1", hint: "is the loopback interface up?")
      }
      topology.pools[0].backends[index].address = .ip(Endpoint(.loopbackV4, bound))
    }
  }

  private static func serve(_ name: String, _ delay: TimeAmount, _ port: Int) async throws -> Int? {
    let channel = try await ServerBootstrap(group: loop)
      .serverChannelOption(.backlog, value: 1_024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(DemoBackend(name: name, delay: delay))
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
    return channel.localAddress?.port
  }

  private static let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}

/// Answers every request with its name; `/healthz` at once, the rest after `delay`.
private final class DemoBackend: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let name: String
  private let delay: TimeAmount
  private var head: HTTPRequestHead?

  init(name: String, delay: TimeAmount) {
    self.name = name
    self.delay = delay
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end:
      guard let head else { return }
      self.head = nil
      if head.uri == "/healthz" { return answer(context, head, "ok\n") }
      let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      context.eventLoop.scheduleTask(in: delay) {
        let (handler, context) = loopBound.value
        if context.channel.isActive { handler.answer(context, head, "hello from \(handler.name)\n") }
      }
    }
  }

  private func answer(_ context: ChannelHandlerContext, _ request: HTTPRequestHead, _ text: String) {
    var head = HTTPResponseHead(version: .http1_1, status: .ok)
    head.headers.add(name: "content-type", value: "text/plain; charset=utf-8")
    head.headers.add(name: "content-length", value: "\(text.utf8.count)")
    head.headers.add(name: "x-backend", value: name)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if request.method != .HEAD {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
