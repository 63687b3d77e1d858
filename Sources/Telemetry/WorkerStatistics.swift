/// One worker's loop.
package struct WorkerStatistics: Hashable, Codable, Sendable {
  /// Gauge: connections that it has, to clients and to backends.
  package var connections: UInt64 = 0
  /// Microseconds in which it did not wait for events; an estimate, from one turn of 32.
  package var busyMicroseconds: UInt64 = 0
  /// How long such a turn took: so long an event that comes meanwhile waits at most.
  package var turns = LatencyHistogram()

  package init() {}

  package static func + (left: WorkerStatistics, right: WorkerStatistics) -> WorkerStatistics {
    var sum = left
    sum.connections &+= right.connections
    sum.busyMicroseconds &+= right.busyMicroseconds
    sum.turns = left.turns + right.turns
    return sum
  }
}
