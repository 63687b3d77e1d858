/// HTTP/2 to a listener's clients.
package struct HTTP2Options: Hashable, Sendable {
  /// By ALPN and, without TLS, by prior knowledge (RFC 9113 §3.3).
  package var enabled = true
  /// Streams that a client may have open at once.
  package var maxStreams = 128
  /// Bytes that may be on their way to us on one stream.
  package var streamWindow = 64 * 1024
  /// The same for the whole connection.
  package var connectionWindow = 1 << 20
  package var limits = HTTP2Limits()

  package init() {}
}

/// What a client may do in a second (or in one header block); beyond it the connection ends with ENHANCE_YOUR_CALM.
package struct HTTP2Limits: Hashable, Sendable {
  package var resets = 200
  package var settings = 20
  package var pings = 50
  /// Frames without content, or without a meaning.
  package var idleFrames = 200
  /// CONTINUATION frames of one header block.
  package var continuations = 8

  package init() {}
}

/// What a pool's backends speak.
package enum PoolProtocol: String, Hashable, Sendable, CaseIterable {
  case h1
  /// By ALPN where the pool uses TLS, else by prior knowledge.
  case h2
  /// What the backend chooses of both, by ALPN.
  case auto
}
