/// `GET /v1/status`: the node as an operator sees it.
package struct StatusReport: Codable, Hashable, Sendable {
  package enum Phase: String, Codable, Sendable {
    /// Waits for the first verdicts of its probes.
    case starting
    case serving
    /// Accepts nothing new and waits for open connections.
    case draining
  }

  package var phase: Phase
  package var generation: UInt64
  package var uptimeSeconds: Double
  package var version: String
  package var workers: Int
  /// By the worker's number.
  package var loops: [LoopReport] = []
  package var droppedLogLines: UInt64 = 0
  /// Copies of requests for mirrors and canaries: `sent`, and the reasons of those that were not. Absent before the first.
  package var copies: [String: UInt64]?
  package var listeners: [ListenerReport]
  package var pools: [PoolReport]
  /// Absent where nothing is kept.
  package var store: StoreStatusReport?

  /// Absent: no request is sampled.
  package var tracing: TracingReport?

  package enum CodingKeys: String, CodingKey {
    case copies
    case phase, generation, version, workers, loops, droppedLogLines, listeners, pools, store, tracing
    case uptimeSeconds = "uptime_s"
  }

  package init(
    phase: Phase, generation: UInt64, uptimeSeconds: Double, version: String, workers: Int, listeners: [ListenerReport],
    pools: [PoolReport]
  ) {
    self.phase = phase
    self.generation = generation
    self.uptimeSeconds = uptimeSeconds
    self.version = version
    self.workers = workers
    self.listeners = listeners
    self.pools = pools
  }
}

/// The file of what outlives a restart.
package struct StoreStatusReport: Codable, Hashable, Sendable {
  package var path: String
  /// Why nothing is kept now; absent while all is well.
  package var loss: String?

  package init(path: String, loss: String?) {
    self.path = path
    self.loss = loss
  }
}

/// A worker's event loop.
package struct LoopReport: Codable, Hashable, Sendable {
  /// To clients and to backends.
  package var connections: UInt64
  /// In seconds, the time in which it did not wait.
  package var busy: Double
  /// How long its turns take: so long an event waits at most.
  package var turns: LatencyReport

  package enum CodingKeys: String, CodingKey {
    case connections, turns
    case busy = "busy_s"
  }

  package init(connections: UInt64, busy: Double, turns: LatencyReport) {
    self.connections = connections
    self.busy = busy
    self.turns = turns
  }
}

package struct ListenerReport: Codable, Hashable, Sendable {
  package var name: String
  package var `protocol`: String
  package var binds: [String]
  /// Where its routes lead, in the configuration's order.
  package var pools: [String] = []
  package var connections: UInt64 = 0
  package var accepted: UInt64 = 0
  package var refused: UInt64 = 0
  package var requests: UInt64 = 0
  package var inFlight: UInt64 = 0
  package var bytesIn: UInt64 = 0
  package var bytesOut: UInt64 = 0
  package var malformed: UInt64 = 0
  package var rateLimited: UInt64 = 0
  package var timeouts: UInt64 = 0
  package var dropped: UInt64 = 0
  package var responses = ResponsesReport()
  /// Connections that speak HTTP/2, and those of them that a flood of frames has ended, by reason.
  package var http2Connections: UInt64 = 0
  package var http2Floods: [String: UInt64] = [:]
  /// gRPC calls that ended, by status: its index.
  package var grpcCalls: [UInt64] = []
  /// From a request's head to the end of its response (HTTP).
  package var requestTimes = LatencyReport()
  /// Absent in clear.
  package var tls: TLSReport?
  /// By other site that clients may belong to; absent without `affinity`.
  package var sites: [String: SiteTrafficReport]?
  /// By name; absent where none has one.
  package var routes: [String: RouteReport]?

  package enum CodingKeys: String, CodingKey {
    case sites, routes
    case name, `protocol`, binds, pools, connections, accepted, refused, requests, inFlight, malformed, rateLimited,
      timeouts
    case dropped, responses, requestTimes, tls
    case http2Connections = "http2_connections"
    case http2Floods = "http2_floods"
    case grpcCalls = "grpc_calls"
    case bytesIn = "bytes_in"
    case bytesOut = "bytes_out"
  }

  package init(name: String, protocol: String, binds: [String]) {
    self.name = name
    self.protocol = `protocol`
    self.binds = binds
  }
}

/// What a named route has taken, and the errors among its answers.
package struct RouteReport: Codable, Hashable, Sendable {
  package var requests: UInt64
  package var clientError: UInt64
  package var serverError: UInt64

  package enum CodingKeys: String, CodingKey {
    case requests
    case clientError = "4xx"
    case serverError = "5xx"
  }

  package init(requests: UInt64, clientError: UInt64, serverError: UInt64) {
    self.requests = requests
    self.clientError = clientError
    self.serverError = serverError
  }
}

/// Requests whose cookie names another site.
package struct SiteTrafficReport: Codable, Hashable, Sendable {
  /// Passed on to it.
  package var forwarded: UInt64
  /// Served here, since it was not well.
  package var kept: UInt64

  package init(forwarded: UInt64, kept: UInt64) {
    self.forwarded = forwarded
    self.kept = kept
  }
}

package struct PoolReport: Codable, Hashable, Sendable {
  package var name: String
  package var policy: String
  package var backends: [BackendReport]
  /// From sending a request to a backend until the head of its response (HTTP).
  package var responseTimes = LatencyReport()
  /// Requests that wait for a backend with room; absent: none.
  package var queued: Int?
  /// What is shown to backends that ask; absent: none.
  package var certificate: CertificateReport?

  package init(name: String, policy: String, backends: [BackendReport]) {
    self.name = name
    self.policy = policy
    self.backends = backends
  }
}

package struct BackendReport: Codable, Hashable, Sendable {
  package var name: String
  package var address: String
  /// ready, drain, maintenance.
  package var state: String
  /// up, warming, ejected, down.
  package var verdict: String
  package var reason: String
  package var sinceSeconds: Double
  package var weight: Int
  package var effectiveWeight: Int
  package var priority: Int
  package var inFlight: UInt64 = 0
  package var connections: UInt64 = 0
  package var requests: UInt64 = 0
  package var retries: UInt64 = 0
  package var connects: UInt64 = 0
  package var connectFailures: UInt64 = 0
  package var failures: UInt64 = 0
  package var timeouts: UInt64 = 0
  /// For failures of its traffic.
  package var ejections: UInt64 = 0
  package var bytesIn: UInt64 = 0
  package var bytesOut: UInt64 = 0
  package var responses = ResponsesReport()
  /// Absent in clear.
  package var tls: BackendTLSReport?
  /// What it does worse than its pool's others, with the figures; absent: nothing.
  package var drift: String?

  package enum CodingKeys: String, CodingKey {
    case name, address, state, verdict, reason, weight, effectiveWeight, priority, inFlight, connections
    case requests, retries, connects, connectFailures, failures, timeouts, ejections, responses, tls, drift
    case sinceSeconds = "since_s"
    case bytesIn = "bytes_in"
    case bytesOut = "bytes_out"
  }

  package init(
    name: String, address: String, state: String, verdict: String, reason: String, sinceSeconds: Double, weight: Int,
    effectiveWeight: Int, priority: Int
  ) {
    self.name = name
    self.address = address
    self.state = state
    self.verdict = verdict
    self.reason = reason
    self.sinceSeconds = sinceSeconds
    self.weight = weight
    self.effectiveWeight = effectiveWeight
    self.priority = priority
  }
}

/// Responses by class of their status.
package struct ResponsesReport: Codable, Hashable, Sendable {
  package var informational: UInt64 = 0
  package var successful: UInt64 = 0
  package var redirection: UInt64 = 0
  package var clientError: UInt64 = 0
  package var serverError: UInt64 = 0

  package enum CodingKeys: String, CodingKey {
    case informational = "1xx"
    case successful = "2xx"
    case redirection = "3xx"
    case clientError = "4xx"
    case serverError = "5xx"
  }

  package init() {}
}
