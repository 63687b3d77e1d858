import HTTP2

/// What an HTTP/2 peer is told whose stream is reset (RFC 9113 §7).
extension Ending {
  /// For a client whose response or tunnel is cut. `tunnel`: what it is one of, by the request's flags.
  func resetCode(tunnel: Exchange.Flags? = nil) -> ErrorCode {
    switch self {
    // What was agreed on is over, by its time or by an operator's word: no fault.
    case .clientClosed, .clientTimeout, .requestTimeout, .tunnelIdle, .drained, .stopped: return .cancel
    case .malformedRequest: return .protocolError
    default: break
    }
    guard let tunnel else { return .internalError }
    // RFC 9113 §8.5: any error of the TCP connection behind a CONNECT. RFC 8441 §5: behind an extended one, CANCEL.
    return tunnel.contains(.connect) ? .connectError : .cancel
  }
}
