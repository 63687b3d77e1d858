internal import Hummingbird
internal import NIOCore
internal import Synchronization

/// `GET /v1/stream`: the status once a second and events as they come, as server-sent events
/// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
///
/// A client that does not read holds one picture and nothing more: the next is made when the last was taken.
final class LiveStream<Operations: AdminOperations>: Sendable {
  /// Clients at once; more are told to come later.
  static var limit: Int { 64 }
  private static var interval: Duration { .seconds(1) }

  private let operations: Operations
  private let clients = Atomic<Int>(0)

  init(_ operations: Operations) { self.operations = operations }

  func response() throws(AdminError) -> Response {
    guard clients.wrappingAdd(1, ordering: .relaxed).newValue <= Self.limit else {
      clients.wrappingSubtract(1, ordering: .relaxed)
      throw AdminError(.busy, "\(Self.limit) clients follow this node already", hint: "close one, or ask /v1/status")
    }
    // Counted for as long as the body lives, whether it is ever written or not.
    let seat = Seat(self)
    return Response(
      status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
      body: ResponseBody { writer in
        defer { withExtendedLifetime(seat) {} }
        var after: UInt64 = 0
        repeat {
          let events = await self.operations.events(after: after)
          after = events.next
          for event in events.events { try await writer.write(try Self.message("event", event)) }
          try await writer.write(try Self.message("status", await self.operations.status()))
          try await Task.sleep(for: Self.interval)
        } while !Task.isCancelled
        try await writer.finish(nil)
      })
  }

  private static func message(_ kind: String, _ report: some Encodable) throws -> ByteBuffer {
    var buffer = ByteBuffer(string: "event: \(kind)\ndata: ")
    buffer.writeBytes(try AdminRouter.encoded(report))
    buffer.writeString("\n\n")
    return buffer
  }

  private final class Seat: Sendable {
    let stream: LiveStream
    init(_ stream: LiveStream) { self.stream = stream }
    deinit { stream.clients.wrappingSubtract(1, ordering: .relaxed) }
  }
}
