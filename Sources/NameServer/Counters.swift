import Kernel
import Reactor
package import Telemetry

/// The columns of a worker's one row of counters.
enum Column: Int, CaseIterable {
  case datagrams, streams, answered, noError, nameError, refused, serverFailure, formatError, notImplemented, otherCode
  case truncated, dropped, limited, malformed, accepted, evicted, transfers, signed
}

/// What one worker counts; read by anybody.
struct Counters: Sendable {
  private let cells: SharedCounters

  init() throws(Errno) { cells = try SharedCounters(rows: 1, columns: Column.allCases.count) }

  func count(_ column: Column, _ number: Int = 1) { cells.bump(0, column.rawValue, number) }
  func read(_ column: Column) -> UInt64 { UInt64(clamping: cells.load(0, column.rawValue)) }
}

extension NameStatistics {
  /// Adds one worker's.
  mutating func add(_ counters: Counters) {
    datagrams += counters.read(.datagrams)
    streams += counters.read(.streams)
    answered += counters.read(.answered)
    noError += counters.read(.noError)
    nameError += counters.read(.nameError)
    refused += counters.read(.refused)
    serverFailure += counters.read(.serverFailure)
    formatError += counters.read(.formatError)
    notImplemented += counters.read(.notImplemented)
    otherCode += counters.read(.otherCode)
    truncated += counters.read(.truncated)
    dropped += counters.read(.dropped)
    limited += counters.read(.limited)
    malformed += counters.read(.malformed)
    accepted += counters.read(.accepted)
    evicted += counters.read(.evicted)
    transfers += counters.read(.transfers)
    signed += counters.read(.signed)
  }
}
