/// What a piece of a connection's input has brought. Ranges are into the head's text, or into the bytes given.
package struct FrameEvent: Sendable {
  package enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// A request's or response's head (interim ones too); its text is the engine's until the next piece.
    case head
    /// The trailer section; the stream's end.
    case trailers
    case data
    /// The peer's side of the stream has ended.
    case end
    /// The stream is over on both sides, or was reset: `code`.
    case closed
    /// The message was malformed, and the stream has been reset.
    case malformed
    /// The header list was larger than allowed; the stream waits for an answer.
    case tooLarge
    /// The peer wants to end the connection: streams above `id` were not processed.
    case goaway
    case settings
    /// A frame was invalid; the library has dealt with it.
    case violation
    /// More streams at once than allowed, which ends the connection.
    case excess
  }

  package var kind: Kind
  package var id: Int32 = 0
  /// What the caller has bound to the stream; `FrameEngine.none`: nothing.
  package var branch = FrameEngine.none
  package var start = 0
  package var end = 0
  /// With a head or data: nothing follows.
  package var endsStream = false
  package var code: UInt32 = 0
  package var error: MessageError?

  init(_ kind: Kind, id: Int32 = 0, branch: UInt32 = FrameEngine.none) {
    self.kind = kind
    self.id = id
    self.branch = branch
  }

  package var range: Range<Int> { start..<end }
}

/// What goes out: bytes of the engine's own, then so many bytes of a branch's content.
package struct FramePiece: BitwiseCopyable, Sendable {
  package var start: Int
  package var end: Int
  package var branch = FrameEngine.none
  package var content = 0
}

/// What a connection tells its peer of itself.
package struct FrameSettings: BitwiseCopyable, Hashable, Sendable {
  package var maxStreams: UInt32 = 128
  /// What a stream may have on its way here.
  package var streamWindow: Int32 = 65_535
  package var connectionWindow: Int32 = 1 << 20
  /// Of one header section: names, values and 32 bytes for each field.
  package var maxHeaderList: UInt32 = 16 * 1024
  package var maxFields: UInt32 = 100
  /// Requests of extended CONNECT are taken (RFC 8441).
  package var allowsExtendedConnect = true

  package init() {}
}
