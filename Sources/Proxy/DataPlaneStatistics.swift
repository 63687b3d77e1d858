import Model
import Reactor
import Synchronization
package import Telemetry

/// The workers' counters as one.
extension DataPlane {
  func responseTimes(_ slot: BackendSlot) -> LatencyHistogram {
    counters.reduce(LatencyHistogram()) { $0 + $1.responseTimes.read(slot.index) }
  }

  /// A reading of all counters, those of earlier processes in them.
  package func statistics() -> DataPlaneStatistics {
    let (listenerRows, poolRows, siteRows, routeRows, owners, retired, earlier) = state.withLock { state in
      (
        state.listenerRows, state.poolRows, state.siteRows, state.routeRows, state.owners, state.retired, state.earlier
      )
    }
    var result = DataPlaneStatistics()
    result.workers = workers
    result.droppedLogLines = UInt64(droppedLogLines) + earlier.droppedLogLines
    result.loops = counters.enumerated().map { number, counter in
      let own = counter.readLoop()
      return number < earlier.loops.count ? own + earlier.loops[number] : own
    }
    for (name, row) in listenerRows where name != DataPlane.copies {
      var sum = ListenerStatistics()
      for counter in counters {
        sum = sum + counter.read(listener: Int(row))
        sum.requestTimes = sum.requestTimes + counter.requestTimes.read(row)
      }
      sum.sites = (siteRows[name] ?? [:]).mapValues { row in
        counters.reduce(SiteStatistics()) { $0 + $1.read(site: row) }
      }
      sum.routes = (routeRows[name] ?? [:]).mapValues { row in
        counters.reduce(RouteStatistics()) { $0 + $1.read(route: row) }
      }
      result.listeners[name] = earlier.listeners[name].map { sum + $0 } ?? sum
    }
    for (name, row) in poolRows {
      result.queued[name] = max(0, shared.waiting.count(pool: Int(row)))
      result.responseTimes[name] =
        (earlier.responseTimes[name] ?? LatencyHistogram()) + (retired[name] ?? LatencyHistogram())
    }
    for (slot, key) in owners {
      var sum = BackendStatistics()
      for counter in counters { sum = sum + counter.read(backend: Int(slot.index)) }
      sum.inFlight = UInt64(clamping: shared.loads.load(Int(slot.index), LoadColumn.inFlight.rawValue))
      if sum.requests > 0 { sum.responseTimes = responseTimes(slot) }
      result.responseTimes[key.pool] = (result.responseTimes[key.pool] ?? LatencyHistogram()) + sum.responseTimes
      result.backends[slot] = earlier[key].map { sum + $0 } ?? sum
    }
    return result
  }
}
