import Balance
import HTTP
import Kernel
import Model
import Reactor

/// Bytes both ways: TCP listeners, and what an HTTP request was upgraded to.
extension Worker {
  /// A TCP client: finds its route and pool.
  mutating func openTunnel(_ index: UInt32, _ listener: CompiledListener) {
    guard let route = matchBySource(listener, streams[index].source.address, facts: facts[index]) else {
      log.failure(listener.model.name, streams[index].source, .noRoute)
      resetOnClose(index)
      return close(index)
    }
    guard let exchange = startExchange(client: index, listener: listener, route: route, kind: .tunnel) else {
      return close(index)
    }
    guard choosePool(exchange, listener.actions[route]) else {
      return endExchange(exchange, .poolMissing)
    }
    exchanges[exchange].attempts = UInt8(
      clamping: current.pools[Int(exchanges[exchange].pool)]?.model.retry.attempts ?? 0)
    exchanges[exchange].hash =
      current.pools[Int(exchanges[exchange].pool)]?.keys.hash(streams[index].source.address) ?? 0
    findPersistent(bySource: exchange, streams[index].source.address)
    if let pool = current.pools[Int(exchanges[exchange].pool)], let split = pool.split {
      chooseVersion(bySource: exchange, split, pool, streams[index].source.address)
    }
    setDeadline(index, .max)
    assign(exchange)
  }

  /// The backend is there: from now on bytes pass.
  mutating func startTunnel(_ exchange: UInt32) {
    exchanges[exchange].kind = .tunnel
    exchanges[exchange].phase = .tunnel
    exchanges[exchange].deadline = .max
    exchanges[exchange].ending = .none
    if exchanges[exchange].firstByte == 0 { exchanges[exchange].firstByte = now.nanoseconds }
    touchTunnel(exchange)
    pumpTunnel(exchange)
  }

  mutating func touchTunnel(_ exchange: UInt32) {
    guard let listener = listener(of: exchange) else { return }
    let half = exchanges[exchange].flags.intersection([.clientToBackendDone, .backendToClientDone])
    let timeout = half.isEmpty ? listener.tunnelTimeout : min(listener.tunnelTimeout, listener.halfClosedTimeout)
    setDeadline(exchanges[exchange].client, min(exchanges[exchange].deadline, milliseconds + timeout))
    setDeadline(exchanges[exchange].backend, .max)
  }

  mutating func pumpTunnel(_ exchange: UInt32) {
    guard exchanges[exchange].phase == .tunnel else {
      // Still connecting: the client's bytes wait in the kernel. A client that is gone altogether ends it.
      if streams[exchanges[exchange].client].flags.contains(.ending), clientIsGone(exchange) {
        abort(exchange, .clientClosed)
      }
      return
    }
    let client = exchanges[exchange].client
    let backend = exchanges[exchange].backend
    let inBefore = exchanges[exchange].bytesIn
    let outBefore = exchanges[exchange].bytesOut
    let alive = pump(exchange, from: client, to: backend, .clientToBackendDone)
    guard alive, pump(exchange, from: backend, to: client, .backendToClientDone) else {
      return endTunnel(exchange, reset: true)
    }
    if hasTransfers {
      awaitMore(client)
      awaitMore(backend)
    }
    let bytesIn = exchanges[exchange].bytesIn - inBefore
    let bytesOut = exchanges[exchange].bytesOut - outBefore
    count(exchange, bytesIn: bytesIn, bytesOut: bytesOut)
    if exchanges[exchange].flags.isSuperset(of: [.clientToBackendDone, .backendToClientDone]) {
      return endTunnel(exchange, reset: false)
    }
    if bytesIn + bytesOut > 0 || streams[client].deadline == .max { touchTunnel(exchange) }
  }

  /// Moves what one side has to the other until nothing is left, the other is full, or the turn's share is used;
  /// false when a side has failed.
  private mutating func pump(_ exchange: UInt32, from source: UInt32, to target: UInt32, _ done: Exchange.Flags) -> Bool
  {
    let inbound = done == .clientToBackendDone
    var budget = Worker.readBudget
    while !exchanges[exchange].flags.contains(done) {
      guard streams[target].isDrained else { return true }
      if streams[source].flags.contains(.ended) {
        // The other side may still have something to say: pass the half-close on, as well-founded as it is.
        if streams[source].flags.contains(.torn), streams[target].channel != Stream.none {
          streams[target].flags.insert(.cut)
        }
        endOutput(target)
        exchanges[exchange].flags.insert(done)
        touchTunnel(exchange)
        return true
      }
      if streams[source].input.isEmpty {
        guard streams[source].flags.contains(.readable) else { return true }
        guard budget > 0 else {
          continueNextTurn(source)
          return true
        }
        budget -= 1
      }
      if streams[source].flags.contains(.bulk), canSplice(source, target) {
        switch splice(from: source, to: target, atMost: .max) {
        case .moved(let count, let delivery):
          countPassed(exchange, count, inbound: inbound)
          if delivery == .failed { return false }
          // PERF: small pieces are cheaper to copy.
          if !noteTransfer(source, count, against: inbound ? exchanges[exchange].bytesOut : exchanges[exchange].bytesIn)
          {
            streams[source].flags.remove(.bulk)
          }
          // PERF: what is left is little, and next turn it is more: 6% of tcp-bulk.
          if delivery == .sent, count < Worker.spliceSize {
            continueNextTurn(source)
            return true
          }
          continue
        case .empty:
          noteEmpty(source)
          return true
        case .ended:
          streams[source].flags.insert(.ended)
          continue
        case .sourceFailed: return false
        case .unavailable: break
        }
      }
      incoming.clear()
      if !streams[source].input.isEmpty, !isBranch(source) {
        buffers.copy(streams[source].input, to: &incoming)
        buffers.release(&streams[source].input)
      } else {
        let result = receive(source)
        if result.wouldBlock { return true }
        if result.failed { return false }
        if result.isEnd {
          streams[source].flags.insert(.ended)
          continue
        }
        if incoming.room == 0 { streams[source].flags.insert(.bulk) }
      }
      let count = incoming.count
      countPassed(exchange, count, inbound: inbound)
      // Who is spoken to answers, and the answer shall come as soon as it is there.
      if hasTransfers { forgetTransfer(target) }
      if deliverIncoming(0..<count, to: target) == .failed { return false }
    }
    return true
  }

  @inline(__always) private mutating func countPassed(_ exchange: UInt32, _ count: Int, inbound: Bool) {
    if inbound { exchanges[exchange].bytesIn += Int64(count) } else { exchanges[exchange].bytesOut += Int64(count) }
  }

  /// `reset`: one side has failed, and the other must see that the stream is cut, not finished.
  mutating func endTunnel(_ exchange: UInt32, reset: Bool) {
    let client = exchanges[exchange].client
    if !reset, exchanges[exchange].ending == .none, isBranch(client) {
      retireExchange(exchange)
      return finishBranch(client)
    }
    if reset {
      if exchanges[exchange].client != Stream.none { resetOnClose(exchanges[exchange].client) }
      if exchanges[exchange].backend != Stream.none { resetOnClose(exchanges[exchange].backend) }
    }
    endExchange(exchange, reset && exchanges[exchange].ending == .none ? .backendReset : exchanges[exchange].ending)
  }

  /// Whether a client whose end was announced has really failed, not only finished sending.
  mutating func clientIsGone(_ exchange: UInt32) -> Bool {
    let client = exchanges[exchange].client
    return !isBranch(client) && Socket.pendingError(streams[client].fd) != nil
  }
}
