package import Model

/// All counters by name, as one process hands them to the next: rows and slots are a process's own.
package struct StatisticsLedger: Hashable, Codable, Sendable {
  package var listeners: [String: ListenerStatistics] = [:]
  /// By pool.
  package var responseTimes: [String: LatencyHistogram] = [:]
  /// By pool, then by backend.
  package var backends: [String: [String: BackendStatistics]] = [:]

  /// By the worker's number.
  package var loops: [WorkerStatistics] = []
  package var droppedLogLines: UInt64 = 0

  package init() {}

  package subscript(key: BackendKey) -> BackendStatistics? {
    get { backends[key.pool]?[key.backend] }
    set { backends[key.pool, default: [:]][key.backend] = newValue }
  }

  /// What stays of a process that is gone: what it has counted, and nothing that was open.
  package var closed: StatisticsLedger {
    var result = self
    for name in listeners.keys {
      result.listeners[name]?.connections = 0
      result.listeners[name]?.inFlight = 0
      result.listeners[name]?.http2.connections = 0
    }
    for (pool, list) in backends {
      for name in list.keys {
        result.backends[pool]?[name]?.connections = 0
        result.backends[pool]?[name]?.idle = 0
        result.backends[pool]?[name]?.inFlight = 0
      }
    }
    for index in loops.indices { result.loops[index].connections = 0 }
    return result
  }
}
