import Admin
import Foundation
import NIOCore
import NIOPosix
import Testing

/// The TCP address: raw requests, since the client of this package speaks to Unix sockets only.
@Suite(.timeLimit(.minutes(1))) struct AdminPortTests {
  @Test(arguments: [
    ("Authorization: Bearer sesame\r\n", "200"),
    ("", "401"),
    ("Authorization: Bearer wrong\r\n", "401"),
    ("Authorization: Bearer sesame\r\nOrigin: http://x\r\n", "200"),
    ("Authorization: Bearer sesame\r\nOrigin: http://y\r\n", "403"),
  ])
  func thePortAsksForTheToken(fields: String, status: String) async throws {
    try await withPort { port in
      let answer = try await exchange(port, "GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(fields)\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
      #expect((status == "401") == answer.lowercased().contains("\r\nwww-authenticate: bearer"))
    }
  }

  @Test func whatIsNoHTTPIsAnsweredWith400() async throws {
    try await withPort { port in
      let answer = try await exchange(port, "\u{1}\u{2}\r\n\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 400 "))
    }
  }

  private func withPort(_ body: (Int) async throws -> Void) async throws {
    try await withDirectory { directory in
      var last: (any Error)?
      // A free port cannot be reserved: draw until one is.
      for _ in 0..<20 {
        let port = Int.random(in: 20_000..<60_000)
        do {
          let server = try await AdminServer.start(
            socket: "\(directory)/admin.sock", port: .init(host: "127.0.0.1", port: port, token: "sesame"),
            operations: FakeNode(), logger: quiet)
          do { try await body(port) } catch { Issue.record(error) }
          await server.stop()
          return
        } catch { last = error }
      }
      if let last { throw last }
    }
  }

  private func exchange(_ port: Int, _ request: String) async throws -> String {
    let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(string: request))
      var answer = ""
      for try await bytes in inbound {
        answer += String(buffer: bytes)
        if answer.contains("\r\n\r\n") { break }
      }
      return answer
    }
  }
}
