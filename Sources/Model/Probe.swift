/// An active check of a pool's backends.
package struct Probe: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// Up when it connects and, with `expect`, the PCRE2 is found in what comes back.
    case tcp(send: [UInt8], expect: String?)
    case http(HTTPProbe)
    case grpc(GRPCProbe)
    /// Sends a datagram; up when a reply comes (and `expect`, a PCRE2, is found in it), or, with `expect` nil, when no ICMP error does.
    case udp(send: [UInt8], expect: String?)
    /// Exit status 0 is up; SLUICE_POOL, SLUICE_BACKEND and SLUICE_ADDRESS are in its environment.
    case exec(command: [String])
  }

  package enum Initial: String, Hashable, Sendable, CaseIterable {
    /// Down until the first probe says otherwise; the first success is enough.
    case down
    /// Up until `fall` probes say otherwise.
    case up
  }

  package var kind: Kind
  package var every = Duration.seconds(2)
  package var timeout = Duration.seconds(1)
  /// Successes in a row that make a down backend up.
  package var rise = 2
  /// Failures in a row that make an up backend down.
  package var fall = 3
  /// Each interval varies by up to this share of itself.
  package var jitter = 0.1
  /// The interval while the verdict is about to change; nil: `every`.
  package var fast: Duration?
  package var initial = Initial.down
  /// In clear, also where the pool's traffic is not.
  package var isClear = false

  package init(kind: Kind) { self.kind = kind }

  /// Whether it speaks TLS where its pool does.
  package var usesTLS: Bool {
    switch kind {
    case .tcp, .http, .grpc: !isClear
    case .udp, .exec: false
    }
  }

  /// The pool's encryption for this check, which speaks one protocol whatever else the backends are asked for.
  package func encryption(_ pool: PoolTLS?) -> PoolTLS? {
    guard usesTLS, var tls = pool else { return nil }
    switch kind {
    case .grpc: tls.protocols = ["h2"]
    case .http: if !tls.protocols.isEmpty { tls.protocols = ["http/1.1"] }
    case .tcp, .udp, .exec: break
    }
    return tls
  }
}

package struct HTTPProbe: Hashable, Sendable {
  package var method = "GET"
  package var path = "/"
  /// The Host field; nil: the backend's address.
  package var host: String?
  package var headers: [HTTPField] = []
  package var expect: [ClosedRange<Int>] = [200...399]
  /// PCRE2 searched in the first 64 KiB of the body.
  package var body: String?

  package init() {}
}

/// The standard health check of gRPC.
package struct GRPCProbe: Hashable, Sendable {
  /// Empty: the server as a whole.
  package var service = ""
  /// nil: the backend's address.
  package var authority: String?

  package init() {}
}

package struct HTTPField: Hashable, Sendable {
  package var name: String
  package var value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// A line from an agent on the backend: a weight in percent, or up, down, drain, ready, maint, fail, stopped.
/// Source: HAProxy configuration manual, "agent-check".
package struct AgentCheck: Hashable, Sendable {
  package var port: UInt16
  package var send: [UInt8] = []
  package var every = Duration.seconds(2)
  package var timeout = Duration.seconds(1)

  package init(port: UInt16) { self.port = port }
}

/// Passive health: what live traffic says of a backend.
package struct OutlierPolicy: Hashable, Sendable {
  /// Failures in a row (connect failures, resets before a response, and 5xx if counted) that eject.
  package var consecutiveFailures = 5
  package var countServerErrors = true
  /// The first ejection's length; doubled by each further one up to `maxEjection`.
  package var baseEjection = Duration.seconds(10)
  package var maxEjection = Duration.seconds(300)
  /// At most this share of the pool is ejected at once (one backend always may be, if others remain).
  package var maxEjectedShare = 0.5

  package init() {}
}
