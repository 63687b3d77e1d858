/// `GET /metrics`: the status as metric families. Labels are names of the configuration only, so that their number is
/// bounded by it.
package enum NodeMetrics {
  package static func text(
    _ status: StatusReport, _ format: Exposition.Format, bgp: BGPStatusReport? = nil,
    vips: VIPsReport? = nil, floating: FloatingReport? = nil, names: NameServiceReport? = nil
  ) -> String {
    var metrics = Exposition(format)
    node(status, &metrics)
    for family in listenerFamilies { family.write(status.listeners.map { ([("listener", $0.name)], $0) }, &metrics) }
    responses(
      "sluice_listener_responses", "Answers to clients by class of their status, whoever made them.",
      status.listeners.map { ([("listener", $0.name)], $0.responses) }, &metrics)
    metrics.begin(
      "sluice_listener_http2_floods", .counter, "HTTP/2 connections that a flood of frames has ended, by reason.")
    for listener in status.listeners where listener.protocol == "http" {
      for (reason, count) in listener.http2Floods.sorted(by: { $0.key < $1.key }) {
        metrics.sample([("listener", listener.name), ("reason", reason)], count)
      }
    }
    metrics.begin("sluice_listener_grpc_calls", .counter, "gRPC calls that ended, by their status code.")
    for listener in status.listeners {
      for (code, count) in listener.grpcCalls.enumerated() where count > 0 {
        metrics.sample([("listener", listener.name), ("code", String(code))], count)
      }
    }
    sites(status.listeners, &metrics)
    routes(status.listeners, &metrics)
    metrics.begin(
      "sluice_listener_request_duration_seconds", .histogram, "From a request's head to the end of its response.")
    for listener in status.listeners { metrics.histogram([("listener", listener.name)], listener.requestTimes) }
    pools(status.pools, &metrics)
    if let bgp { self.bgp(bgp, &metrics) }
    if let vips { self.vips(vips, &metrics) }
    if let floating { self.floating(floating, &metrics) }
    if let names { self.names(names, &metrics) }
    store(status, &metrics)
    tls(status, &metrics)
    if let tracing = status.tracing { self.tracing(tracing, &metrics) }
    return metrics.text
  }

  private static func sites(_ listeners: [ListenerReport], _ metrics: inout Exposition) {
    let rows = rows(listeners, "site", \.sites)
    guard !rows.isEmpty else { return }
    metrics.begin("sluice_listener_site_forwarded", .counter, "Requests passed on to the site that their cookie names.")
    for row in rows { metrics.sample(row.labels, row.counts.forwarded) }
    metrics.begin(
      "sluice_listener_site_kept", .counter, "Requests served here, since their cookie's site was not well.")
    for row in rows { metrics.sample(row.labels, row.counts.kept) }
  }

  private static func routes(_ listeners: [ListenerReport], _ metrics: inout Exposition) {
    let rows = rows(listeners, "route", \.routes)
    guard !rows.isEmpty else { return }
    metrics.begin("sluice_route_requests", .counter, "Requests, connections or sessions that a named route has taken.")
    for row in rows { metrics.sample(row.labels, row.counts.requests) }
    metrics.begin("sluice_route_errors", .counter, "Of a named route's answers the errors, by class of their status.")
    for row in rows {
      metrics.sample(row.labels + [("code", "4xx")], row.counts.clientError)
      metrics.sample(row.labels + [("code", "5xx")], row.counts.serverError)
    }
  }

  /// What listeners tell by the names of something in them.
  private static func rows<Counts>(
    _ listeners: [ListenerReport], _ label: String, _ counts: (ListenerReport) -> [String: Counts]?
  ) -> [(labels: Exposition.Labels, counts: Counts)] {
    listeners.flatMap { listener in
      (counts(listener) ?? [:]).sorted { $0.key < $1.key }.map {
        (labels: [("listener", listener.name), (label, $0.key)], counts: $0.value)
      }
    }
  }

  private static func node(_ status: StatusReport, _ metrics: inout Exposition) {
    metrics.begin("sluice_build_info", .gauge, "Always 1; the version is a label.")
    metrics.sample([("version", status.version)], UInt64(1))
    metrics.begin("sluice_uptime_seconds", .gauge, "Since the node started.")
    metrics.sample([], status.uptimeSeconds)
    metrics.begin("sluice_serving", .gauge, "1 while the node takes new clients in.")
    metrics.sample([], UInt64(status.phase == .serving ? 1 : 0))
    metrics.begin("sluice_world_generation", .gauge, "Grows with every change of what is served.")
    metrics.sample([], status.generation)
    metrics.begin("sluice_workers", .gauge, "Threads that carry traffic.")
    metrics.sample([], UInt64(status.workers))
    metrics.begin(
      "sluice_access_log_lines_dropped", .counter,
      "Lines that were lost, since the log's target was too slow or refused.")
    metrics.sample([], status.droppedLogLines)
    if let copies = status.copies {
      metrics.begin("sluice_mirror_copies", .counter, "Copies of requests that were sent to mirrors and canaries.")
      metrics.sample([], copies["sent"] ?? 0)
      metrics.begin("sluice_mirror_copies_dropped", .counter, "Copies that were not sent, by reason.")
      for (reason, count) in copies.sorted(by: { $0.key < $1.key }) where reason != "sent" {
        metrics.sample([("reason", reason)], count)
      }
    }
    let loops = status.loops.enumerated().map { (labels: [(name: "worker", value: "\($0)")], report: $1) }
    metrics.begin("sluice_worker_connections_open", .gauge, "Connections of the worker, to clients and to backends.")
    for (labels, loop) in loops { metrics.sample(labels, loop.connections) }
    metrics.begin(
      "sluice_worker_busy_seconds", .counter, "Time in which the worker did not wait for events; its rate is the share."
    )
    for (labels, loop) in loops { metrics.sample(labels, loop.busy) }
    metrics.begin(
      "sluice_worker_loop_lag_seconds", .histogram,
      "How long a turn of the worker's loop took, one of 32 measured: so long an event waits at most.")
    for (labels, loop) in loops { metrics.histogram(labels, loop.turns) }
  }

  private static func pools(_ pools: [PoolReport], _ metrics: inout Exposition) {
    metrics.begin(
      "sluice_pool_response_duration_seconds", .histogram,
      "From sending a request to a backend until the head of its response.")
    for pool in pools { metrics.histogram([("pool", pool.name)], pool.responseTimes) }
    metrics.begin("sluice_pool_requests_queued", .gauge, "Requests that wait for a backend with room.")
    for pool in pools { metrics.sample([("pool", pool.name)], UInt64(pool.queued ?? 0)) }
    let backends = pools.flatMap { pool in
      pool.backends.map { (labels: [("pool", pool.name), ("backend", $0.name)], report: $0) }
    }
    for family in backendFamilies { family.write(backends, &metrics) }
    responses(
      "sluice_backend_responses", "What backends answered, by class of the status.",
      backends.map { ($0.labels, $0.report.responses) }, &metrics)
    metrics.begin("sluice_backend_verdict_info", .gauge, "Always 1; what is known of a backend, and why, are labels.")
    for (labels, report) in backends {
      metrics.sample(
        labels + [("verdict", report.verdict), ("state", report.state), ("reason", report.reason)], UInt64(1))
    }
  }

  private static func responses(
    _ name: String, _ help: String, _ rows: [(Exposition.Labels, ResponsesReport)], _ metrics: inout Exposition
  ) {
    metrics.begin(name, .counter, help)
    for (labels, counts) in rows {
      let classes = [
        ("1xx", counts.informational), ("2xx", counts.successful), ("3xx", counts.redirection),
        ("4xx", counts.clientError), ("5xx", counts.serverError),
      ]
      for (code, count) in classes { metrics.sample(labels + [("code", code)], count) }
    }
  }

  /// A family with one sample for each row of a report.
  private struct Family<Report> {
    let name: String
    let kind: Exposition.Kind
    let help: String
    let value: @Sendable (Report) -> Double

    init(_ name: String, _ kind: Exposition.Kind, _ help: String, _ path: @escaping @Sendable (Report) -> UInt64) {
      (self.name, self.kind, self.help, value) = (name, kind, help, { Double(path($0)) })
    }

    init(gauge name: String, _ help: String, _ value: @escaping @Sendable (Report) -> Double) {
      (self.name, self.kind, self.help, self.value) = (name, .gauge, help, value)
    }

    func write(_ rows: [(Exposition.Labels, Report)], _ metrics: inout Exposition) {
      metrics.begin(name, kind, help)
      for (labels, report) in rows { metrics.sample(labels, value(report)) }
    }
  }

  private static let listenerFamilies: [Family<ListenerReport>] = [
    Family("sluice_listener_connections", .counter, "Client connections or sessions taken in.") { $0.accepted },
    Family("sluice_listener_connections_open", .gauge, "Client connections or sessions open now.") { $0.connections },
    Family("sluice_listener_connections_refused", .counter, "Refused before a byte was read.") { $0.refused },
    Family("sluice_listener_requests", .counter, "Requests (HTTP), connections (TCP), sessions (UDP).") { $0.requests },
    Family("sluice_listener_requests_in_flight", .gauge, "Requests that are being answered.") { $0.inFlight },
    Family("sluice_listener_requests_malformed", .counter, "Refused as malformed or over a limit.") { $0.malformed },
    Family("sluice_listener_requests_rate_limited", .counter, "Refused by a rate.") { $0.rateLimited },
    Family("sluice_listener_timeouts", .counter, "Connections that one of the listener's timeouts ended.") {
      $0.timeouts
    },
    Family("sluice_listener_datagrams_dropped", .counter, "Datagrams that did not get on.") { $0.dropped },
    Family("sluice_listener_http2_connections", .counter, "Client connections that speak HTTP/2.") {
      $0.http2Connections
    },
    Family("sluice_listener_received_bytes", .counter, "From clients.") { $0.bytesIn },
    Family("sluice_listener_sent_bytes", .counter, "To clients.") { $0.bytesOut },
  ]

  private static let backendFamilies: [Family<BackendReport>] = [
    Family(gauge: "sluice_backend_up", "1 while the backend's verdict lets traffic to it.") {
      $0.verdict == "up" || $0.verdict == "warming" ? 1 : 0
    },
    Family(gauge: "sluice_backend_drifting", "1 while the backend does worse than its pool's others.") {
      $0.drift == nil ? 0 : 1
    },
    Family(gauge: "sluice_backend_verdict_age_seconds", "Since the verdict last changed.") { $0.sinceSeconds },
    Family(gauge: "sluice_backend_weight", "As configured or ordered.") { Double($0.weight) },
    Family(gauge: "sluice_backend_effective_weight", "What is left of the weight by health, state and warm-up.") {
      Double($0.effectiveWeight)
    },
    Family("sluice_backend_requests_in_flight", .gauge, "Requests, connections or sessions on it now.") { $0.inFlight },
    Family("sluice_backend_connections_open", .gauge, "Connections to it, idle ones too.") { $0.connections },
    Family("sluice_backend_requests", .counter, "Tries sent to it, retries included.") { $0.requests },
    Family("sluice_backend_retries", .counter, "Tries that were not the first of their request.") { $0.retries },
    Family("sluice_backend_connects", .counter, "Connections established.") { $0.connects },
    Family("sluice_backend_connect_failures", .counter, "Connections that could not be established.") {
      $0.connectFailures
    },
    Family("sluice_backend_failures", .counter, "Tries without a usable response.") { $0.failures },
    Family("sluice_backend_timeouts", .counter, "Failures by a timeout.") { $0.timeouts },
    Family("sluice_backend_ejections", .counter, "Times that failures of its traffic took it out for a while.") {
      $0.ejections
    },
    Family("sluice_backend_received_bytes", .counter, "From the backend.") { $0.bytesIn },
    Family("sluice_backend_sent_bytes", .counter, "To the backend.") { $0.bytesOut },
  ]
}
