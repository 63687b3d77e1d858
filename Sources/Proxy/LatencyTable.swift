import Kernel
import Reactor
import Telemetry

/// One worker's histograms: a row for each listener or backend, written by it alone, read by anybody.
struct LatencyTable: Sendable {
  private static let sum = LatencyScale.buckets
  private let cells: SharedCounters

  init(rows: Int) throws(Errno) {
    cells = try SharedCounters(rows: rows, columns: LatencyScale.buckets + 1)
  }

  // PERF: two stores and no lock, about 30 instructions of a request's.
  @inline(__always) func record(_ row: UInt32, nanoseconds: Int64) {
    let microseconds = max(0, nanoseconds / 1_000)
    cells.bump(Int(row), LatencyScale.bucket(microseconds))
    cells.bump(Int(row), LatencyTable.sum, Int(microseconds))
  }

  /// For a new backend in an old slot.
  func reset(_ row: UInt32) {
    for column in 0...LatencyTable.sum { cells.store(Int(row), column, 0) }
  }

  func read(_ row: UInt32) -> LatencyHistogram {
    var counts: [UInt64] = []
    counts.reserveCapacity(LatencyScale.buckets)
    for bucket in 0..<LatencyScale.buckets { counts.append(UInt64(clamping: cells.load(Int(row), bucket))) }
    return LatencyHistogram(counts: counts, sum: UInt64(clamping: cells.load(Int(row), LatencyTable.sum)))
  }
}
