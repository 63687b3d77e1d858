internal import NIOConcurrencyHelpers
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Asks a running node over its Unix socket: one connection per request.
package struct AdminClient: Sendable {
  package struct Answer: Hashable, Sendable {
    package var status: Int
    package var body: [UInt8]
  }

  package enum Failure: Error, Hashable, Sendable {
    /// No such socket file.
    case absent
    /// The file is there, but nobody listens (a node that was killed leaves it behind).
    case refused
    case notPermitted
    case timedOut
    /// The connection broke, or what came back is not an HTTP answer.
    case broken(String)
    /// The answer is above `answerLimit`.
    case tooLarge
  }

  /// An answer's body, in bytes: room for the status of many thousand backends.
  static let answerLimit = 64 << 20

  package let socket: String
  /// For the whole exchange.
  package let deadline: Duration

  package init(socket: String, deadline: Duration = .seconds(10)) {
    self.socket = socket
    self.deadline = deadline
  }

  package func get(_ path: String) async throws(Failure) -> Answer { try await send(.GET, path) }
  package func post(_ path: String, body: [UInt8] = []) async throws(Failure) -> Answer {
    try await send(.POST, path, body)
  }
  package func put(_ path: String, body: [UInt8]) async throws(Failure) -> Answer { try await send(.PUT, path, body) }

  /// Whether somebody listens on the socket.
  package func isAnswered() async -> Bool {
    do {
      let channel = try await ClientBootstrap(group: Loop.group)
        .connectTimeout(.seconds(2)).connect(unixDomainSocketPath: socket).get()
      try? await channel.close()
      return true
    } catch {
      return false
    }
  }

  private typealias Exchange = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

  private func send(_ method: HTTPMethod, _ path: String, _ body: [UInt8] = []) async throws(Failure) -> Answer {
    let expiry = Expiry()
    do {
      let exchange: Exchange = try await ClientBootstrap(group: Loop.group)
        .connectTimeout(.nanoseconds(deadline.nanosecondsClamped))
        .connect(unixDomainSocketPath: socket) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            return try Exchange(wrappingChannelSynchronously: channel)
          }
        }
      let channel = exchange.channel
      let timer = channel.eventLoop.scheduleTask(in: .nanoseconds(deadline.nanosecondsClamped)) {
        expiry.passed.withLockedValue { $0 = true }
        channel.close(promise: nil)
      }
      defer { timer.cancel() }
      return try await exchange.executeThenClose { inbound, outbound in
        try await AdminClient.converse(inbound, outbound, method, path, body)
      }
    } catch {
      if expiry.passed.withLockedValue({ $0 }) { throw .timedOut }
      throw Failure(error)
    }
  }

  private static func converse(
    _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>,
    _ outbound: NIOAsyncChannelOutboundWriter<HTTPClientRequestPart>, _ method: HTTPMethod, _ path: String,
    _ body: [UInt8]
  ) async throws -> Answer {
    var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
    head.headers.add(name: "host", value: "sluice")
    head.headers.add(name: "connection", value: "close")
    if method != .GET { head.headers.add(name: "content-length", value: String(body.count)) }
    if !body.isEmpty { head.headers.add(name: "content-type", value: "application/json") }
    // In one write: the node may answer a whole message and close before a second one is made.
    var parts: [HTTPClientRequestPart] = [.head(head)]
    if !body.isEmpty { parts.append(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
    parts.append(.end(nil))
    try await outbound.write(contentsOf: parts)

    var answer: Answer?
    for try await part in inbound {
      switch part {
      case .head(let head): answer = Answer(status: Int(head.status.code), body: [])
      case .body(let bytes):
        guard let size = answer?.body.count, size + bytes.readableBytes <= answerLimit else { throw Failure.tooLarge }
        answer?.body.append(contentsOf: bytes.readableBytesView)
      case .end:
        if let answer { return answer }
      }
    }
    throw Failure.broken("the connection ended before the answer did")
  }
}

/// Set by the deadline before it closes the connection, so that the broken exchange is told from others.
private final class Expiry: Sendable {
  let passed = NIOLockedValueBox(false)
}

extension AdminClient.Failure {
  fileprivate init(_ error: any Error) {
    switch error {
    case let failure as AdminClient.Failure: self = failure
    case let error as IOError where error.errnoCode == 2: self = .absent
    case let error as IOError where error.errnoCode == 111: self = .refused
    case let error as IOError where error.errnoCode == 13: self = .notPermitted
    case is ChannelError where "\(error)".hasPrefix("connectTimeout"): self = .timedOut
    default: self = .broken("\(error)")
    }
  }
}

extension Duration {
  fileprivate var nanosecondsClamped: Int64 {
    let (seconds, attoseconds) = components
    return min(seconds, 1 << 32) * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
