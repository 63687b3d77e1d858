internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import OctaviaModel
internal import TLS

/// The HTTPS of an agent and of a host: mutual TLS, HTTP/1.1, one thing at a time on a connection.
struct AgentServer: Sendable {
  static let bodyLimit = 16 << 20

  let host: String
  let port: Int
  /// Read for each connection, so that a new certificate needs no restart.
  let identity: @Sendable () throws -> MutualTLS.Identity
  let answer: @Sendable (_ method: String, _ target: String, _ body: [UInt8]) async -> AgentAPI.Answer

  private typealias Exchange = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

  func run(ready: @escaping @Sendable () -> Void) async throws {
    let identity = identity
    let server: NIOAsyncChannel<Exchange, Never> = try await ServerBootstrap(group: Loops.group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          let session = try MutualTLS(identity(), client: nil)
          try channel.pipeline.syncOperations.addHandler(TLSHandler(session))
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          return try Exchange(wrappingChannelSynchronously: channel)
        }
      }
    ready()
    try await withThrowingDiscardingTaskGroup { group in
      try await server.executeThenClose { connections in
        for try await connection in connections {
          group.addTask { try? await self.serve(connection) }
        }
      }
    }
  }

  private func serve(_ connection: Exchange) async throws {
    let channel = connection.channel
    let timer = channel.eventLoop.scheduleTask(in: .seconds(300)) { channel.close(promise: nil) }
    defer { timer.cancel() }
    try await connection.executeThenClose { inbound, outbound in
      var head: HTTPRequestHead?
      var body: [UInt8] = []
      for try await part in inbound {
        switch part {
        case .head(let found):
          head = found
          body = []
        case .body(let bytes):
          guard body.count + bytes.readableBytes <= Self.bodyLimit else { return }
          body += bytes.readableBytesView
        case .end:
          guard let request = head else { return }
          let answer = await self.answer(request.method.rawValue, request.uri, body)
          var response = HTTPResponseHead(version: .http1_1, status: .init(statusCode: answer.status))
          response.headers.add(name: "content-type", value: answer.type)
          response.headers.add(name: "content-length", value: String(answer.body.count))
          response.headers.add(name: "connection", value: "close")
          if let tag = answer.tag { response.headers.add(name: "etag", value: tag) }
          try await outbound.write(contentsOf: [
            .head(response), .body(.byteBuffer(ByteBuffer(bytes: answer.body))), .end(nil),
          ])
          return
        }
      }
    }
  }
}

enum AgentIdentity {
  static func load(certificate: String, authority: String) throws -> MutualTLS.Identity {
    try parse(Array(try Data(contentsOf: URL(fileURLWithPath: certificate))), authority: authority)
  }

  /// Certificate and key in one text.
  static func parse(_ bytes: [UInt8], authority: String) throws -> MutualTLS.Identity {
    let own = String(decoding: bytes, as: UTF8.self)
    let authority = try String(contentsOfFile: authority, encoding: .utf8)
    return try MutualTLS.Identity(certificate: own, key: own, authority: authority)
  }
}
