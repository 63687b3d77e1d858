import HTTP
import HTTP2
import Model
import Reactor

/// gRPC: deadlines, statuses, and what is tried again.
extension Worker {
  /// A request of a client that speaks HTTP/2 may be a call.
  mutating func describeCall(_ exchange: UInt32) {
    guard let type = head.fields.first(.contentType), incoming.isGRPC(head.fields[type].valueRange) else { return }
    exchanges[exchange].flags.insert(.grpc)
  }

  /// A client's clock for a call starts before ours, by the way that the call has come: who resets it this near to its
  /// deadline, in milliseconds and at most a tenth of it, has given it up for that.
  private static let deadlineSlack: Int64 = 100

  /// The client's own deadline holds for the whole call, queue and tries included.
  mutating func limitCall(_ exchange: UInt32) {
    guard let field = head.fields.index(of: "grpc-timeout", in: incoming.bytes),
      let timeout = incoming.grpcTimeout(head.fields[field].valueRange)
    else { return }
    exchanges[exchange].deadline = min(exchanges[exchange].deadline, milliseconds + timeout)
    exchanges[exchange].grpcDeadline = milliseconds + timeout - min(timeout / 10, Worker.deadlineSlack)
  }

  /// A status in the response's head: it has no message, and no trailers follow.
  mutating func noteStatus(inHeadOf exchange: UInt32) {
    guard let field = responseHead.fields.index(of: "grpc-status", in: incoming.bytes) else { return }
    exchanges[exchange].grpcStatus = incoming.grpcStatus(responseHead.fields[field].valueRange) ?? Exchange.noStatus
  }

  /// The server refused the call before any message: another may take it (gRFC A6), whatever the method.
  mutating func callMayBeRepeated(_ exchange: UInt32) -> Bool {
    let backend = exchanges[exchange].backend
    guard isBranch(backend), streams[backend].flags.contains(.ending), streams[backend].input.isEmpty,
      let field = responseHead.fields.index(of: "grpc-status", in: incoming.bytes),
      incoming.grpcStatus(responseHead.fields[field].valueRange) == GRPC.Status.unavailable,
      let pool = current.pools[Int(exchanges[exchange].pool)], retryPolicy(exchange, pool).onUnavailable
    else { return false }
    return mayTryAnother(exchange, pool)
  }

  /// An answer of our own to a call: HTTP's 200, and what went wrong in grpc-status.
  mutating func respondToCall(_ exchange: UInt32, status: UInt16, body: StaticString) {
    let why = exchanges[exchange].ending
    let code = GRPC.status(for: status, deadline: why == .requestTimeout || why == .responseTimeout)
    exchanges[exchange].grpcStatus = code
    outgoing.clear()
    outgoing.append("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: ")
    outgoing.append(decimal: UInt64(code))
    outgoing.append("\r\ngrpc-message: ")
    outgoing.append(why.text)
    outgoing.append("\r\n\r\n")
    sendAnswer(exchange, status: 200, keep: true)
  }

  /// A call may stream in silence for as long as a tunnel.
  mutating func callTimeout(_ exchange: UInt32) -> Int64 {
    listener(of: exchange)?.tunnelTimeout ?? 3_600_000
  }

  /// When a call ends: its status is counted; the client's going is CANCELLED, or DEADLINE_EXCEEDED when it was time.
  mutating func countCall(_ exchange: UInt32) {
    let state = exchanges[exchange]
    var code = state.grpcStatus
    if code == Exchange.noStatus, state.ending == .clientClosed {
      code = milliseconds >= state.grpcDeadline ? GRPC.Status.deadlineExceeded : GRPC.Status.cancelled
    }
    if code != Exchange.noStatus { counters.addCall(state.listener, status: Int(code)) }
  }
}

extension ByteRegion {
  func isGRPC(_ range: Range<Int>) -> Bool { GRPC.isContentType(bytes(range)) }
  func grpcTimeout(_ range: Range<Int>) -> Int64? { GRPC.timeout(bytes(range)) }
  func grpcStatus(_ range: Range<Int>) -> UInt8? { GRPC.status(bytes(range)) }
  func grpcStatusInTrailers() -> UInt8? { GRPC.status(inTrailers: bytes) }
}
