import Balance
import HTTP
import Kernel
import Model
import Reactor

/// From an exchange to a backend's connection: pick, queue, connect, try again.
extension Worker {
  static let maxEarlyRetries = 3

  /// Finds a backend for the exchange, and goes on with it; or queues or fails the exchange.
  mutating func assign(_ exchange: UInt32) {
    let row = Int(exchanges[exchange].pool)
    guard row < current.pools.count, let pool = current.pools[row] else {
      return failExchange(exchange, status: 503, .poolMissing)
    }
    if exchanges[exchange].layout != pool.layout { forgetIndices(exchange, pool) }
    guard let index = pick(exchange, row, pool) else {
      if pickers[row].isEmpty || pool.standings.isEmpty {
        return failExchange(
          exchange, status: 503, exchanges[exchange].ending == .none ? .noBackend : exchanges[exchange].ending)
      }
      // Everybody with room was tried: more waiting does not help a request that keeps failing.
      if exchanges[exchange].tries > 0, !someoneIsFull(pool) {
        return failExchange(exchange, after: exchanges[exchange].ending)
      }
      return enqueue(exchange, row, pool)
    }
    take(exchange, index, pool)
  }

  /// A reload has moved the pool's backends: indices that the exchange remembers mean others now.
  private mutating func forgetIndices(_ exchange: UInt32, _ pool: CompiledPool) {
    if exchanges[exchange].layout != 0 {
      exchanges[exchange].tried = TriedSet()
      exchanges[exchange].wanted = -1
      exchanges[exchange].version = Exchange.anyVersion
    }
    exchanges[exchange].layout = pool.layout
  }

  private mutating func pick(_ exchange: UInt32, _ row: Int, _ pool: CompiledPool) -> Int? {
    if exchanges[exchange].flags.contains(.sampled), pool.standings.count <= Decision.mostBackends {
      return pickRecorded(exchange, row, pool)
    }
    let wanted = Int(exchanges[exchange].wanted)
    if wanted >= 0, pool.holds(wanted, tried: exchanges[exchange].tried, loads: loads) {
      exchanges[exchange].flags.insert(.persistent)
      return wanted
    }
    exchanges[exchange].flags.remove(.persistent)
    let request = PickRequest(hash: exchanges[exchange].hash, tried: exchanges[exchange].tried)
    if pool.split != nil, let index = pickOfVersion(exchange, row, request) { return index }
    return pickers[row].pick(request, loads: loads, random: &random, now: now)
  }

  private mutating func hasRoom(_ slot: BackendSlot, _ pool: CompiledPool, _ index: Int) -> Bool {
    guard let limit = pool.limit(index) else { return true }
    return loads.inFlight(slot) < limit
  }

  private mutating func someoneIsFull(_ pool: CompiledPool) -> Bool {
    for (index, standing) in pool.standings.enumerated()
    where standing.effectiveWeight > 0 && !hasRoom(standing.slot, pool, index) { return true }
    return false
  }

  /// The exchange is the backend's now: counted, and on a connection.
  private mutating func take(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) {
    let slot = pool.standings[index].slot
    let load = shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, 1)
    if let limit = pool.limit(index), load > limit {
      // Another worker was faster.
      shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, -1)
      return enqueue(exchange, Int(pool.row), pool)
    }
    exchanges[exchange].flags.remove(.uploadCut)
    exchanges[exchange].flags.insert(.loaded)
    exchanges[exchange].slot = slot
    exchanges[exchange].index = UInt32(index)
    exchanges[exchange].tries &+= 1
    exchanges[exchange].tried.insert(index)
    if exchanges[exchange].queuedUntil != 0, exchanges[exchange].waited == 0 {
      exchanges[exchange].waited = max(0, milliseconds - exchanges[exchange].queuedUntil + pool.queueTimeout)
    }
    exchanges[exchange].triedAt = now.nanoseconds
    exchanges[exchange].connectedAt = 0
    exchanges[exchange].firstByte = 0
    exchanges[exchange].sent = 0
    exchanges[exchange].responseTimeout =
      exchanges[exchange].flags.contains(.grpc) ? callTimeout(exchange) : pool.responseTimeout
    counters.add(slot, .requests)
    if pool.persists { rememberPersistence(exchange, index, pool) }
    takeConnection(exchange, index, pool)
  }

  /// Puts the exchange on a connection to its backend: one that is there, or a new one.
  mutating func takeConnection(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) {
    let slot = exchanges[exchange].slot
    if pool.isMultiplexed, exchanges[exchange].kind == .http, !speaksHTTP1[Int(slot.index)] {
      takeBranch(exchange, index, pool)
    } else if exchanges[exchange].kind == .http, let reused = popIdle(slot, for: exchange) {
      attach(reused, exchange)
      streams[reused].phase = .exchange
      streams[reused].flags.insert(.reused)
      startTry(exchange, pool)
    } else {
      connect(exchange, index, pool)
    }
  }

  /// A kept-alive connection that is still good; none for a request that has just met one that was not.
  private mutating func popIdle(_ slot: BackendSlot, for exchange: UInt32) -> UInt32? {
    guard !exchanges[exchange].flags.contains(.wantsFreshConnection) else { return nil }
    while true {
      let index = idle[Int(slot.index)].head
      guard index != Stream.none else { return nil }
      // What cannot be sent twice is not sent on a connection that the backend has closed meanwhile.
      let mayRepeat = exchanges[exchange].flags.contains(.idempotent) && exchanges[exchange].attempts > 0
      if !mayRepeat, !Socket.isQuiet(streams[index].fd), !isStillIdle(index) {
        close(index)
        continue
      }
      unlinkIdle(index)
      return index
    }
  }

  private mutating func attach(_ stream: UInt32, _ exchange: UInt32) {
    streams[stream].exchange = exchange
    streams[stream].served &+= 1
    exchanges[exchange].backend = stream
  }

  // MARK: Connecting

  private mutating func connect(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) {
    let slot = exchanges[exchange].slot
    exchanges[exchange].phase = .connecting
    do throws(Errno) {
      let fd = try Socket.connect(pool.model.backends[index].address)
      guard let stream = open(fd, .backend) else {
        Socket.close(fd)
        return failExchange(exchange, status: 503, .internalLimit)
      }
      streams[stream].row = slot.index
      streams[stream].phase = .connecting
      counters.add(slot, .connections)
      attach(stream, exchange)
      let deadline = milliseconds + pool.connectTimeout
      setDeadline(stream, min(deadline, exchanges[exchange].deadline))
      waitForBackend(exchange)
    } catch {
      if error == .noDescriptors || error == .noDescriptorsInSystem {
        log.warn("\(pool.model.name): cannot connect: \(error)")
        return failExchange(exchange, status: 503, .internalLimit)
      }
      counters.add(slot, .connectFailures)
      retryOrFail(exchange, .connectFailed)
    }
  }

  /// A stream that was connecting has become writable: connected, or refused.
  mutating func finishConnecting(_ index: UInt32) {
    let exchange = streams[index].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(index) }
    if Socket.pendingError(streams[index].fd) != nil {
      counters.add(exchanges[exchange].slot, .connectFailures)
      return retryOrFail(exchange, .connectFailed)
    }
    guard let pool = current.pools[Int(exchanges[exchange].pool)] else {
      return failExchange(exchange, status: 503, .poolMissing)
    }
    streams[index].phase = .exchange
    streams[index].flags.insert(.writable)
    counters.add(exchanges[exchange].slot, .connects)
    if let version = pool.model.sendProxy, !sendProxyHeader(index, exchange, version) { return }
    if let context = pool.tls { return beginHandshake(index, exchange, pool, context) }
    startTry(exchange, pool)
  }

  mutating func startTry(_ exchange: UInt32, _ pool: CompiledPool) {
    if exchanges[exchange].triedAt != now.nanoseconds { exchanges[exchange].connectedAt = now.nanoseconds }
    if exchanges[exchange].kind == .tunnel {
      backendSucceeded(exchange)
      return startTunnel(exchange)
    }
    if pool.mayFallBack, !settleFraming(exchange) { return retryOrFail(exchange, .none) }
    exchanges[exchange].phase = .sent
    let perTry = exchanges[exchange].tryTimeout
    exchanges[exchange].tryDeadline = perTry > 0 ? milliseconds + perTry : .max
    waitForResponse(exchange)
    waitForBackend(exchange)
    sendRequest(exchange)
  }

  // MARK: Queue

  private mutating func enqueue(_ exchange: UInt32, _ row: Int, _ pool: CompiledPool) {
    guard pools[row].queued < pool.model.queue.length else { return failExchange(exchange, status: 503, .queueFull) }
    exchanges[exchange].phase = .queued
    if exchanges[exchange].queuedUntil == 0 {
      exchanges[exchange].queuedUntil = milliseconds + pool.queueTimeout
      link(exchange, row, after: pools[row].queueTail)
    } else {
      // It has waited already: another worker was faster, and its place is still the first.
      link(exchange, row, after: Exchange.none)
    }
    pools[row].queued += 1
    exchanges[exchange].flags.insert(.queued)
    shared.waiting.add(pool: row, 1)
    // Room that another worker makes at this very moment is noticed by the sweep.
    wakeForSweep()
    setDeadline(exchanges[exchange].client, min(exchanges[exchange].queuedUntil, exchanges[exchange].deadline))
  }

  private mutating func link(_ exchange: UInt32, _ row: Int, after previous: UInt32) {
    let next = previous == Exchange.none ? pools[row].queueHead : exchanges[previous].next
    exchanges[exchange].previous = previous
    exchanges[exchange].next = next
    if previous == Exchange.none { pools[row].queueHead = exchange } else { exchanges[previous].next = exchange }
    if next == Exchange.none { pools[row].queueTail = exchange } else { exchanges[next].previous = exchange }
  }

  mutating func dequeue(_ exchange: UInt32) {
    guard exchanges[exchange].flags.contains(.queued) else { return }
    let row = Int(exchanges[exchange].pool)
    let (previous, next) = (exchanges[exchange].previous, exchanges[exchange].next)
    if previous == Exchange.none { pools[row].queueHead = next } else { exchanges[previous].next = next }
    if next == Exchange.none { pools[row].queueTail = previous } else { exchanges[next].previous = previous }
    pools[row].queued -= 1
    exchanges[exchange].flags.remove(.queued)
    shared.waiting.add(pool: row, -1)
  }

  /// A backend's connection became free. Whoever waits is served when the turn's events are through, not from within
  /// one: a queue of failing requests must not become a deep recursion.
  mutating func noteRoom(_ row: Int) {
    let isWantedElsewhere = shared.waiting.count(pool: row) > pools[row].queued
    if isWantedElsewhere, pools[row].queued == 0 || pools[row].yields {
      // In turns with the other workers, which would else wait for as long as somebody waits here.
      pools[row].yields = false
      return shared.wakeOthers(number)
    }
    pools[row].yields = isWantedElsewhere
    willServe(row)
  }

  private mutating func willServe(_ row: Int) {
    guard pools[row].queueHead != Exchange.none else { return }
    guard !pools[row].hasRoom else { return }
    pools[row].hasRoom = true
    rowsWithRoom.append(row)
  }

  mutating func noteRoomEverywhere() {
    for row in pools.indices { willServe(row) }
  }

  /// Those who wait longest in a pool try again, until one must wait on.
  mutating func serveQueues() {
    while let row = rowsWithRoom.popLast() {
      pools[row].hasRoom = false
      var turns = pools[row].queued
      while turns > 0, pools[row].queueHead != Exchange.none {
        turns -= 1
        let exchange = pools[row].queueHead
        dequeue(exchange)
        assign(exchange)
        if exchanges.isUsed(exchange), exchanges[exchange].flags.contains(.queued) { break }
      }
    }
  }

  // MARK: Another try

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
    }
    releaseBackend(exchange, reusable: false)
    if !exchanges[exchange].flags.contains(.retrying) {
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
