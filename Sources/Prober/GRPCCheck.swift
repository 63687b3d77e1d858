package import Health
import HTTP2

/// The standard health check of gRPC (grpc.health.v1.Health/Check) over HTTP/2: by ALPN, or in clear with prior knowledge.
///
/// Source: github.com/grpc/grpc, doc/health-checking.md.
package struct GRPCCheck: Sendable {
  /// More than any answer to a check.
  private static let limit = 64 * 1024

  private let request: [UInt8]
  private let message: [UInt8]
  private var received: [UInt8] = []

  private let isSecure: Bool

  /// - Parameter authority: what :authority says.
  package init(service: String, authority: String, isSecure: Bool = false) {
    self.isSecure = isSecure
    request = Array(
      ("POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: \(authority)\r\ncontent-type: application/grpc\r\n"
        + "user-agent: sluice-probe\r\n\r\n").utf8)
    message = GRPCCheck.message(service)
  }

  /// HealthCheckRequest { string service = 1; }, as protobuf, behind its length.
  private static func message(_ service: String) -> [UInt8] {
    var body: [UInt8] = []
    let name = Array(service.utf8)
    if !name.isEmpty {
      body.append(0x0a)
      var length = name.count
      while length >= 0x80 {
        body.append(UInt8(length & 0x7f) | 0x80)
        length >>= 7
      }
      body.append(UInt8(length))
      body += name
    }
    return [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: body.count >> $0) } + body
  }

  /// All that the client has to say: the preface, SETTINGS, the request and its message.
  package var send: [UInt8] { GRPCCheck.output(begin(), message) }

  private func begin() -> FrameEngine {
    let engine = FrameEngine()
    engine.open(0, .client, FrameSettings())
    _ = engine.request(0, request.span, as: 0, secure: isSecure, trailers: true, end: false)
    engine.offer(0, pending: message.count, complete: true, trailers: false)
    return engine
  }

  private static func output(_ engine: FrameEngine, _ message: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    guard engine.pull(0, room: limit) else { return [] }
    for piece in engine.pieces {
      let control = engine.control(piece.start..<piece.end)
      bytes.append(control, control.indices)
      if piece.content > 0 { bytes += message }
    }
    return bytes
  }

  /// Takes what was received; nil: more is needed.
  package mutating func take(_ bytes: Span<UInt8>) -> ProbeOutcome? {
    received.append(bytes, bytes.indices)
    if received.count > GRPCCheck.limit { return .failure("response too large") }
    return judge()
  }

  package mutating func end() -> ProbeOutcome { judge() ?? .failure("connection closed") }

  /// Reads all that has come so far, from the beginning: an answer comes in one or two pieces.
  private func judge() -> ProbeOutcome? {
    let engine = begin()
    _ = GRPCCheck.output(engine, message)
    var gate = FrameGate(server: false)
    var reply = Reply()
    var position = 0
    while case .piece(let end) = gate.next(received.span, from: position, limits: FrameLimits(), now: 0) {
      let piece = received[position..<end]
      guard engine.receive(0, Array(piece).span) else { return .failure("not HTTP/2") }
      for event in engine.events {
        if let outcome = reply.take(event, Array(piece), engine) { return outcome }
      }
      position = end
      if position >= received.count { break }
    }
    return nil
  }

  /// What of the answer is known.
  private struct Reply {
    var status: UInt16 = 0
    var code: UInt8?
    var content: [UInt8] = []

    mutating func take(_ event: FrameEvent, _ piece: [UInt8], _ engine: FrameEngine) -> ProbeOutcome? {
      switch event.kind {
      case .head, .trailers:
        if event.kind == .head { status = engine.facts.status }
        code = GRPC.status(inTrailers: engine.fieldLines()) ?? code
        return event.endsStream ? outcome : nil
      case .data:
        content += piece[event.range]
        return nil
      case .end: return outcome
      case .closed where event.code != 0: return .failure("stream reset with code \(event.code)")
      case .malformed: return .failure("invalid response: \(event.error?.reason.description ?? "")")
      case .goaway where event.code != 0: return .failure("connection ended with code \(event.code)")
      default: return nil
      }
    }

    private var outcome: ProbeOutcome {
      guard status == 200 else { return .failure("status \(status)") }
      guard let code else { return .failure("no grpc-status") }
      guard code == 0 else { return .failure(code == 5 ? "service unknown" : "grpc-status \(code)") }
      // HealthCheckResponse { ServingStatus status = 1; }: an absent field is 0.
      guard content.count >= 5, content[0] == 0 else { return .failure("invalid message") }
      let serving: UInt8 = content.count >= 7 && content[5] == 0x08 ? content[6] : 0
      switch serving {
      case 1: return .success
      case 2: return .failure("NOT_SERVING")
      case 3: return .failure("SERVICE_UNKNOWN")
      default: return .failure("UNKNOWN")
      }
    }
  }
}
