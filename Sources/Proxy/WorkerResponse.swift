import Balance
import HTTP
import Kernel
import Model
import Reactor
import Routing

/// A backend's bytes become the response.
extension Worker {
  /// A backend that only ever promises an answer is not one.
  static let maxInterims: UInt8 = 32

  /// Heads of responses may be larger than what clients may send.
  static let responseLimits = HeadLimits(headBytes: 48 * 1024, targetBytes: 8 * 1024, fields: FieldTable.capacity)

  mutating func pumpResponse(_ exchange: UInt32) {
    var budget = Worker.readBudget
    while exchanges.isUsed(exchange), exchanges[exchange].phase == .sent || exchanges[exchange].phase == .response {
      let backend = exchanges[exchange].backend
      guard backend != Stream.none, !exchanges[exchange].flags.contains(.responseDone),
        streams[exchanges[exchange].client].isDrained
      else { return }
      guard streams[backend].flags.contains(.readable) else { return }
      guard budget > 0 else { return continueNextTurn(backend) }
      budget -= 1
      if exchanges[exchange].phase == .response, exchanges[exchange].responseBody.unseen >= Worker.spliceThreshold,
        canSplice(backend, exchanges[exchange].client), spliceResponse(exchange, backend)
      {
        continue
      }
      guard receiveResponse(exchange, backend) else { return }
      if exchanges[exchange].phase == .sent {
        readResponseHead(exchange, backend)
      } else {
        passResponseBody(exchange, from: 0)
      }
    }
  }

  /// What is read to begin with of a response that is likely to be large: its head, and little of what could be spliced.
  private static let firstRead = 4096

  /// A piece of the body that needs no look at it; false: it is to be copied.
  private mutating func spliceResponse(_ exchange: UInt32, _ backend: UInt32) -> Bool {
    let limit = exchanges[exchange].responseBody.unseen
    switch splice(from: backend, to: exchanges[exchange].client, atMost: limit) {
    case .moved(let count, let delivery):
      counters.add(exchanges[exchange].slot, .bytesIn, count)
      exchanges[exchange].bytesOut += Int64(count)
      streams[backend].flags.insert(.bulk)
      if exchanges[exchange].responseBody.skip(count) {
        exchanges[exchange].flags.insert(.responseDone)
        // It was not read until it was empty: whether the backend has said more than that is looked at now.
        if Socket.isQuiet(streams[backend].fd) { noteEmpty(backend) }
      }
      settle(exchange, delivery)
    case .empty: noteEmpty(backend)
    case .ended:
      streams[backend].flags.insert(.ended)
      endOfBackend(exchange, 0)
    case .sourceFailed: backendFailed(exchange, .backendReset)
    case .unavailable: return false
    }
    return true
  }

  /// Fills `incoming`; false when there is nothing to go on with.
  private mutating func receiveResponse(_ exchange: UInt32, _ backend: UInt32) -> Bool {
    incoming.clear()
    let fromBranch = isBranch(backend)
    if !streams[backend].input.isEmpty, !fromBranch { buffers.copy(streams[backend].input, to: &incoming) }
    let held = incoming.count
    // PERF: reading 64 KiB with the head, and copying them, cost 24% more of h1-64k than a head and a pipe.
    let isLarge =
      exchanges[exchange].phase == .sent && streams[backend].flags.contains(.bulk)
      && streams[exchanges[exchange].client].flags.isDisjoint(with: .unspliceable)
    let wanted = isLarge ? min(Worker.firstRead, incoming.room) : incoming.room
    let result = receive(backend, atMost: wanted)
    if result.wouldBlock { return false }
    if result.isEnd, held < incoming.capacity {
      streams[backend].flags.insert(.ended)
      endOfBackend(exchange, held)
      return false
    }
    if result.value <= 0 {
      backendFailed(exchange, .backendReset)
      return false
    }
    if exchanges[exchange].firstByte == 0 { exchanges[exchange].firstByte = now.nanoseconds }
    if fromBranch { return true }
    counters.add(exchanges[exchange].slot, .bytesIn, result.bytes)
    if held > 0 { buffers.release(&streams[backend].input) }
    return true
  }

  /// The backend has closed: that may be the response's end.
  private mutating func endOfBackend(_ exchange: UInt32, _ held: Int) {
    if exchanges[exchange].phase == .response, case .untilClose = exchanges[exchange].responseBody.framing {
      // RFC 9112 §9.8: complete only if TLS has told of the end.
      let backend = exchanges[exchange].backend
      guard streams[backend].flags.isDisjoint(with: .torn) else { return backendFailed(exchange, .bodyCut) }
      exchanges[exchange].flags.insert(.responseDone)
      return finishResponse(exchange)
    }
    backendFailed(
      exchange, exchanges[exchange].phase == .response ? .bodyCut : held > 0 ? .malformedResponse : .backendClosed)
  }

  mutating func readResponseHead(_ exchange: UInt32, _ backend: UInt32) {
    var scanned = Int(streams[backend].scanned)
    do throws(HeadError) {
      let method = exchanges[exchange].method
      guard
        let length = try responseHead.parse(incoming, method: method, scanned: &scanned, limits: Worker.responseLimits)
      else {
        streams[backend].scanned = UInt32(scanned)
        if !buffers.append(incoming, 0..<incoming.count, to: &streams[backend].input) {
          backendFailed(exchange, .outOfBuffers)
        }
        return
      }
      streams[backend].scanned = 0
      if responseHead.isInterim {
        passInterim(exchange, backend, length)
      } else if responseHead.upgrade, exchanges[exchange].flags.isDisjoint(with: [.upgrade, .connect]) {
        // RFC 9110 §15.2.2: nobody asked to switch.
        backendFailed(exchange, .malformedResponse)
      } else if exchanges[exchange].flags.contains(.grpc), callMayBeRepeated(exchange) {
        retryOrFail(exchange, .none)
      } else if wantsAnotherTry(exchange, status: responseHead.status) {
        retryOrFail(exchange, .none)
      } else {
        beginResponse(exchange, length)
      }
    } catch {
      backendFailed(exchange, .malformedResponse)
    }
  }

  /// 100, 102, 103: passed on to a client that knows them; more follows.
  private mutating func passInterim(_ exchange: UInt32, _ backend: UInt32, _ length: Int) {
    exchanges[exchange].interims &+= 1
    guard exchanges[exchange].interims <= Worker.maxInterims else { return backendFailed(exchange, .malformedResponse) }
    if !exchanges[exchange].flags.contains(.http10) {
      writeResponseHead(exchange, nil, viaLine: [])
      counters.addResponse(exchanges[exchange].listener, status: Int(responseHead.status))
      // An answer of our own may still follow, but not another backend's.
      exchanges[exchange].attempts = 0
      if deliverOutgoing(0..<outgoing.count, to: exchanges[exchange].client) == .failed {
        return undeliverable(exchange)
      }
    }
    if length < incoming.count {
      guard buffers.append(incoming, length..<incoming.count, to: &streams[backend].input) else {
        return backendFailed(exchange, .outOfBuffers)
      }
      // What is held must be parsed without waiting for more; the next read tells whether there is more.
      streams[backend].flags.insert(.readable)
      reparse(exchange, backend)
    }
  }

  /// Parses what is held behind an interim response.
  private mutating func reparse(_ exchange: UInt32, _ backend: UInt32) {
    incoming.clear()
    buffers.copy(streams[backend].input, to: &incoming)
    buffers.release(&streams[backend].input)
    readResponseHead(exchange, backend)
  }

  /// Nothing of this exchange can be taken back from now on.
  private mutating func stopRetrying(_ exchange: UInt32) {
    exchanges[exchange].flags.insert(.responding)
    if exchanges[exchange].sent == exchanges[exchange].request.count { stopReplaying(exchange) }
  }

  private mutating func beginResponse(_ exchange: UInt32, _ length: Int) {
    let status = responseHead.status
    let backend = exchanges[exchange].backend
    exchanges[exchange].status = status
    exchanges[exchange].ending = .none
    counters.addResponse(exchanges[exchange].slot, status: Int(status))
    counters.addResponse(exchanges[exchange].listener, status: Int(status))
    let pool = current.pools[Int(exchanges[exchange].pool)]
    if status >= 500, pool?.countsServerErrors == true {
      countTowardsOutlier(exchange, "5xx response")
    } else {
      backendSucceeded(exchange)
    }
    counters.responseTimes.record(
      exchanges[exchange].slot.index, nanoseconds: now.nanoseconds - exchanges[exchange].triedAt)
    if pool?.learnsLatency == true { observeLatency(exchange, failed: status >= 500) }
    exchanges[exchange].phase = .response
    exchanges[exchange].responseBody = isBranch(backend) ? branchBody(backend) : BodyState(responseHead.body)
    noteSize(exchange)
    if responseHead.keepAlive { exchanges[exchange].flags.insert(.backendKeepAlive) }
    if exchanges[exchange].flags.contains(.grpc) { noteStatus(inHeadOf: exchange) }
    settleClientConnection(exchange)
    stopRetrying(exchange)
    let listener = listener(of: exchange)
    writeResponseHead(exchange, responseRoute(exchange, listener), viaLine: listener?.viaLine ?? [])
    guard !outgoing.overflowed else { return backendFailed(exchange, .malformedResponse) }
    if responseHead.upgrade { return beginUpgrade(exchange, length) }
    if exchanges[exchange].responseBody.isEmpty { exchanges[exchange].flags.insert(.responseDone) }
    waitForResponse(exchange)
    passResponseBody(exchange, from: length)
  }

  /// Whose edits the response gets; nil: another site has made them.
  @inline(__always)
  private mutating func responseRoute(_ exchange: UInt32, _ listener: CompiledListener?) -> CompiledRoute? {
    if exchanges[exchange].site.isForward { return nil }
    return listener?.actions[Int(exchanges[exchange].route)]
  }

  /// The next response on this connection is likely to be as large as this one.
  private mutating func noteSize(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    streams[backend].flags.remove(.bulk)
    if case .length(let length) = responseHead.body, length >= Worker.spliceThreshold {
      streams[backend].flags.insert(.bulk)
    }
  }

  /// Whether the client's connection outlives this response.
  private mutating func settleClientConnection(_ exchange: UInt32) {
    if !exchanges[exchange].flags.contains(.requestDone) || parts(exchanges[exchange].client) {
      exchanges[exchange].flags.remove(.clientKeepAlive)
    }
    switch responseHead.body {
    case .untilClose: exchanges[exchange].flags.remove(.clientKeepAlive)
    case .chunked where isBranch(exchanges[exchange].client):
      // RFC 9113 §8.1: frames say where content ends.
      exchanges[exchange].flags.insert(.dechunk)
    case .chunked where exchanges[exchange].flags.contains(.http10):
      // RFC 9112 §7.1: an HTTP/1.0 client knows no chunks; its body ends with the connection.
      exchanges[exchange].flags.insert(.dechunk)
      exchanges[exchange].flags.remove(.clientKeepAlive)
    default: break
    }
  }

  /// 101, or 2xx to CONNECT: bytes from here on belong to the new protocol.
  private mutating func beginUpgrade(_ exchange: UInt32, _ length: Int) {
    let wanted = exchanges[exchange].flags
    guard wanted.contains(.upgrade) || wanted.contains(.connect) else {
      return backendFailed(exchange, .malformedResponse)
    }
    outgoing.append(incoming, length..<incoming.count)
    guard !outgoing.overflowed, deliverOutgoing(0..<outgoing.count, to: exchanges[exchange].client) != .failed else {
      return undeliverable(exchange)
    }
    exchanges[exchange].bytesOut += Int64(incoming.count - length)
    startTunnel(exchange)
  }

  /// Passes what is in `incoming` from `start` on, behind what is in `outgoing` when the head is fresh.
  private mutating func passResponseBody(_ exchange: UInt32, from start: Int) {
    let fresh = start > 0
    if exchanges[exchange].flags.contains(.dechunk) { return passDecoded(exchange, from: start, fresh: fresh) }
    let (taken, done): (Int, Bool)
    do throws(ChunkError) {
      (taken, done) = try exchanges[exchange].responseBody.consume(incoming, from: start)
    } catch {
      return backendFailed(exchange, .bodyCut)
    }
    let client = exchanges[exchange].client
    if done {
      exchanges[exchange].flags.insert(.responseDone)
      if streams[client].flags.contains(.lastRequest) { streams[client].flags.insert(.closing) }
    }
    // Bytes behind the response's end: that connection is not to be trusted again.
    if start + taken < incoming.count { exchanges[exchange].flags.remove(.backendKeepAlive) }
    exchanges[exchange].bytesOut += Int64(taken)
    var delivery = Delivery.sent
    if fresh, taken <= Worker.copyLimit, taken <= outgoing.room {
      outgoing.append(incoming, start..<start + taken)
      delivery = deliverOutgoing(0..<outgoing.count, to: client)
    } else if fresh {
      delivery = deliverBoth(start..<start + taken, to: client)
    } else if taken > 0 {
      delivery = deliverIncoming(start..<start + taken, to: client)
    }
    settle(exchange, delivery)
  }

  /// PERF: a longer piece goes out gathered with its head (0.1 µs for sendmsg) instead of being copied behind it.
  private static let copyLimit = 2048

  private mutating func passDecoded(_ exchange: UInt32, from start: Int, fresh: Bool) {
    if !fresh { outgoing.clear() }
    var position = start
    let client = exchanges[exchange].client
    var delivery = Delivery.sent
    do throws(ChunkError) {
      walk: while true {
        switch try exchanges[exchange].responseBody.nextContent(incoming, from: &position) {
        case .data(let range):
          if range.count > outgoing.room {
            delivery = deliverOutgoing(0..<outgoing.count, to: client)
            outgoing.clear()
            if delivery == .failed { break walk }
          }
          outgoing.append(incoming, range)
          exchanges[exchange].bytesOut += Int64(range.count)
        case .trailers(let range):
          // The CRLF that ends the section is none of its lines.
          let isEmpty = streams[client].trailing == 0 && incoming[range.lowerBound] < 0x20
          guard isBranch(client), !isEmpty else { continue }
          // What came before them goes before them.
          if outgoing.count > 0 {
            delivery = deliverOutgoing(0..<outgoing.count, to: client)
            outgoing.clear()
            if delivery == .failed { break walk }
          }
          guard !addTrailers(range, to: client) else { continue }
          return backendFailed(exchange, .outOfBuffers)
        case .more: break walk
        case .finished:
          exchanges[exchange].flags.insert(.responseDone)
          break walk
        }
      }
    } catch {
      return backendFailed(exchange, .bodyCut)
    }
    if delivery != .failed, outgoing.count > 0 { delivery = deliverOutgoing(0..<outgoing.count, to: client) }
    settle(exchange, delivery)
  }

  /// After a piece of the response: done, or who is to move next.
  private mutating func settle(_ exchange: UInt32, _ delivery: Delivery) {
    switch delivery {
    case .failed: undeliverable(exchange)
    case .held:
      // The client is to read: its idle time runs, the backend's rests.
      waitForClient(exchange)
      setDeadline(exchanges[exchange].backend, exchanges[exchange].deadline)
      if exchanges[exchange].flags.contains(.responseDone) { releaseBackend(exchange, reusable: true) }
    case .sent:
      if exchanges[exchange].flags.contains(.responseDone) { return finishResponse(exchange) }
      waitForResponse(exchange)
      if exchanges[exchange].flags.contains(.requestDone) {
        setDeadline(exchanges[exchange].client, exchanges[exchange].deadline)
      }
    }
  }

  private mutating func observeLatency(_ exchange: UInt32, failed: Bool) {
    let state = exchanges[exchange]
    guard let pool = current.pools[Int(state.pool)], let index = pool.index(of: state.slot) else { return }
    observeLatency(Int(state.pool), index, now.nanoseconds - state.triedAt, failed: failed)
  }
}
