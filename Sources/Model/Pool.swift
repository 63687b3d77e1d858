/// A named set of backends with a balancing policy and a probe.
package struct Pool: Hashable, Sendable {
  package var name: String
  package var backends: [Backend]
  package var policy = BalancePolicy.p2c
  package var probe: Probe?
  /// A second, HAProxy-style agent check that may set weight and state.
  package var agent: AgentCheck?
  package var outlier: OutlierPolicy?
  package var persistence: Persistence?
  package var retry = RetryPolicy()
  package var timeouts = PoolTimeouts()
  package var queue = QueuePolicy()
  /// Weight grows from a tenth to all over this time after a backend comes up; zero: at once.
  package var slowStart = Duration.zero
  /// Below this share of healthy backends, balance over all of them; nil: never.
  package var panicThreshold: Double?
  /// Below this share of healthy weight, a priority group shares its traffic with the next.
  package var priorityThreshold = 0.0
  package var `protocol` = PoolProtocol.h1
  /// PROXY protocol to the backends.
  package var sendProxy: ProxyVersion?
  /// Kept-alive idle connections per backend and worker.
  package var idleConnections = 256
  /// nil: cleartext.
  package var tls: PoolTLS?
  package var versions = VersionRules()
  package var drift = DriftPolicy()

  package init(name: String, backends: [Backend]) {
    self.name = name
    self.backends = backends
  }
}

package enum ProxyVersion: Int, Hashable, Sendable { case v1 = 1, v2 = 2 }

/// One server.
package struct Backend: Hashable, Sendable {
  /// Unique within its pool; the address's text unless given. Identity across reloads.
  package var name: String
  package var address: SocketAddress
  /// 0...65535; 0 takes no new traffic. Relative to the pool's others.
  package var weight = 100
  package var state = AdministrativeState.ready
  /// 0 is used first. A backup is one more than the pool's highest.
  package var priority = 0
  package var maxConnections: Int?
  /// Where probes go instead of the address's port.
  package var probePort: UInt16?
  /// The label of what it runs, for divisions of traffic.
  package var version: String?

  package init(name: String, address: SocketAddress) {
    self.name = name
    self.address = address
  }
}

package enum AdministrativeState: String, Hashable, Codable, Sendable, CaseIterable {
  case ready
  /// No new clients; persistent ones and open connections go on.
  case drain
  /// No traffic, no probes.
  case maintenance
}

package enum BalancePolicy: Hashable, Sendable {
  case roundRobin
  case leastConnections
  case random
  case p2c
  case peakEWMA
  case maglev(HashKey)
  /// Consistent hash with bounded load: no backend above `factor` times the mean (e.g. 1.25).
  case boundedLoad(HashKey, factor: Double)
  case first

  package enum HashKey: Hashable, Sendable {
    case source
    /// Path and query.
    case uri
    case header(String)
    case cookie(String)
  }
}

package enum Persistence: Hashable, Sendable {
  /// A cookie that Sluice inserts; opaque and not forgeable without the node's secret.
  case cookie(InsertedCookie)
  case source(prefixV4: Int, prefixV6: Int, idle: Duration, maxEntries: Int)
  case header(name: String, idle: Duration, maxEntries: Int)
}

package struct RetryPolicy: Hashable, Sendable {
  /// Tries after the first.
  package var attempts = 2
  /// Retry idempotent requests when the backend closed or reset before the first response byte.
  package var onReset = true
  /// Retry idempotent requests on these statuses.
  package var onStatus: [Int] = []
  /// Retry gRPC calls that a server answered with UNAVAILABLE before any message.
  package var onUnavailable = true
  /// Retries that may be live at once, as a share of the live requests; a few are always allowed.
  package var budget = 0.2

  package init() {}
}

package struct PoolTimeouts: Hashable, Sendable {
  package var connect = Duration.seconds(5)
  /// From sending a try to the response head.
  package var response = Duration.seconds(60)
  /// How long tunnels (TCP, WebSocket) may go on at a backend that is drained; nil: to their end.
  package var drain: Duration?
  /// A kept-alive connection to a backend without a request.
  package var keepAlive = Duration.seconds(60)

  package init() {}
}

package struct QueuePolicy: Hashable, Sendable {
  /// Requests that wait for a connection slot, per worker; above it, 503 at once.
  package var length = 1024
  package var timeout = Duration.seconds(5)

  package init() {}
}
