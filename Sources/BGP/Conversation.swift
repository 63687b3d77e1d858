import Model

/// One TCP connection on its way to Established. A session has two at most: its own and the peer's.
struct Conversation: Sendable {
  enum Phase: Hashable, Sendable {
    /// Connected, the OPEN held back (DelayOpen).
    case delaying
    case openSent
    case openConfirm(Negotiated)
    case established(Negotiated)
  }

  let id: ConnectionID
  /// When the connection came up.
  let created: Instant
  var phase: Phase
  var delayOpen: Instant?
  var hold: Instant?
  var keepalive: Instant?
  /// When it became Established.
  var since: Instant?
  /// Received and not yet a whole message: always less than one message after a turn.
  var buffer: [UInt8] = []

  var negotiated: Negotiated? {
    switch phase {
    case .openConfirm(let negotiated), .established(let negotiated): negotiated
    case .delaying, .openSent: nil
    }
  }

  var isEstablished: Bool { if case .established = phase { true } else { false } }

  /// Before the OPENs nothing is agreed on; an UPDATE then is an error whatever it holds.
  var codec = CodecOptions()

  var deadline: Instant? { [delayOpen, hold, keepalive].compactMap { $0 }.min() }
}
