import Balance
import HTTP
import Kernel
import Model
import Reactor

/// From an exchange to a backend's connection: pick, take or queue (WorkerQueue), connect; a try that failed is WorkerRetry's.
extension Worker {
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
    if !take(exchange, index, pool) { enqueue(exchange, row, pool) }
  }

  /// The same for a copy, which waits for nobody.
  /// - Returns: false: nobody has room, and it is where it was.
  mutating func assign(copy: UInt32) -> Bool {
    let row = Int(exchanges[copy].pool)
    guard row < current.pools.count, let pool = current.pools[row] else { return false }
    if exchanges[copy].layout != pool.layout { forgetIndices(copy, pool) }
    guard let index = pick(copy, row, pool) else { return false }
    return take(copy, index, pool)
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
    if pool.split != nil {
      if let index = pickOfVersion(exchange, row, request) { return index }
      // A copy is for its version alone.
      if isCopy(exchange) { return nil }
    }
    return pickers[row].pick(request, loads: loads, random: &random, now: now)
  }

  mutating func hasRoom(_ slot: BackendSlot, _ pool: CompiledPool, _ index: Int) -> Bool {
    guard let limit = pool.limit(index) else { return true }
    return loads.inFlight(slot) < limit
  }

  private mutating func someoneIsFull(_ pool: CompiledPool) -> Bool {
    for (index, standing) in pool.standings.enumerated()
    where standing.effectiveWeight > 0 && !hasRoom(standing.slot, pool, index) { return true }
    return false
  }

  /// The exchange is the backend's now: counted, and on a connection.
  /// - Returns: false: another worker was faster, and there is no room.
  private mutating func take(_ exchange: UInt32, _ index: Int, _ pool: CompiledPool) -> Bool {
    let slot = pool.standings[index].slot
    let load = shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, 1)
    if let limit = pool.limit(index), load > limit {
      shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, -1)
      return false
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
    return true
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
}
