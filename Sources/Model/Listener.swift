/// An address and a protocol that clients connect to.
package struct Listener: Hashable, Sendable {
  package enum Transport: String, Hashable, Sendable, CaseIterable { case tcp, udp, http }

  package var name: String
  package var transport: Transport
  package var binds: [Bind]
  /// Tried in order; the first match wins. `udp` listeners match by source only, `tcp` ones by source and TLS.
  package var routes: [Route]
  /// Sources that must open with a PROXY protocol header (v1 or v2); others must not.
  package var acceptProxyFrom: [IPPrefix] = []
  package var access = AccessList()
  package var limits = ListenerLimits()
  package var timeouts = ListenerTimeouts()
  package var http = HTTPOptions()
  package var http2 = HTTP2Options()
  package var udp = UDPOptions()
  /// nil: cleartext.
  package var tls: ListenerTLS?
  /// nil: clients belong to no site.
  package var affinity: SiteAffinity?

  package init(name: String, transport: Transport, binds: [Bind], routes: [Route]) {
    self.name = name
    self.transport = transport
    self.binds = binds
    self.routes = routes
  }
}

package struct Bind: Hashable, Sendable {
  package var address: SocketAddress
  /// Permission bits of a Unix socket's file.
  package var mode: UInt16 = 0o666
  /// An address that may be on another machine now: it is bound nevertheless.
  package var isMoving = false

  package init(_ address: SocketAddress) { self.address = address }
}

/// Who may connect: a source in `deny` is refused, and when `allow` is not empty, so is one outside it.
package struct AccessList: Hashable, Sendable {
  package var allow: [IPPrefix] = []
  package var deny: [IPPrefix] = []

  package init() {}

  package func permits(_ source: IPAddress) -> Bool {
    if deny.contains(where: { $0.contains(source) }) { return false }
    return allow.isEmpty || allow.contains { $0.contains(source) }
  }
}

/// A token rate: `count` events in `period`, in bursts of at most `burst`.
package struct Rate: Hashable, Sendable {
  package var count: Int
  package var period: Duration
  package var burst: Int

  package init(count: Int, period: Duration, burst: Int) {
    self.count = count
    self.period = period
    self.burst = burst
  }
}

package struct ListenerLimits: Hashable, Sendable {
  /// Client connections of the listener on all workers; above it, new ones wait in the accept queue.
  package var connections = 100_000
  package var connectionRatePerSource: Rate?
  package var requestRatePerSource: Rate?
  /// A request's head: request line and fields together, in bytes.
  package var headBytes = 16 * 1024
  package var uriBytes = 8 * 1024
  package var headerCount = 100
  /// A request body's bytes; nil: unlimited (it streams).
  package var bodyBytes: Int64?

  package init() {}
}

package struct ListenerTimeouts: Hashable, Sendable {
  /// From a request's first byte to the end of its head, however slowly bytes come.
  package var head = Duration.seconds(10)
  /// Between two reads of a request's body, or two writes of a response, while the client is to move.
  package var idle = Duration.seconds(60)
  /// Between requests of a kept-alive connection.
  package var keepAlive = Duration.seconds(75)
  /// Without a byte in either direction of a TCP connection or an upgraded tunnel.
  package var tunnel = Duration.seconds(3600)
  /// Between a client's half-close and the end.
  package var halfClosed = Duration.seconds(30)

  package init() {}
}

/// How a http listener presents the client to the backend, and itself to both.
package struct HTTPOptions: Hashable, Sendable {
  package enum Forwarding: String, Hashable, Sendable, CaseIterable {
    /// Set the fields from the connection, dropping what the client sent.
    case replace
    /// Keep what a trusted client sent, and add to it.
    case append
    case off
  }

  /// X-Forwarded-For, -Proto and -Host.
  package var xForwarded = Forwarding.replace
  /// RFC 7239 Forwarded.
  package var forwarded = Forwarding.off
  /// Via (RFC 9110 §7.6.3) with this pseudonym.
  package var via: String?
  /// The field that carries the request id; nil: none is made.
  package var requestID: String? = "x-request-id"
  /// Keep a request id that the client sent.
  package var trustRequestID = false
  package var allowConnect = false
  /// Requests answered on one connection before it is closed; nil: unlimited.
  package var maxRequests: Int?

  package init() {}
}

package struct UDPOptions: Hashable, Sendable {
  package enum Balancing: String, Hashable, Sendable, CaseIterable {
    /// One backend for a client's address and port until it is idle.
    case session
    /// A backend for each datagram.
    case datagram
  }

  package var balancing = Balancing.session
  package var idle = Duration.seconds(30)
  package var maxSessions = 65_536
  /// End a session after this many replies (1 suits DNS); nil: only when idle.
  package var replies: Int?

  package init() {}
}
