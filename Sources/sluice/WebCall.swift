internal import Model
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Small HTTP/1.1 requests of the control plane: one connection each, bounded in time and size.
enum WebCall {
  private static let answerLimit = 64 << 10

  private struct Trouble: Error, CustomStringConvertible {
    let description: String
  }

  /// POSTs JSON.
  /// - Returns: why it failed; nil: answered with 2xx.
  static func post(_ url: String, body: String, limit: Duration) async -> String? {
    // What comes after the path may be a token: reasons are kept, and shown to whoever may look.
    let shown = url.prefix { $0 != "?" }
    guard url.hasPrefix("http://") else { return "\(shown) is no http:// URL" }
    let rest = url.dropFirst(7)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest.dropFirst(authority.count)
    var host = String(authority), port = 80
    if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
      guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
        return "\(shown) has no valid port"
      }
      (host, port) = (String(authority[..<colon]), number)
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    let target = (host: host, port: port)
    do {
      let (status, _) = try await exchange(
        .POST, path.isEmpty ? "/" : String(path), host: String(authority), body: body, limit: limit
      ) { try await $0.connect(host: target.host, port: target.port) { open($0) } }
      return (200..<300).contains(status) ? nil : "\(shown) answered \(status)"
    } catch {
      return "\(shown): \(error)"
    }
  }

  /// GETs a short text from a backend; nil: it has none to give.
  static func text(_ address: Model.SocketAddress, path: String) async -> String? {
    let found = try? await exchange(.GET, path, host: "\(address)", body: nil, limit: .seconds(2)) { bootstrap in
      switch address {
      case .ip(let endpoint):
        try await bootstrap.connect(host: "\(endpoint.address)", port: Int(endpoint.port)) { open($0) }
      case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path) { open($0) }
      }
    }
    guard let (status, bytes) = found, (200..<300).contains(status), bytes.count <= 1_024 else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let trimmed = text.drop { $0.isWhitespace }
    return trimmed.split(whereSeparator: { $0.isNewline }).first.map { String($0) }
  }

  private typealias Exchange = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

  @Sendable private static func open(_ channel: any Channel) -> EventLoopFuture<Exchange> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHTTPClientHandlers()
      return try Exchange(wrappingChannelSynchronously: channel)
    }
  }

  private static func exchange(
    _ method: HTTPMethod, _ path: String, host: String, body: String?, limit: Duration,
    connect: @Sendable @escaping (ClientBootstrap) async throws -> Exchange
  ) async throws -> (status: Int, body: [UInt8]) {
    try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      group.addTask {
        let bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connectTimeout(.seconds(5))
        return try await connect(bootstrap).executeThenClose { inbound, outbound in
          var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
          head.headers.add(name: "host", value: host)
          head.headers.add(name: "connection", value: "close")
          head.headers.add(name: "user-agent", value: "sluice")
          var parts: [HTTPClientRequestPart] = []
          if let body {
            head.headers.add(name: "content-type", value: "application/json")
            head.headers.add(name: "content-length", value: "\(body.utf8.count)")
            parts.append(.body(.byteBuffer(ByteBuffer(string: body))))
          }
          try await outbound.write(contentsOf: [.head(head)] + parts + [.end(nil)])
          var (status, bytes) = (0, [UInt8]())
          for try await part in inbound {
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let more):
              guard bytes.count + more.readableBytes <= answerLimit else {
                throw Trouble(description: "the answer is too large")
              }
              bytes += Array(more.readableBytesView)
            case .end: return (status, bytes)
            }
          }
          throw Trouble(description: "the connection ended before the answer did")
        }
      }
      group.addTask {
        try await Task.sleep(for: limit)
        throw Trouble(description: "no answer within \(limit)")
      }
      defer { group.cancelAll() }
      guard let first = try await group.next() else { throw Trouble(description: "no answer") }
      return first
    }
  }
}
