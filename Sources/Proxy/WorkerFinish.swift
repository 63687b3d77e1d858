import HTTP
import HTTP2
import Kernel
import Model
import Reactor
import Routing
import Synchronization

/// How exchanges end: well, with an answer of our own, or cut.
extension Worker {
  mutating func startExchange(client: UInt32, listener: CompiledListener, route: Int, kind: Exchange.Kind) -> UInt32? {
    guard let exchange = exchanges.insert() else { return nil }
    exchanges[exchange].kind = kind
    exchanges[exchange].client = client
    exchanges[exchange].listener = listener.row
    exchanges[exchange].route = UInt32(route)
    exchanges[exchange].epoch = currentEpoch
    exchanges[exchange].started = now.nanoseconds
    epochs[Int(currentEpoch)].users += 1
    streams[client].exchange = exchange
    streams[client].phase = .exchange
    counters.add(listener.row, .inFlight)
    counters.add(route: listener.routeRows[route], .requests)
    if kind == .tunnel {
      counters.add(listener.row, .requests)
    }
    return exchange
  }

  /// The whole response has gone out: the connections go their ways.
  mutating func finishResponse(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    guard streams[client].isDrained else { return }
    if isBranch(client) { return finishBranchResponse(exchange) }
    releaseBackend(exchange, reusable: true)
    let isDone = exchanges[exchange].flags.contains(.requestDone)
    let keep = isDone && exchanges[exchange].flags.contains(.clientKeepAlive)
    retireExchange(exchange)
    if keep { return nextRequest(client) }
    // With the client's last request read there is nothing that a reset could overtake. When the end is our decision, the
    // client's next request may be on its way.
    if isDone, streams[client].flags.contains(.lastRequest), streams[client].flags.isDisjoint(with: .readable),
      streams[client].input.isEmpty
    {
      return close(client)
    }
    startLingering(client)
  }

  /// A client whose request was answered may send another.
  private mutating func nextRequest(_ client: UInt32) {
    if isBranch(client) { return finishBranch(client) }
    streams[client].phase = .request
    streams[client].exchange = Stream.none
    guard let listener = current.listeners[Int(streams[client].row)] else { return close(client) }
    if streams[client].flags.contains(.ended), streams[client].input.isEmpty { return close(client) }
    setDeadline(client, milliseconds + (parts(client) && !isHandedOver ? Worker.drainGrace : listener.keepAliveTimeout))
    if streams[client].flags.contains(.readable) || !streams[client].input.isEmpty { continueNextTurn(client) }
  }

  /// The exchange's part in counters, tables and logs ends; its client stream lives on.
  mutating func retireExchange(_ exchange: UInt32) {
    dequeue(exchange)
    releaseBackend(exchange, reusable: false)
    let state = exchanges[exchange]
    leavePool(state.pool, state.flags)
    if state.site.isForward { forgetAsReceived(exchange) }
    if state.copy != Exchange.none { dropCopy(of: exchange, .copiesCut) }
    counters.add(state.listener, .inFlight, -1)
    if state.status >= 400 { countError(exchange) }
    if state.flags.contains(.grpc) { countCall(exchange) }
    if state.kind == .http {
      counters.requestTimes.record(state.listener, nanoseconds: now.nanoseconds - state.started)
    }
    writeLog(exchange)
    if state.flags.contains(.sampled) { finishSample(exchange) }
    buffers.release(&exchanges[exchange].request)
    buffers.release(&exchanges[exchange].log)
    buffers.release(&exchanges[exchange].trailers)
    buffers.release(&exchanges[exchange].proof)
    leave(epoch: state.epoch)
    streams[state.client].exchange = Stream.none
    exchanges.remove(exchange)
  }

  @inline(never) private mutating func countError(_ exchange: UInt32) {
    // Copies have none.
    guard let listener = listener(of: exchange) else { return }
    counters.add(
      route: listener.routeRows[Int(exchanges[exchange].route)],
      exchanges[exchange].status < 500 ? .clientErrors : .serverErrors)
  }

  @inline(__always) mutating func leavePool(_ row: UInt32, _ flags: Exchange.Flags) {
    guard row != Exchange.none else { return }
    pools[Int(row)].live -= 1
    if flags.contains(.retrying) { pools[Int(row)].retrying -= 1 }
  }

  /// Gives the backend's connection back or up, and its place in the load; whoever waits for it is served.
  mutating func releaseBackend(_ exchange: UInt32, reusable: Bool) {
    let backend = exchanges[exchange].backend
    if backend != Stream.none {
      exchanges[exchange].backend = Stream.none
      let clean =
        reusable && !isBranch(backend)
        && exchanges[exchange].flags.isSuperset(of: [.backendKeepAlive, .requestDone, .responseDone])
        && exchanges[exchange].sent == exchanges[exchange].request.count
        && streams[backend].flags.isDisjoint(with: [.readable, .ending, .ended]) && streams[backend].input.isEmpty
        && streams[backend].isDrained
      streams[backend].exchange = Stream.none
      let row = Int(exchanges[exchange].pool)
      if clean, row < current.pools.count, let pool = current.pools[row],
        Int(exchanges[exchange].slot.index) < idle.count,
        pool.contains(exchanges[exchange].slot, near: Int(exchanges[exchange].index))
      {
        keepIdle(backend, pool: pool)
      } else {
        close(backend)
      }
    }
    guard exchanges[exchange].flags.contains(.loaded) else { return }
    exchanges[exchange].flags.remove(.loaded)
    shared.loads.add(Int(exchanges[exchange].slot.index), LoadColumn.inFlight.rawValue, -1)
    noteRoom(Int(exchanges[exchange].pool))
  }

  // MARK: Failures

  /// The backend's side has failed in the middle of an exchange.
  mutating func backendFailed(_ exchange: UInt32, _ why: Ending) {
    if exchanges[exchange].flags.contains(.responding) {
      // The client has a part of the response: it must see that the rest is missing.
      noteCut(exchange, why)
      exchanges[exchange].ending = why
      let client = exchanges[exchange].client
      resetOnClose(client)
      cutBranch(exchange, why)
      refuseResponse(exchange, why)
      retireExchange(exchange)
      return close(client)
    }
    refuseResponse(exchange, why)
    retryOrFail(exchange, why)
  }

  /// RFC 9113 §8.1.1: a malformed response is an error of its stream.
  private mutating func refuseResponse(_ exchange: UInt32, _ why: Ending) {
    let backend = exchanges[exchange].backend
    guard why == .malformedResponse, backend != Stream.none, isBranch(backend) else { return }
    engine.unbind(backend, reset: .protocolError)
  }

  private mutating func noteCut(_ exchange: UInt32, _ why: Ending) {
    counters.add(exchanges[exchange].slot, .failures)
    countTowardsOutlier(exchange, why.text)
  }

  /// The answer for a try that failed for good.
  mutating func failExchange(_ exchange: UInt32, after why: Ending) {
    if exchanges[exchange].site.isForward, serveHere(exchange, after: why) { return }
    switch why {
    case .connectTimeout, .responseTimeout, .requestTimeout: failExchange(exchange, status: 504, why)
    case .noBackend, .queueFull, .queueTimeout, .poolMissing, .outOfBuffers, .internalLimit:
      failExchange(exchange, status: 503, why)
    default: failExchange(exchange, status: 502, why)
    }
  }

  /// Ends the exchange with an answer of our own; a TCP client, or one that has a part of a response, is cut off.
  mutating func failExchange(_ exchange: UInt32, status: UInt16, _ why: Ending) {
    exchanges[exchange].ending = why
    guard exchanges[exchange].kind == .http, !exchanges[exchange].flags.contains(.responding) else {
      resetOnClose(exchanges[exchange].client)
      return endExchange(exchange, why)
    }
    exchanges[exchange].status = status
    var keep = exchanges[exchange].flags.contains(.clientKeepAlive)
    if parts(exchanges[exchange].client) || status == 400 || status == 413 { keep = false }
    if exchanges[exchange].flags.contains(.expectsContinue), !exchanges[exchange].flags.contains(.requestDone) {
      keep = false
    }
    if !isCopy(exchange) {
      log.failure(exchange: exchanges[exchange], source: streams[exchanges[exchange].client].source, snapshot: current)
    }
    respond(exchange, status: status, type: "text/plain", body: why.body(status), keep: keep)
  }

  /// The client has gone, or the node stops: nothing is left to say.
  mutating func abort(_ exchange: UInt32, _ why: Ending) {
    exchanges[exchange].ending = why
    if why == .clientClosed, exchanges[exchange].status == 0 { exchanges[exchange].status = 499 }
    endExchange(exchange, why)
  }

  mutating func endExchange(_ exchange: UInt32, _ why: Ending) {
    exchanges[exchange].ending = why
    let client = exchanges[exchange].client
    if exchanges[exchange].kind == .tunnel, why != .none, why != .clientClosed, exchanges[exchange].phase != .tunnel {
      log.failure(exchange: exchanges[exchange], source: streams[client].source, snapshot: current)
    }
    cutBranch(exchange, why)
    retireExchange(exchange)
    close(client)
  }

  /// The client's bytes could not be given to it: it is gone, or there is no room for them.
  mutating func undeliverable(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    abort(exchange, isBranch(client) && engine.isOpen(client) ? .outOfBuffers : .clientClosed)
  }

  /// Counts a tunnel's bytes as they pass, since it may live for long.
  mutating func count(_ exchange: UInt32, bytesIn: Int64, bytesOut: Int64) {
    counters.add(exchanges[exchange].listener, .bytesIn, Int(bytesIn))
    counters.add(exchanges[exchange].slot, .bytesOut, Int(bytesIn))
    counters.add(exchanges[exchange].slot, .bytesIn, Int(bytesOut))
  }

  // MARK: Time

  /// A deadline of one of the exchange's streams has passed.
  mutating func timeOutExchange(_ exchange: UInt32, by stream: UInt32) {
    counters.add(exchanges[exchange].listener, .timeouts)
    let state = exchanges[exchange]
    if state.phase == .discarding { return retireAndLinger(exchange) }
    if state.phase == .tunnel { return endTunnelIdle(exchange) }
    if milliseconds >= state.deadline { return failOrCut(exchange, .requestTimeout) }
    switch state.phase {
    case .queued: failExchange(exchange, status: 503, .queueTimeout)
    case .connecting:
      counters.add(state.slot, .connectFailures)
      retryOrFail(exchange, .connectTimeout)
    case .sent where stream == state.backend: backendFailed(exchange, .responseTimeout)
    case .response where stream == state.backend: backendFailed(exchange, .responseTimeout)
    case .sent: failExchange(exchange, status: 408, .clientTimeout)
    case .discarding: retireAndLinger(exchange)
    case .response, .tunnel: failOrCut(exchange, .clientTimeout)
    }
  }

  private mutating func endTunnelIdle(_ exchange: UInt32) {
    exchanges[exchange].ending = milliseconds >= exchanges[exchange].deadline ? .drained : .tunnelIdle
    endTunnel(exchange, reset: false)
  }

  private mutating func failOrCut(_ exchange: UInt32, _ why: Ending) {
    guard exchanges[exchange].flags.contains(.responding) else { return failExchange(exchange, status: 504, why) }
    resetOnClose(exchanges[exchange].client)
    abort(exchange, why)
  }

  /// A client between requests has waited too long: within a head it is told so.
  mutating func timeOutRequest(_ index: UInt32) {
    guard !streams[index].input.isEmpty, let listener = current.listeners[Int(streams[index].row)] else {
      return close(index)
    }
    counters.add(listener.row, .timeouts)
    refuse(index, listener, status: 408, .headTimeout, reason: "request head timeout")
  }
}

extension Worker {
  /// An answer of our own is out, and the client may go on.
  mutating func finishAnswer(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    retireExchange(exchange)
    nextRequest(client)
  }

  mutating func retireAndLinger(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    retireExchange(exchange)
    startLingering(client)
  }
}
