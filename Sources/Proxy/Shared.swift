import Balance
import Kernel
package import Model
import Reactor
import Synchronization

/// How much of what a data plane can hold; address space, not memory.
package struct DataPlaneLimits: Sendable {
  package var listeners = 65_536
  package var backends = 65_536
  /// Sites that clients of listeners may belong to, over all listeners.
  package var sites = 4_096
  /// Named routes that are counted, over all listeners; others are served all the same.
  package var routes = 16_384
  /// Connections of one worker, to clients and backends together.
  package var connections = 1 << 20
  /// Bytes of one worker that may wait for slow peers.
  package var bufferedBytes = 256 << 20

  package init() {}
}

/// What live traffic says of a backend: enough failures in a row that passive health must hear of it.
package struct OutlierReport: Hashable, Sendable {
  package let key: BackendKey
  package let failures: Int
  package let reason: String
}

/// What all workers share. No locks: atomics, and tables that are fixed after the start.
final class Shared: Sendable {
  let limits: DataPlaneLimits
  /// A row for each backend slot.
  let loads: SharedCounters
  /// Open client connections for each listener row, over all workers.
  let listenerConnections: SharedCounters
  let openConnections = Atomic<Int>(0)
  let rates: RateTable
  let stickiness: StickTables
  let report: @Sendable (OutlierReport) -> Void
  let waiting: WaitingCounts
  let spans = SpanQueue()
  let peers = Mutex<[Mailbox<WorkerOrder>]>([])

  init(limits: DataPlaneLimits, report: @escaping @Sendable (OutlierReport) -> Void) throws(Errno) {
    self.limits = limits
    self.report = report
    loads = try SharedCounters(rows: limits.backends, columns: LoadColumn.allCases.count)
    listenerConnections = try SharedCounters(rows: limits.listeners, columns: 1)
    rates = try RateTable()
    waiting = try WaitingCounts()
    stickiness = StickTables()
  }
}

extension Shared {
  /// Tells the other workers that a backend they may wait for has room.
  func wakeOthers(_ number: Int) {
    let mailboxes = peers.withLock { $0 }
    for (index, mailbox) in mailboxes.enumerated() where index != number { mailbox.post(.capacity) }
  }
}

/// How many requests wait for a backend with room, in all workers. Pools share a count when there are very many.
final class WaitingCounts: Sendable {
  private static let rows = 1024
  private let counters: SharedCounters

  init() throws(Errno) { counters = try SharedCounters(rows: WaitingCounts.rows, columns: 1) }

  func count(pool row: Int) -> Int { counters.load(row & (WaitingCounts.rows - 1), 0) }
  func add(pool row: Int, _ more: Int) { counters.add(row & (WaitingCounts.rows - 1), 0, more) }
}

/// Live in-flight counts for the balancers.
struct LiveLoads: LoadView {
  let counters: SharedCounters

  @inline(__always) func inFlight(_ slot: BackendSlot) -> Int {
    counters.load(Int(slot.index), LoadColumn.inFlight.rawValue)
  }
}
