internal import Admin
internal import Foundation
internal import Model
internal import Node
internal import Planner
internal import Telemetry

/// From the node's types to the API's: the only place that knows both.
extension StatusReport {
  init(_ snapshot: NodeSnapshot) {
    let topology = snapshot.topology
    self.init(
      phase: Phase(snapshot.phase), generation: snapshot.generation,
      uptimeSeconds: snapshot.uptime.reportedSeconds, version: snapshot.version, workers: snapshot.statistics.workers,
      listeners: topology.listeners.map {
        ListenerReport($0, snapshot.statistics.listeners[$0.name] ?? ListenerStatistics())
      },
      pools: zip(topology.pools, snapshot.standings).map { pool, standings in
        var report = PoolReport(
          name: pool.name, policy: pool.policy.name,
          backends: zip(pool.backends, standings).map { backend, standing in
            var report = BackendReport(backend, standing, snapshot)
            let key = BackendKey(pool: pool.name, backend: backend.name)
            report.drift = snapshot.drifting[key]
            report.ejections = snapshot.ejections[key] ?? 0
            return report
          })
        report.responseTimes = LatencyReport(snapshot.statistics.responseTimes[pool.name] ?? LatencyHistogram())
        report.queued = snapshot.statistics.queued[pool.name].flatMap { $0 > 0 ? $0 : nil }
        report.certificate = pool.tls?.certificate.flatMap { CertificateReport($0) }
        return report
      })
    store = snapshot.store.map { StoreStatusReport(path: $0.path, loss: $0.loss) }
    droppedLogLines = snapshot.statistics.droppedLogLines
    let made = snapshot.statistics.loops.reduce(CopyStatistics()) { $0 + $1.copies }
    if made != CopyStatistics() {
      copies = [
        "sent": made.sent, "busy": made.busy, "full": made.full, "long": made.long, "unfit": made.unfit,
        "cut": made.cut,
      ]
    }
    loops = snapshot.statistics.loops.map {
      LoopReport(
        connections: $0.connections, busy: Double($0.busyMicroseconds) / 1e6, turns: LatencyReport($0.turns))
    }
  }
}

extension StatusReport.Phase {
  init(_ phase: Node.Phase) {
    switch phase {
    case .starting: self = .starting
    case .serving: self = .serving
    case .draining: self = .draining
    }
  }
}

extension ListenerReport {
  init(_ listener: Listener, _ counts: ListenerStatistics) {
    self.init(name: listener.name, protocol: listener.transport.rawValue, binds: listener.binds.map { "\($0.address)" })
    pools = listener.pools
    connections = counts.connections
    accepted = counts.accepted
    refused = counts.refused
    requests = counts.requests
    inFlight = counts.inFlight
    bytesIn = counts.bytesIn
    bytesOut = counts.bytesOut
    malformed = counts.malformed
    rateLimited = counts.rateLimited
    timeouts = counts.timeouts
    dropped = counts.dropped
    http2Connections = counts.http2.connections
    for (reason, count) in zip(FloodReason.allCases, counts.http2.floods) { http2Floods[reason.rawValue] = count }
    grpcCalls = counts.http2.calls
    requestTimes = LatencyReport(counts.requestTimes)
    responses = ResponsesReport(counts.responses)
    tls = listener.tls.map { TLSReport($0, counts.tls) }
    if listener.affinity != nil {
      sites = counts.sites.mapValues { SiteTrafficReport(forwarded: $0.forwarded, kept: $0.kept) }
    }
    if !counts.routes.isEmpty {
      routes = counts.routes.mapValues {
        RouteReport(requests: $0.requests, clientError: $0.clientErrors, serverError: $0.serverErrors)
      }
    }
  }
}

extension Listener {
  /// The pools that its routes lead to, each once.
  fileprivate var pools: [String] {
    var seen: Set<String> = []
    return routes.flatMap(\.action.pools).filter { seen.insert($0).inserted }
  }
}

extension BackendReport {
  init(_ backend: Backend, _ standing: Standing, _ snapshot: NodeSnapshot) {
    self.init(
      name: backend.name, address: "\(backend.address)", state: standing.state.rawValue,
      verdict: standing.verdict.state.rawValue, reason: standing.verdict.reason,
      sinceSeconds: (snapshot.now - standing.verdict.since).reportedSeconds, weight: standing.weight,
      // In the unit of `weight`, and never 0 for a backend that takes traffic.
      effectiveWeight: (standing.effectiveWeight + Planner.weightScale - 1) / Planner.weightScale,
      priority: backend.priority)
    let counts = snapshot.statistics.backends[standing.slot] ?? BackendStatistics()
    inFlight = counts.inFlight
    connections = counts.connections
    requests = counts.requests
    retries = counts.retries
    connects = counts.connects
    connectFailures = counts.connectFailures
    failures = counts.failures
    timeouts = counts.timeouts
    bytesIn = counts.bytesIn
    bytesOut = counts.bytesOut
    responses = ResponsesReport(counts.responses)
    if snapshot.topology.pools.contains(where: { $0.tls != nil && $0.backends.contains(backend) }) {
      tls = BackendTLSReport(
        handshakes: counts.handshakes, resumed: counts.resumptions, failed: counts.handshakeFailures)
    }
  }
}

extension ResponsesReport {
  init(_ counts: ResponseCounts) {
    self.init()
    informational = counts.informational
    successful = counts.successful
    redirection = counts.redirection
    clientError = counts.clientError
    serverError = counts.serverError
  }
}

extension LatencyReport {
  init(_ histogram: LatencyHistogram) {
    self.init()
    func seconds(_ share: Double) -> Double? { histogram.quantile(share).map { $0.rounded() / 1e6 } }
    count = histogram.count
    sum = Double(histogram.sum) / 1e6
    (p50, p90, p99, p999) = (seconds(0.5), seconds(0.9), seconds(0.99), seconds(0.999))
    if count > 0 { below = LatencyReport.bounds.map { histogram.below($0) } }
  }
}

extension EventsReport.Event {
  init(_ event: Event) {
    let date = Date(timeIntervalSince1970: Double(event.time) / 1_000)
    self.init(
      id: event.id, time: date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
      kind: event.kind.rawValue,
      subject: event.subject, message: event.message, cause: event.cause)
  }
}

extension BalancePolicy {
  /// As the configuration writes it.
  var name: String {
    switch self {
    case .roundRobin: "round-robin"
    case .leastConnections: "least-connections"
    case .random: "random"
    case .p2c: "p2c"
    case .peakEWMA: "peak-ewma"
    case .maglev: "maglev"
    case .boundedLoad: "bounded-load"
    case .first: "first"
    }
  }
}

extension Duration {
  /// To the millisecond.
  var reportedSeconds: Double { Double(milliseconds) / 1_000 }
}
