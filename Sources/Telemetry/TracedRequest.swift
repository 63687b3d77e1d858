package import Model

/// A sampled request that has ended: what its two spans tell, ours and the one of its backend's part.
package struct TracedRequest: Hashable, Sendable {
  /// The last try at a backend.
  package struct Try: Hashable, Sendable {
    package var span: UInt64
    /// Microseconds since 1970.
    package var started: Int64
    package var backend: String
    package var address: SocketAddress

    package init(span: UInt64, started: Int64, backend: String, address: SocketAddress) {
      self.span = span
      self.started = started
      self.backend = backend
      self.address = address
    }
  }

  /// `parent` 0: the trace begins here.
  package var context: TraceContext
  /// `tracestate` as the client sent it; empty: none.
  package var state = ""
  package var span: UInt64
  package var requestID: String?
  /// What it is called in the access log: its own id, where it has one.
  package var id: String { requestID ?? context.traceID }
  /// Microseconds since 1970.
  package var started: Int64
  package var ended: Int64 = 0
  package var method = ""
  package var host = ""
  package var path = ""
  package var client: Endpoint
  package var listener = ""
  package var route: String?
  package var pool: String?
  package var tries = 0
  package var lastTry: Try?
  package var status = 0
  /// Who ended it and in which phase, as in the access log; "-": well.
  package var ending = "-"

  package init(context: TraceContext, span: UInt64, started: Int64, client: Endpoint) {
    self.context = context
    self.span = span
    self.started = started
    self.client = client
  }
}
