import Balance
import HTTP
import Kernel
import Model
import Reactor

/// Tries that failed: whether there is another one, and what it says of the backend.
extension Worker {
  static let maxEarlyRetries = 3

  /// The try has failed before the response began: the next backend, if the rules allow it, else the client hears of it.
  mutating func retryOrFail(_ exchange: UInt32, _ why: Ending) {
    let row = Int(exchanges[exchange].pool)
    noteFailure(exchange, why)
    guard exchanges[exchange].ending != .clientClosed, row < current.pools.count, let pool = current.pools[row] else {
      return failExchange(exchange, after: why)
    }
    exchanges[exchange].ending = why
    guard mayRetry(exchange, why, row, pool) else { return failExchange(exchange, after: why) }
    if isStale(exchange, why) {
      // The connection was old, not the backend ill: it may be asked again, on a fresh one.
      exchanges[exchange].tried = TriedSet()
      exchanges[exchange].flags.insert(.wantsFreshConnection)
    } else if why == .streamRefused, !mayTryAnother(exchange, pool) {
      // RFC 9113 §8.7: nothing was done with it, and where nobody else is, the same one may be asked again.
      exchanges[exchange].tried = TriedSet()
    }
    releaseBackend(exchange, reusable: false)
    if why != .streamRefused, !exchanges[exchange].flags.contains(.retrying) {
      exchanges[exchange].flags.insert(.retrying)
      pools[row].retrying += 1
    }
    exchanges[exchange].sent = 0
    assign(exchange)
    if exchanges.isUsed(exchange), exchanges[exchange].flags.contains(.loaded) {
      counters.add(exchanges[exchange].slot, .retries)
    }
  }

  /// The route's, or the pool's.
  mutating func retryPolicy(_ exchange: UInt32, _ pool: CompiledPool) -> RetryPolicy {
    let state = exchanges[exchange]
    return snapshot(of: state.epoch).listeners[Int(state.listener)]?.actions[Int(state.route)].retry ?? pool.model.retry
  }

  /// Whether a response's status is one to try again for, and there is somebody to try it with.
  @inline(__always) mutating func wantsAnotherTry(_ exchange: UInt32, status: UInt16) -> Bool {
    exchanges[exchange].flags.contains(.retriesStatus) && mayTryAgain(exchange, status: status)
  }

  private mutating func mayTryAgain(_ exchange: UInt32, status: UInt16) -> Bool {
    let state = exchanges[exchange]
    guard state.flags.isSuperset(of: [.retriesStatus, .idempotent]), let pool = current.pools[Int(state.pool)],
      retryPolicy(exchange, pool).onStatus.contains(Int(status))
    else { return false }
    return mayTryAnother(exchange, pool)
  }

  /// Whether the rules allow another try, and there is somebody to try it with.
  mutating func mayTryAnother(_ exchange: UInt32, _ pool: CompiledPool) -> Bool {
    let state = exchanges[exchange]
    guard mayRetry(exchange, .none, Int(state.pool), pool) else { return false }
    for (index, standing) in pool.standings.enumerated()
    where standing.effectiveWeight > 0 && !state.tried.contains(index) && hasRoom(standing.slot, pool, index) {
      return true
    }
    return false
  }

  private mutating func mayRetry(_ exchange: UInt32, _ why: Ending, _ row: Int, _ pool: CompiledPool) -> Bool {
    let state = exchanges[exchange]
    guard state.tries <= state.attempts, milliseconds < state.deadline, !state.flags.contains(.responding) else {
      return false
    }
    guard state.kind == .tunnel || state.flags.contains(.replayable) else { return false }
    let policy = retryPolicy(exchange, pool)
    switch why {
    case .connectFailed, .connectTimeout, .handshakeFailed, .streamRefused: break  // Nothing was done: any method.
    case .backendReset, .backendClosed: guard policy.onReset, state.flags.contains(.idempotent) else { return false }
    case .responseTimeout, .malformedResponse:
      guard state.flags.contains(.idempotent), policy.onReset else { return false }
    case .none: break  // A status that the policy names.
    default: return false
    }
    // RFC 9113 §8.7: of a connection that leaves, the backend refuses all that it has not begun. That is no load, and many
    // at once: a server that ends connections after so many requests would use the budget up each time.
    if why == .streamRefused { return true }
    // A retry storm must not double the load of what is left (budget as in Finagle: a share of what is live).
    let allowance = max(Worker.maxEarlyRetries, Int(Double(pools[row].live) * policy.budget))
    return state.flags.contains(.retrying) || pools[row].retrying < allowance
  }

  /// Whether a kept-alive connection ended before it brought a byte of this response.
  private mutating func isStale(_ exchange: UInt32, _ why: Ending) -> Bool {
    guard why == .backendClosed || why == .backendReset || why == .streamRefused,
      exchanges[exchange].backend != Stream.none
    else {
      return false
    }
    return streams[exchanges[exchange].backend].flags.contains(.reused) && exchanges[exchange].firstByte == 0
  }

  /// Passive health: counts failures in a row, and reports when there are enough.
  private mutating func noteFailure(_ exchange: UInt32, _ why: Ending) {
    let slot = exchanges[exchange].slot
    guard exchanges[exchange].flags.contains(.loaded) else { return }
    if why == .none {
      // A status that is tried again: an answer all the same.
      if current.pools[Int(exchanges[exchange].pool)]?.countsServerErrors == true, responseHead.status >= 500 {
        countTowardsOutlier(exchange, "5xx response")
      }
      return
    }
    // A kept-alive connection that the backend closed meanwhile says nothing of its health.
    if isStale(exchange, why) { return }
    counters.add(slot, .failures)
    if why == .connectTimeout || why == .responseTimeout { counters.add(slot, .timeouts) }
    countTowardsOutlier(exchange, why.text)
  }

  mutating func countTowardsOutlier(_ exchange: UInt32, _ reason: StaticString) {
    countTowardsOutlier(pool: exchanges[exchange].pool, slot: exchanges[exchange].slot, reason)
  }

  mutating func countTowardsOutlier(pool row: UInt32, slot: BackendSlot, _ reason: StaticString) {
    guard let pool = current.pools[Int(row)], let outlier = pool.outlier, let index = pool.index(of: slot)
    else { return }
    let failures = shared.loads.add(Int(slot.index), LoadColumn.failuresInRow.rawValue, 1)
    if failures == outlier.consecutiveFailures {
      shared.loads.store(Int(slot.index), LoadColumn.failuresInRow.rawValue, 0)
      let key = BackendKey(pool: pool.model.name, backend: pool.model.backends[index].name)
      shared.report(OutlierReport(key: key, failures: failures, reason: reason.description))
    }
  }

  /// A usable answer, or a connection: the count of failures in a row starts anew.
  mutating func backendSucceeded(_ exchange: UInt32) {
    backendSucceeded(exchanges[exchange].slot)
  }

  mutating func backendSucceeded(_ backend: BackendSlot) {
    let slot = Int(backend.index)
    if shared.loads.load(slot, LoadColumn.failuresInRow.rawValue) != 0 {
      shared.loads.store(slot, LoadColumn.failuresInRow.rawValue, 0)
    }
  }
}
