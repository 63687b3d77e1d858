import HTTP
import Kernel
import Model
import Reactor
import Routing
import Sniff
import TLS

/// A request on its way to a backend: first what is held for another try, then the body as it comes.
extension Worker {
  /// What is held so that a request can be sent again; a larger body is sent once.
  static let replayLimit: UInt32 = 64 * 1024

  mutating func sendRequest(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    if isBranch(backend) { return sendToBranch(exchange) }
    while exchanges[exchange].sent < exchanges[exchange].request.count {
      let result = deliver(exchanges[exchange].request, from: Int(exchanges[exchange].sent), to: backend)
      if result.wouldBlock {
        streams[backend].flags.remove(.writable)
        return
      }
      if result.failed { return uploadFailed(exchange) }
      exchanges[exchange].sent += UInt32(result.bytes)
      counters.add(exchanges[exchange].slot, .bytesOut, result.bytes)
    }
    if exchanges[exchange].attempts == 0 || exchanges[exchange].flags.contains(.responding) { stopReplaying(exchange) }
    if !exchanges[exchange].flags.contains(.requestDone) { pumpRequestBody(exchange) }
  }

  /// The backend takes no more. It may have answered before it closed (a 413, say): the answer counts.
  mutating func uploadFailed(_ exchange: UInt32) {
    guard !exchanges[exchange].flags.contains(.uploadCut) else { return }
    exchanges[exchange].flags.insert(.uploadCut)
    streams[exchanges[exchange].backend].flags.insert(.readable)
    pumpResponse(exchange)
  }

  /// From now on the request cannot be sent again.
  mutating func stopReplaying(_ exchange: UInt32) {
    guard exchanges[exchange].flags.contains(.replayable) else { return }
    exchanges[exchange].flags.remove(.replayable)
    buffers.release(&exchanges[exchange].request)
    exchanges[exchange].sent = 0
    if exchanges[exchange].site.isForward { forgetAsReceived(exchange) }
  }

  /// Moves the client's body to the backend, as fast as the backend takes it.
  mutating func pumpRequestBody(_ exchange: UInt32) {
    var budget = Worker.readBudget
    while exchanges.isUsed(exchange), exchanges[exchange].flags.isDisjoint(with: [.requestDone, .uploadCut]) {
      let client = exchanges[exchange].client
      let backend = exchanges[exchange].backend
      guard exchanges[exchange].phase == .sent || exchanges[exchange].phase == .response,
        streams[backend].isDrained, exchanges[exchange].sent == exchanges[exchange].request.count
      else { return }
      guard budget > 0 else { return continueNextTurn(client) }
      budget -= 1
      if exchanges[exchange].requestBody.unseen >= Worker.spliceThreshold, exchanges[exchange].copy == Exchange.none,
        exchanges[exchange].flags.isDisjoint(with: .replayable), streams[client].flags.contains(.readable),
        canSplice(client, backend), spliceRequest(exchange, client, backend)
      {
        continue
      }
      incoming.clear()
      let listener = streams[client].row
      if !streams[client].input.isEmpty, !isBranch(client) {
        buffers.copy(streams[client].input, to: &incoming)
        buffers.release(&streams[client].input)
      } else {
        guard streams[client].flags.contains(.readable) else { return waitForUpload(exchange) }
        let result = receive(client)
        if result.wouldBlock { return waitForUpload(exchange) }
        if result.isEnd, case .untilClose = exchanges[exchange].requestBody.framing {
          exchanges[exchange].flags.insert(.requestDone)
          if exchanges[exchange].copy != Exchange.none { copyBody(exchange, 0, isDone: true) }
          finishUpload(exchange)
          return waitForUpload(exchange)
        }
        if result.value <= 0 { return abort(exchange, .clientClosed) }
        counters.add(listener, .bytesIn, result.bytes)
      }
      guard let (taken, content, done) = takeBody(exchange, from: 0) else { return }
      exchanges[exchange].bytesIn += Int64(taken)
      if exchanges[exchange].copy != Exchange.none { copyBody(exchange, content, isDone: done) }
      if done {
        exchanges[exchange].flags.insert(.requestDone)
        if taken < incoming.count, !keepPipelined(exchange, client, from: taken) { return }
      }
      passBody(exchange, backend, content)
      if exchanges.isUsed(exchange), exchanges[exchange].backend == backend { waitForUpload(exchange) }
    }
  }

  /// A piece of the body that needs no look at it; false: it is to be copied.
  private mutating func spliceRequest(_ exchange: UInt32, _ client: UInt32, _ backend: UInt32) -> Bool {
    // A chunked body may turn out too large: its limit is looked at where it is copied.
    var limit = exchanges[exchange].requestBody.unseen
    if case .chunked = exchanges[exchange].requestBody.framing {
      let bodyLimit = current.listeners[Int(exchanges[exchange].listener)]?.bodyLimit ?? .max
      limit = min(limit, UInt64(max(0, bodyLimit - exchanges[exchange].bytesIn)))
      guard limit >= Worker.spliceThreshold else { return false }
    }
    switch splice(from: client, to: backend, atMost: limit) {
    case .moved(let count, let delivery):
      counters.add(streams[client].row, .bytesIn, count)
      counters.add(exchanges[exchange].slot, .bytesOut, count)
      exchanges[exchange].bytesIn += Int64(count)
      if exchanges[exchange].requestBody.skip(count) { exchanges[exchange].flags.insert(.requestDone) }
      if delivery == .failed { uploadFailed(exchange) }
      if exchanges.isUsed(exchange), exchanges[exchange].backend == backend { waitForUpload(exchange) }
    case .empty:
      noteEmpty(client)
      waitForUpload(exchange)
    case .ended, .sourceFailed: abort(exchange, .clientClosed)
    case .unavailable: return false
    }
    return true
  }

  private mutating func passBody(_ exchange: UInt32, _ backend: UInt32, _ count: Int) {
    guard count > 0 else { return finishUpload(exchange) }
    if exchanges[exchange].flags.contains(.replayable),
      exchanges[exchange].request.count + UInt32(count) <= Worker.replayLimit
    {
      guard buffers.append(incoming, 0..<count, to: &exchanges[exchange].request) else {
        return failExchange(exchange, status: 503, .outOfBuffers)
      }
      return sendHeld(exchange)
    }
    stopReplaying(exchange)
    counters.add(exchanges[exchange].slot, .bytesOut, count)
    if deliverIncoming(0..<count, to: backend) == .failed { uploadFailed(exchange) }
    if exchanges.isUsed(exchange), exchanges[exchange].backend == backend { finishUpload(exchange) }
  }

  /// `sendRequest` without going on to the body (which is what called this).
  private mutating func sendHeld(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    if isBranch(backend) {
      _ = sendHeldToBranch(exchange)
      return
    }
    while exchanges[exchange].sent < exchanges[exchange].request.count {
      let result = deliver(exchanges[exchange].request, from: Int(exchanges[exchange].sent), to: backend)
      if result.wouldBlock {
        streams[backend].flags.remove(.writable)
        return
      }
      if result.failed { return uploadFailed(exchange) }
      exchanges[exchange].sent += UInt32(result.bytes)
      counters.add(exchanges[exchange].slot, .bytesOut, result.bytes)
    }
  }

  /// The client is to move: it has the listener's idle time for it, within the request's.
  mutating func waitForClient(_ exchange: UInt32) {
    guard let listener = listener(of: exchange) else { return }
    // A call may be silent for long, as a tunnel may.
    let idle = exchanges[exchange].flags.contains(.grpc) ? listener.tunnelTimeout : listener.idleTimeout
    setDeadline(exchanges[exchange].client, min(exchanges[exchange].deadline, milliseconds + idle))
  }

  /// A slow reader has taken some of what waits for it: its time starts anew, as with each piece that is sent.
  mutating func progressed(_ index: UInt32) {
    let exchange = streams[index].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return }
    switch exchanges[exchange].phase {
    case .tunnel: touchTunnel(exchange)
    case .sent, .response:
      if streams[index].role == .client { waitForClient(exchange) } else { waitForResponse(exchange) }
    case .queued, .connecting, .discarding: break
    }
  }

  /// The backend is to move: the client's own deadlines rest, but for the request's.
  mutating func waitForBackend(_ exchange: UInt32) {
    if exchanges[exchange].flags.contains(.requestDone) || exchanges[exchange].kind == .tunnel {
      setDeadline(exchanges[exchange].client, exchanges[exchange].deadline)
    } else {
      waitForClient(exchange)
    }
  }

  /// While a body goes up, the time of the side that is to move runs, and the other's rests.
  private mutating func waitForUpload(_ exchange: UInt32) {
    let flags = exchanges[exchange].flags
    let backend = exchanges[exchange].backend
    let isBackendsTurn =
      flags.contains(.requestDone) || exchanges[exchange].sent < exchanges[exchange].request.count
      || !streams[backend].isDrained
    if isBackendsTurn {
      setDeadline(exchanges[exchange].client, exchanges[exchange].deadline)
    } else {
      waitForClient(exchange)
    }
    // A client that expects to be asked for its body waits for the backend.
    if isBackendsTurn || flags.contains(.expectsContinue) && exchanges[exchange].bytesIn == 0 {
      waitForResponse(exchange)
    } else {
      let limit = exchanges[exchange].phase == .sent ? exchanges[exchange].tryDeadline : .max
      setDeadline(backend, min(exchanges[exchange].deadline, limit))
    }
  }

  /// The backend is to move: a route's time for each try is from its start, the pool's is between two pieces.
  mutating func waitForResponse(_ exchange: UInt32) {
    let perTry = exchanges[exchange].phase == .sent ? exchanges[exchange].tryDeadline : .max
    let deadline = perTry == .max ? milliseconds + exchanges[exchange].responseTimeout : perTry
    setDeadline(exchanges[exchange].backend, min(exchanges[exchange].deadline, deadline))
  }

  /// An event on the client's side while its request is under way.
  mutating func advanceClient(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    if streams[client].flags.contains(.ending), clientIsGone(exchange) { return abort(exchange, .clientClosed) }
    if exchanges[exchange].phase == .discarding { return discardBody(exchange) }
    if exchanges[exchange].phase == .sent || exchanges[exchange].phase == .response,
      !exchanges[exchange].flags.contains(.requestDone)
    {
      pumpRequestBody(exchange)
    }
    guard exchanges.isUsed(exchange), exchanges[exchange].phase == .sent || exchanges[exchange].phase == .response,
      streams[client].isDrained
    else { return }
    if exchanges[exchange].flags.contains(.responseDone) { return finishResponse(exchange) }
    if exchanges[exchange].phase == .response,
      streams[exchanges[exchange].backend].deadline == exchanges[exchange].deadline
    {
      // The client has caught up: the backend's time, which rested, runs again.
      waitForResponse(exchange)
      waitForBackend(exchange)
    }
    pumpResponse(exchange)
  }

  /// An event on the backend's side.
  mutating func advanceBackend(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    if exchanges[exchange].sent < exchanges[exchange].request.count {
      if streams[backend].flags.contains(.writable) { sendRequest(exchange) }
    } else if !exchanges[exchange].flags.contains(.requestDone) {
      pumpRequestBody(exchange)
    }
    guard exchanges.isUsed(exchange), exchanges[exchange].backend == backend, streams.isUsed(backend),
      streams[backend].flags.contains(.readable)
    else { return }
    pumpResponse(exchange)
  }

  /// PROXY protocol to the backend, as the first bytes; false when the exchange has ended.
  mutating func sendProxyHeader(_ stream: UInt32, _ exchange: UInt32, _ version: ProxyVersion) -> Bool {
    let client = exchanges[exchange].client
    let source = streams[client].source
    var header = ProxyHeader(.local)
    if source.port != 0, let destination = destination(of: client) {
      header = ProxyHeader(source: source, destination: destination)
    }
    outgoing.clear()
    // Version 1 has no words for a client and a destination of different families.
    outgoing.append(
      version == .v1 ? header.encodeV1() ?? Array("PROXY UNKNOWN\r\n".utf8) : header.encodeV2(facts: proxyFacts(client))
    )
    if deliverOutgoing(0..<outgoing.count, to: stream) == .failed {
      retryOrFail(exchange, .connectFailed)
      return false
    }
    return true
  }

  /// What TLS tells of a client, for those behind us who do not see it.
  private mutating func proxyFacts(_ client: UInt32) -> ProxyFacts {
    var result = ProxyFacts()
    let index = connection(of: client)
    let channel = streams[index].channel
    guard channel != Stream.none else {
      // A ClientHello that is passed on unread tells the name.
      result.serverName = facts[index]?.serverName ?? ""
      return result
    }
    result.negotiated = channels.protocolName(channel)
    result.serverName = channels.serverName(channel)
    var encryption = ProxyFacts.Encryption(version: channels.version(channel), cipher: channels.cipher(channel))
    if let identity = channels.identity(channel) {
      encryption.hasCertificate = true
      encryption.commonName = identity.commonName
      encryption.isResumed = channels.isResumed(channel)
    }
    result.encryption = encryption
    return result
  }
}
