internal import Foundation
internal import Kernel
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OctaviaModel
package import TLS

package struct HTTPCall: Sendable {
  package var method: String
  package var url: String
  package var headers: [String: String] = [:]
  package var body: [UInt8] = []
  /// For the whole exchange.
  package var deadline = Duration.seconds(60)
  /// For the connection alone; a lost first packet is sent again by TCP only after a second.
  package var patience = Duration.seconds(10)

  package init(
    method: String, url: String, headers: [String: String] = [:], body: [UInt8] = [], deadline: Duration = .seconds(60)
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.deadline = deadline
  }

  /// - Parameter json: nil: no body.
  init(
    method: String, url: String, headers: [String: String] = [:], json: JSON?, deadline: Duration = .seconds(60)
  ) {
    self.init(
      method: method, url: url, headers: headers, body: json.map { Array($0.text.utf8) } ?? [], deadline: deadline)
    if json != nil { self.headers["Content-Type"] = "application/json" }
  }
}

package struct HTTPAnswer: Sendable {
  package var status: Int
  /// By lowercase name.
  package var headers: [String: String] = [:]
  package var body: [UInt8]

  package init(status: Int, body: [UInt8]) {
    self.status = status
    self.body = body
  }
}

/// One connection per request: what a control plane asks of its machines and its cloud.
package struct HTTPClient: Sendable {
  package static let answerLimit = 16 << 20

  let identity: MutualTLS.Identity?
  /// The name that the server's certificate must have.
  let name: String?

  /// A Unix socket instead of the address that a URL names.
  let socket: String?

  package init(identity: MutualTLS.Identity? = nil, name: String? = nil, socket: String? = nil) {
    self.identity = identity
    self.name = name
    self.socket = socket
  }

  private typealias Exchange = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

  private struct Place {
    var host: String
    var port: Int
    var path: String
    var isSecure: Bool

    init?(_ url: String) {
      guard let scheme = url.range(of: "://") else { return nil }
      let rest = url[scheme.upperBound...]
      let authority = rest.prefix { $0 != "/" }
      path = rest.count > authority.count ? String(rest.dropFirst(authority.count)) : "/"
      isSecure = url[..<scheme.lowerBound].lowercased() == "https"
      port = isSecure ? 443 : 80
      host = String(authority)
      if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]"),
        let number = Int(authority[authority.index(after: colon)...])
      {
        host = String(authority[..<colon])
        port = number
      }
      if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    }
  }

  package func send(_ call: HTTPCall) async throws -> HTTPAnswer {
    guard let place = Place(call.url) else { throw StepFailure("\(call.url) is no URL") }
    let limit = call.deadline
    let identity = identity
    let name = name
    do {
      let prepare: @Sendable (any Channel) -> EventLoopFuture<Exchange> = { channel in
        channel.eventLoop.makeCompletedFuture {
          if let identity {
            try channel.pipeline.syncOperations.addHandler(TLSHandler(MutualTLS(identity, client: name)))
          } else if place.isSecure {
            try channel.pipeline.syncOperations.addHandler(
              TLSHandler(MutualTLS(MutualTLS.Identity.anonymous(), client: place.host)))
          }
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          return try Exchange(wrappingChannelSynchronously: channel)
        }
      }
      let bootstrap = ClientBootstrap(group: Loops.group)
        .connectTimeout(.milliseconds(Int64(min(limit, call.patience) / .milliseconds(1))))
      let exchange: Exchange =
        if let socket {
          try await bootstrap.connect(unixDomainSocketPath: socket, channelInitializer: prepare)
        } else {
          try await bootstrap.connect(host: place.host, port: place.port, channelInitializer: prepare)
        }
      let channel = exchange.channel
      let timer = channel.eventLoop.scheduleTask(in: .milliseconds(Int64(limit / .milliseconds(1)))) {
        channel.close(promise: nil)
      }
      defer { timer.cancel() }
      return try await exchange.executeThenClose { inbound, outbound in
        try await Self.converse(inbound, outbound, call, place)
      }
    } catch let failure as StepFailure {
      throw failure
    } catch {
      throw StepFailure("\(socket ?? "\(place.host):\(place.port)"): \(Self.reason(error))", passing: true)
    }
  }

  /// What the system said, without the library's words around it.
  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      error.connectionErrors.last.map { reason($0.error) } ?? (error.dnsAError ?? error.dnsAAAAError).map(reason)
        ?? "the host's name is not known"
    case let error as IOError: "\(Errno(error.errnoCode))"
    case ChannelError.connectTimeout: "no connection in time"
    default: "\(error)"
    }
  }

  private static func converse(
    _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>,
    _ outbound: NIOAsyncChannelOutboundWriter<HTTPClientRequestPart>, _ call: HTTPCall, _ place: Place
  ) async throws -> HTTPAnswer {
    var head = HTTPRequestHead(version: .http1_1, method: HTTPMethod(rawValue: call.method), uri: place.path)
    head.headers.add(
      name: "host", value: HostText.endpoint(place.host, place.port))
    head.headers.add(name: "connection", value: "close")
    if call.method != "GET" { head.headers.add(name: "content-length", value: String(call.body.count)) }
    for (name, value) in call.headers { head.headers.add(name: name, value: value) }
    var parts: [HTTPClientRequestPart] = [.head(head)]
    if !call.body.isEmpty { parts.append(.body(.byteBuffer(ByteBuffer(bytes: call.body)))) }
    parts.append(.end(nil))
    try await outbound.write(contentsOf: parts)
    var answer: HTTPAnswer?
    for try await part in inbound {
      switch part {
      case .head(let head):
        answer = HTTPAnswer(status: Int(head.status.code), body: [])
        for field in head.headers { answer?.headers[field.name.lowercased()] = field.value }
      case .body(let bytes):
        guard let size = answer?.body.count, size + bytes.readableBytes <= answerLimit else {
          throw StepFailure("the answer is too long")
        }
        answer?.body.append(contentsOf: bytes.readableBytesView)
      case .end: if let answer { return answer }
      }
    }
    throw StepFailure("\(place.host):\(place.port) ended the connection", passing: true)
  }
}

/// Mutual TLS in a channel's pipeline.
final class TLSHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let session: MutualTLS
  private var waiting: [(ByteBuffer, EventLoopPromise<Void>?)] = []

  init(_ session: MutualTLS) { self.session = session }

  func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { begin(context) } }

  func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    do {
      try session.handshake()
      flushOutgoing(context)
    } catch { fail(context, error) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let wasEstablished = session.isEstablished
    var plain: [UInt8] = []
    do {
      let progress = try session.receive(Array(unwrapInboundIn(data).readableBytesView), into: &plain)
      if !wasEstablished && session.isEstablished { try sendWaiting() }
      flushOutgoing(context)
      if !plain.isEmpty { context.fireChannelRead(wrapInboundOut(ByteBuffer(bytes: plain))) }
      if progress == .closed { context.close(promise: nil) }
    } catch { fail(context, error) }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    waiting.append((unwrapOutboundIn(data), promise))
  }

  func flush(context: ChannelHandlerContext) {
    do {
      if session.isEstablished { try sendWaiting() }
      flushOutgoing(context)
    } catch { fail(context, error) }
  }

  private func sendWaiting() throws {
    for (buffer, promise) in waiting {
      try session.send(Array(buffer.readableBytesView))
      promise?.succeed()
    }
    waiting = []
  }

  private func flushOutgoing(_ context: ChannelHandlerContext) {
    let bytes = session.takeOutgoing()
    if !bytes.isEmpty { context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil) }
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    if mode == .all {
      session.close()
      flushOutgoing(context)
    }
    context.close(mode: mode, promise: promise)
  }

  private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
    for (_, promise) in waiting { promise?.fail(error) }
    waiting = []
    // The alert that says why.
    flushOutgoing(context)
    context.fireErrorCaught(error)
    context.close(promise: nil)
  }
}
