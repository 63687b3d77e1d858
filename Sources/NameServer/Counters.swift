import Kernel
import Reactor
package import Telemetry
import TLS

/// The columns of a worker's one row of counters.
enum Column: Int, CaseIterable {
  case datagrams, streams, noError, nameError, refused, serverFailure, formatError, notImplemented, otherCode
  case truncated, dropped, limited, malformed, accepted, evicted, transfers, signed
  case secured, handshakes, resumptions
  /// Gauge: TCP clients that are there.
  case open
  case failedNotTLS, failedMismatch, failedName, failedCertificate, failedAlert, failedClosed, failedTimeout,
    failedOther
}

/// What one worker counts; read by anybody.
struct Counters: Sendable {
  private let cells: SharedCounters

  init() throws(Errno) { cells = try SharedCounters(rows: 1, columns: Column.allCases.count) }

  func count(_ column: Column, _ number: Int = 1) { cells.bump(0, column.rawValue, number) }
  func count(_ failure: HandshakeFailure.Kind) {
    switch failure {
    case .notTLS: count(.failedNotTLS)
    case .mismatch: count(.failedMismatch)
    case .name: count(.failedName)
    case .certificate: count(.failedCertificate)
    case .alert: count(.failedAlert)
    case .closed: count(.failedClosed)
    case .timeout: count(.failedTimeout)
    case .other: count(.failedOther)
    }
  }

  func read(_ column: Column) -> UInt64 { UInt64(clamping: cells.load(0, column.rawValue)) }
}

extension NameStatistics {
  /// Adds one worker's.
  mutating func add(_ counters: Counters) {
    datagrams += counters.read(.datagrams)
    streams += counters.read(.streams)
    noError += counters.read(.noError)
    nameError += counters.read(.nameError)
    refused += counters.read(.refused)
    serverFailure += counters.read(.serverFailure)
    formatError += counters.read(.formatError)
    notImplemented += counters.read(.notImplemented)
    otherCode += counters.read(.otherCode)
    answered = noError + nameError + refused + serverFailure + formatError + notImplemented + otherCode
    truncated += counters.read(.truncated)
    dropped += counters.read(.dropped)
    limited += counters.read(.limited)
    malformed += counters.read(.malformed)
    accepted += counters.read(.accepted)
    evicted += counters.read(.evicted)
    transfers += counters.read(.transfers)
    signed += counters.read(.signed)
    secured += counters.read(.secured)
    tls.done += counters.read(.handshakes)
    tls.resumed += counters.read(.resumptions)
    tls.failed.notTLS += counters.read(.failedNotTLS)
    tls.failed.mismatch += counters.read(.failedMismatch)
    tls.failed.name += counters.read(.failedName)
    tls.failed.certificate += counters.read(.failedCertificate)
    tls.failed.alert += counters.read(.failedAlert)
    tls.failed.closed += counters.read(.failedClosed)
    tls.failed.timeout += counters.read(.failedTimeout)
    tls.failed.other += counters.read(.failedOther)
  }
}
