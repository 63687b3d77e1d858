import HTTP2
import Kernel
import Model
import Reactor
import TLS
import Telemetry

/// Columns of a worker's listener rows.
enum ListenerColumn: Int, CaseIterable {
  case accepted, connections, refused, requests, inFlight, bytesIn, bytesOut
  case status1xx, status2xx, status3xx, status4xx, status5xx
  case malformed, rateLimited, timeouts, dropped
  case handshakes, resumptions, handshakesLimited
  /// Handshakes that failed, in the order of `HandshakeFailure.Kind`.
  case failedNotTLS, failedMismatch, failedName, failedCertificate, failedAlert, failedClosed, failedTimeout,
    failedOther
  case http2Connections
  /// Floods, in the order of `FloodReason`, which begins like HTTP2's `Flood`.
  case floodResets, floodSettings, floodPings, floodIdle, floodContinuations, floodHeaderBlock, floodStreams
  case floodBuffers
  /// gRPC calls by status; the other sixteen follow.
  case grpc0, grpc1, grpc2, grpc3, grpc4, grpc5, grpc6, grpc7, grpc8, grpc9, grpc10, grpc11, grpc12, grpc13, grpc14
  case grpc15, grpc16
}

/// Columns of a worker's backend rows.
enum BackendColumn: Int, CaseIterable {
  case connections, idle, requests, retries, connects, connectFailures, failures, timeouts, bytesIn, bytesOut
  case handshakes, resumptions, handshakeFailures
  case status1xx, status2xx, status3xx, status4xx, status5xx
}

/// Columns of a worker's rows for the sites that a listener's clients may belong to.
enum SiteColumn: Int, CaseIterable {
  case forwarded, kept
}

/// Columns of a worker's rows for routes that have a name.
enum RouteColumn: Int, CaseIterable {
  case requests, clientErrors, serverErrors
}

/// Columns of the rows that all workers write.
enum LoadColumn: Int, CaseIterable {
  case inFlight
  /// Failures without a success between them.
  case failuresInRow
}

/// Columns of a worker's own row.
enum LoopColumn: Int, CaseIterable {
  case connections, busy
  /// Copies of requests that were sent.
  case copies
  /// And those that were not: as many as may be were under way; nobody had room; the body was too long; they were no
  /// messages to copy; the original ended before its body did.
  case copiesBusy, copiesFull, copiesLong, copiesUnfit, copiesCut
}

/// One worker's numbers: written by it alone, read by anybody.
final class WorkerCounters: Sendable {
  let listeners: SharedCounters
  let backends: SharedCounters
  let sites: SharedCounters
  let routes: SharedCounters
  /// From a request's head to the end of its response, by listener.
  let requestTimes: LatencyTable
  /// From a try to the head of the backend's response, by slot.
  let responseTimes: LatencyTable

  /// Of its loop: one row.
  let loop: SharedCounters
  let turns: LatencyTable

  init(limits: DataPlaneLimits) throws(Errno) {
    loop = try SharedCounters(rows: 1, columns: LoopColumn.allCases.count)
    turns = try LatencyTable(rows: 1)
    listeners = try SharedCounters(rows: limits.listeners, columns: ListenerColumn.allCases.count)
    backends = try SharedCounters(rows: limits.backends, columns: BackendColumn.allCases.count)
    sites = try SharedCounters(rows: limits.sites, columns: SiteColumn.allCases.count)
    routes = try SharedCounters(rows: limits.routes, columns: RouteColumn.allCases.count)
    requestTimes = try LatencyTable(rows: limits.listeners)
    responseTimes = try LatencyTable(rows: limits.backends)
  }

  @inline(__always) func add(_ listener: UInt32, _ column: ListenerColumn, _ value: Int = 1) {
    listeners.bump(Int(listener), column.rawValue, value)
  }

  @inline(__always) func add(_ backend: BackendSlot, _ column: BackendColumn, _ value: Int = 1) {
    backends.bump(Int(backend.index), column.rawValue, value)
  }

  func add(site row: UInt32, _ column: SiteColumn) { sites.bump(Int(row), column.rawValue, 1) }

  func read(site row: UInt32) -> SiteStatistics {
    func value(_ column: SiteColumn) -> UInt64 { UInt64(clamping: sites.load(Int(row), column.rawValue)) }
    return SiteStatistics(forwarded: value(.forwarded), kept: value(.kept))
  }

  /// - Parameter row: `CompiledListener.uncounted`: a route without one.
  @inline(__always) func add(route row: UInt32, _ column: RouteColumn) {
    if row != CompiledListener.uncounted { routes.bump(Int(row), column.rawValue) }
  }

  func read(route row: UInt32) -> RouteStatistics {
    func value(_ column: RouteColumn) -> UInt64 { UInt64(clamping: routes.load(Int(row), column.rawValue)) }
    var result = RouteStatistics()
    result.requests = value(.requests)
    result.clientErrors = value(.clientErrors)
    result.serverErrors = value(.serverErrors)
    return result
  }

  /// For a new backend in an old slot; what a worker counts in this very moment may get lost.
  func reset(backend row: Int) {
    for column in BackendColumn.allCases { backends.store(row, column.rawValue, 0) }
  }

  func addFailedHandshake(_ listener: UInt32, _ kind: HandshakeFailure.Kind) {
    let column: ListenerColumn =
      switch kind {
      case .notTLS: .failedNotTLS
      case .mismatch: .failedMismatch
      case .name: .failedName
      case .certificate: .failedCertificate
      case .alert: .failedAlert
      case .closed: .failedClosed
      case .timeout: .failedTimeout
      case .other: .failedOther
      }
    add(listener, column)
  }

  func addResponse(_ listener: UInt32, status: Int) {
    let column = ListenerColumn.status1xx.rawValue + status / 100 - 1
    if (1...5).contains(status / 100) { listeners.bump(Int(listener), column) }
  }

  /// nil: more streams at once than allowed.
  func addFlood(_ listener: UInt32, _ flood: Flood?) {
    listeners.bump(
      Int(listener),
      flood.map { ListenerColumn.floodResets.rawValue + Int($0.rawValue) } ?? ListenerColumn.floodStreams.rawValue)
  }

  func addCall(_ listener: UInt32, status: Int) {
    listeners.bump(Int(listener), ListenerColumn.grpc0.rawValue + min(status, GRPC.statuses - 1))
  }

  func addResponse(_ backend: BackendSlot, status: Int) {
    let column = BackendColumn.status1xx.rawValue + status / 100 - 1
    if (1...5).contains(status / 100) { backends.bump(Int(backend.index), column) }
  }

  func read(listener row: Int) -> ListenerStatistics {
    func value(_ column: ListenerColumn) -> UInt64 { UInt64(clamping: listeners.load(row, column.rawValue)) }
    var result = ListenerStatistics()
    result.accepted = value(.accepted)
    result.connections = value(.connections)
    result.refused = value(.refused)
    result.requests = value(.requests)
    result.inFlight = value(.inFlight)
    result.bytesIn = value(.bytesIn)
    result.bytesOut = value(.bytesOut)
    result.responses = WorkerCounters.responses(listeners, row, from: ListenerColumn.status1xx.rawValue)
    result.malformed = value(.malformed)
    result.rateLimited = value(.rateLimited)
    result.timeouts = value(.timeouts)
    result.dropped = value(.dropped)
    result.tls.done = value(.handshakes)
    result.tls.resumed = value(.resumptions)
    result.tls.limited = value(.handshakesLimited)
    result.tls.failed.notTLS = value(.failedNotTLS)
    result.tls.failed.mismatch = value(.failedMismatch)
    result.tls.failed.name = value(.failedName)
    result.tls.failed.certificate = value(.failedCertificate)
    result.tls.failed.alert = value(.failedAlert)
    result.tls.failed.closed = value(.failedClosed)
    result.tls.failed.timeout = value(.failedTimeout)
    result.tls.failed.other = value(.failedOther)
    result.http2.connections = value(.http2Connections)
    result.http2.floods = FloodReason.allCases.indices.map {
      UInt64(clamping: listeners.load(row, ListenerColumn.floodResets.rawValue + $0))
    }
    result.http2.calls = (0..<GRPC.statuses).map {
      UInt64(clamping: listeners.load(row, ListenerColumn.grpc0.rawValue + $0))
    }
    return result
  }

  func readLoop() -> WorkerStatistics {
    var result = WorkerStatistics()
    result.connections = UInt64(clamping: loop.load(0, LoopColumn.connections.rawValue))
    result.busyMicroseconds = UInt64(clamping: loop.load(0, LoopColumn.busy.rawValue) / 1000)
    result.turns = turns.read(0)
    func value(_ column: LoopColumn) -> UInt64 { UInt64(clamping: loop.load(0, column.rawValue)) }
    result.copies.sent = value(.copies)
    result.copies.busy = value(.copiesBusy)
    result.copies.full = value(.copiesFull)
    result.copies.long = value(.copiesLong)
    result.copies.unfit = value(.copiesUnfit)
    result.copies.cut = value(.copiesCut)
    return result
  }

  /// Without `inFlight`, which is not one worker's.
  func read(backend row: Int) -> BackendStatistics {
    func value(_ column: BackendColumn) -> UInt64 { UInt64(clamping: backends.load(row, column.rawValue)) }
    var result = BackendStatistics()
    result.connections = value(.connections)
    result.idle = value(.idle)
    result.requests = value(.requests)
    result.retries = value(.retries)
    result.connects = value(.connects)
    result.connectFailures = value(.connectFailures)
    result.failures = value(.failures)
    result.timeouts = value(.timeouts)
    result.bytesIn = value(.bytesIn)
    result.bytesOut = value(.bytesOut)
    result.handshakes = value(.handshakes)
    result.resumptions = value(.resumptions)
    result.handshakeFailures = value(.handshakeFailures)
    result.responses = WorkerCounters.responses(backends, row, from: BackendColumn.status1xx.rawValue)
    return result
  }

  /// The five columns that begin at `first`.
  private static func responses(_ table: SharedCounters, _ row: Int, from first: Int) -> ResponseCounts {
    func value(_ offset: Int) -> UInt64 { UInt64(clamping: table.load(row, first + offset)) }
    var result = ResponseCounts()
    result.informational = value(0)
    result.successful = value(1)
    result.redirection = value(2)
    result.clientError = value(3)
    result.serverError = value(4)
    return result
  }
}
