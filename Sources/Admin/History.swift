/// The last hour as rates and percentiles of short intervals, for plots.
package struct History: Sendable {
  package static let interval = Duration.seconds(5)
  /// An hour of them.
  package static let capacity = 720

  private var ring: [HistorySample] = []
  private var oldest = 0
  private var last: (status: StatusReport, time: Int64)?

  package init() {}

  /// - Parameter time: milliseconds since 1970; a clock that was set back starts the plot anew.
  package mutating func record(_ status: StatusReport, at time: Int64) {
    defer { last = (status, time) }
    guard let last, time > last.time else {
      if last != nil { (ring, oldest) = ([], 0) }
      return
    }
    let sample = HistorySample(status, since: last.status, seconds: Double(time - last.time) / 1_000, time: time)
    if ring.count < History.capacity { return ring.append(sample) }
    ring[oldest] = sample
    oldest = (oldest + 1) % History.capacity
  }

  /// Oldest first.
  package var samples: [HistorySample] { Array(ring[oldest...] + ring[..<oldest]) }
}

/// `GET /v1/history`.
package struct HistoryReport: Codable, Hashable, Sendable {
  package var samples: [HistorySample]

  package init(samples: [HistorySample]) { self.samples = samples }
}

/// One interval; rates are per second, durations in seconds and absent without traffic.
package struct HistorySample: Codable, Hashable, Sendable {
  package struct Listener: Codable, Hashable, Sendable {
    package var name: String
    package var requests: Double
    package var clientErrors: Double
    package var serverErrors: Double
    package var p50: Double?
    package var p99: Double?
    package var connections: UInt64
    package var bytesOut: Double
  }

  package struct Pool: Codable, Hashable, Sendable {
    package var name: String
    package var failures: Double
    package var retries: Double
    package var p99: Double?
    package var inFlight: UInt64
    package var up: Int
  }

  /// The interval's end, in milliseconds since 1970.
  package var time: Int64
  package var listeners: [Listener]
  package var pools: [Pool]

  init(_ now: StatusReport, since last: StatusReport, seconds: Double, time: Int64) {
    func rate(_ now: UInt64, _ last: UInt64) -> Double { Double(now >= last ? now - last : now) / seconds }
    let listenersBefore = Dictionary(last.listeners.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let poolsBefore = Dictionary(last.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.time = time
    listeners = now.listeners.map { one in
      let old = listenersBefore[one.name] ?? ListenerReport(name: one.name, protocol: one.protocol, binds: [])
      let times = one.requestTimes.since(old.requestTimes)
      return Listener(
        name: one.name, requests: rate(one.requests, old.requests),
        clientErrors: rate(one.responses.clientError, old.responses.clientError),
        serverErrors: rate(one.responses.serverError, old.responses.serverError),
        p50: times.quantile(0.5), p99: times.quantile(0.99), connections: one.connections,
        bytesOut: rate(one.bytesOut, old.bytesOut))
    }
    pools = now.pools.map { one in
      let old = poolsBefore[one.name] ?? PoolReport(name: one.name, policy: one.policy, backends: [])
      func sum(_ pool: PoolReport, _ path: (BackendReport) -> UInt64) -> UInt64 {
        pool.backends.reduce(0) { $0 &+ path($1) }
      }
      return Pool(
        name: one.name, failures: rate(sum(one, \.failures), sum(old, \.failures)),
        retries: rate(sum(one, \.retries), sum(old, \.retries)),
        p99: one.responseTimes.since(old.responseTimes).quantile(0.99), inFlight: sum(one, \.inFlight),
        up: one.backends.count { $0.verdict == "up" || $0.verdict == "warming" })
    }
  }
}

/// `GET /v1/panels`: tables of what a node does besides carrying traffic, as text for people.
package struct PanelsReport: Codable, Hashable, Sendable {
  package struct Panel: Codable, Hashable, Sendable {
    package var name: String
    package var title: String
    package var columns: [String]
    package var rows: [[String]]

    package init(name: String, title: String, columns: [String], rows: [[String]]) {
      self.name = name
      self.title = title
      self.columns = columns
      self.rows = rows
    }
  }

  package var panels: [Panel]

  package init(panels: [Panel]) { self.panels = panels }
}
