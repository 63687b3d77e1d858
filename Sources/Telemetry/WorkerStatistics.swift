/// One worker's loop.
package struct WorkerStatistics: Hashable, Codable, Sendable {
  /// Gauge: connections that it has, to clients and to backends.
  package var connections: UInt64 = 0
  /// Microseconds in which it did not wait for events; an estimate, from one turn of 32.
  package var busyMicroseconds: UInt64 = 0
  /// How long such a turn took: so long an event that comes meanwhile waits at most.
  package var turns = LatencyHistogram()
  package var copies = CopyStatistics()

  package init() {}

  package static func + (left: WorkerStatistics, right: WorkerStatistics) -> WorkerStatistics {
    var sum = left
    sum.connections &+= right.connections
    sum.busyMicroseconds &+= right.busyMicroseconds
    sum.turns = left.turns + right.turns
    sum.copies = left.copies + right.copies
    return sum
  }
}

/// Copies of requests, for mirrors and canaries.
package struct CopyStatistics: Hashable, Codable, Sendable {
  package var sent: UInt64 = 0
  /// As many as may be were under way.
  package var busy: UInt64 = 0
  /// No backend had room.
  package var full: UInt64 = 0
  /// The body was too long.
  package var long: UInt64 = 0
  /// Upgrades, calls, and bodies that only HTTP/2 frames.
  package var unfit: UInt64 = 0
  /// The original ended before its body did.
  package var cut: UInt64 = 0

  package init() {}

  package static func + (left: CopyStatistics, right: CopyStatistics) -> CopyStatistics {
    var sum = left
    sum.sent &+= right.sent
    sum.busy &+= right.busy
    sum.full &+= right.full
    sum.long &+= right.long
    sum.unfit &+= right.unfit
    sum.cut &+= right.cut
    return sum
  }
}
