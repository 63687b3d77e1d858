import Kernel
import Model
import Reactor
import Routing
import Sniff
import TLS

/// TLS begins: with clients behind their first byte, with backends behind the connection.
///
/// A handshake costs a hundred times what a request does. So a turn takes only so many steps of them and goes on with the
/// others in the next, a listener has only so many under way, a source only so many in a time, and each has a deadline.
extension Worker {
  /// Steps of handshakes in one turn: 4 ms of it, at worst.
  static let stepsPerTurn = 16

  /// A client's handshake.
  mutating func beginHandshake(_ index: UInt32, _ listener: CompiledListener, _ tls: CompiledTLS) {
    if let rate = tls.model.handshakeRatePerSource,
      !shared.rates.admit(streams[index].source.address, purpose: UInt64(listener.row) << 1 | 1 << 63, rate, now: now)
    {
      counters.add(listener.row, .handshakesLimited)
      resetOnClose(index)
      return close(index)
    }
    guard let channel = channels.accept(tls.context) else {
      counters.add(listener.row, .refused)
      return close(index)
    }
    secure(index, channel)
    handshaking += 1
    listHandshake(index)
    setDeadline(index, milliseconds + tls.handshakeTimeout)
    if !streams[index].input.isEmpty {
      // It came with the PROXY header.
      incoming.clear()
      buffers.copy(streams[index].input, to: &incoming)
      buffers.release(&streams[index].input)
      channels.put(channel, incoming, 0..<incoming.count)
      streams[index].flags.insert(.readable)
    }
    if streams[index].flags.contains(.readable) { shake(index) }
  }

  /// A backend's handshake.
  mutating func beginHandshake(_ index: UInt32, _ exchange: UInt32, _ pool: CompiledPool, _ context: ClientContext) {
    let slot = exchanges[exchange].slot
    // A reload may have moved it, or taken it out.
    guard let backend = pool.index(of: slot, near: Int(exchanges[exchange].index)) else {
      return retryOrFail(exchange, .connectFailed)
    }
    guard beginHandshake(index, pool.model.backends[backend], slot, context) else {
      return failExchange(exchange, status: 503, .internalLimit)
    }
  }

  /// false: at a limit.
  mutating func beginHandshake(
    _ index: UInt32, _ backend: Backend, _ slot: BackendSlot, _ context: ClientContext
  ) -> Bool {
    guard let channel = channels.connect(context, to: backend.address, backend: slot.index) else { return false }
    secure(index, channel)
    shake(index)
    return true
  }

  private mutating func secure(_ index: UInt32, _ channel: UInt32) {
    streams[index].channel = channel
    streams[index].flags.insert(.unspliceable)
    streams[index].phase = .handshake
  }

  /// Goes on with a handshake as far as it gets.
  mutating func shake(_ index: UInt32) {
    guard handshakeSteps > 0 else { return continueNextTurn(index) }
    let channel = streams[index].channel
    // PERF: until its first byte it has no buffers: 8 KB instead of 53.
    if streams[index].flags.contains(.unanswered), streams[index].flags.isDisjoint(with: .readable) { return }
    handshakeSteps -= 1
    for _ in 0..<Worker.readBudget {
      let isLoaded = channels.load(channel)
      var isEnd = false
      if streams[index].flags.contains(.readable), channels.room > 0 {
        let room = channels.room
        let result = channels.receive(from: streams[index].fd, atMost: room)
        if result.value < room, !streams[index].flags.contains(.ending) || result.value <= 0 {
          noteEmpty(index)
        }
        isEnd = result.isEnd || result.failed
      }
      let progress = channels.shake(channel)
      if channels.hasPending, streams[index].flags.contains(.unanswered) { unlistHandshake(index) }
      switch progress {
      case .done:
        let isHeld = channels.hold(channel)
        if isHeld || isEnd { streams[index].flags.insert(.readable) }
        guard !channels.hasPending || sendPending(index) != .failed else { return handshakeFailed(index, .closed) }
        return finishHandshake(index)
      case .wantsMore:
        guard !channels.hasPending || sendPending(index) != .failed, !isEnd else {
          return handshakeFailed(index, HandshakeFailure(.closed, "the peer went away"))
        }
        if !isLoaded, !streams[index].flags.contains(.readable) { return }
      case .wantsRoom:
        // A chain of certificates that is longer than the wire. What the socket refuses is held, as much as there is of it.
        guard sendPending(index) != .failed else { return handshakeFailed(index, .closed) }
        if isEnd { streams[index].flags.insert(.readable) }
      case .failed(let failure):
        // The alert.
        if channels.hasPending { _ = sendPending(index) }
        return handshakeFailed(index, failure)
      }
    }
    continueNextTurn(index)
  }

  private mutating func finishHandshake(_ index: UInt32) {
    let channel = streams[index].channel
    streams[index].negotiated = channels.negotiatedProtocol(channel)
    let isResumed = channels.isResumed(channel)
    guard streams[index].role == .client else { return finishBackendHandshake(index, isResumed) }
    handshaking -= 1
    streams[index].phase = .request
    guard let listener = current.listeners[Int(streams[index].row)] else { return close(index) }
    counters.add(listener.row, .handshakes)
    if isResumed { counters.add(listener.row, .resumptions) }
    if listener.wantsFacts { facts[index] = channels.facts(channel) }
    setDeadline(index, milliseconds + listener.headTimeout)
    if streams[index].negotiated == .http2, streams[index].flags.contains(.http) { return beginTrunk(index, listener) }
    serve(index, listener)
    if streams.isUsed(index), streams[index].phase == .request, streams[index].flags.contains(.readable) {
      readRequest(index)
    }
  }

  private mutating func finishBackendHandshake(_ index: UInt32, _ isResumed: Bool) {
    let slot = BackendSlot(streams[index].row)
    counters.add(slot, .handshakes)
    if isResumed { counters.add(slot, .resumptions) }
    if streams[index].flags.contains(.trunk) { return finishTrunkHandshake(index) }
    let exchange = streams[index].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(index) }
    guard let pool = current.pools[Int(exchanges[exchange].pool)] else {
      return failExchange(exchange, status: 503, .poolMissing)
    }
    if streams[index].negotiated == .http2 {
      guard pool.mayFallBack else {
        return backendHandshakeFailed(index, HandshakeFailure(.name, "the backend chose h2, which was not wanted"))
      }
      return changeProtocol(exchange, to: false, pool)
    }
    streams[index].phase = .exchange
    startTry(exchange, pool)
  }

  private mutating func handshakeFailed(_ index: UInt32, _ failure: HandshakeFailure) {
    guard streams[index].role == .client else { return backendHandshakeFailed(index, failure) }
    counters.addFailedHandshake(streams[index].row, failure.kind)
    // Who only looks whether the port is open is no reason to say something.
    if failure.kind != .closed, let listener = current.listeners[Int(streams[index].row)] {
      log.warn(
        "\(listener.model.name): \(streams[index].source): handshake: \(failure.kind.rawValue): \(failure.reason)")
    }
    close(index)
  }

  mutating func backendHandshakeFailed(_ index: UInt32, _ failure: HandshakeFailure) {
    let slot = BackendSlot(streams[index].row)
    counters.add(slot, .handshakeFailures)
    for case let pool? in current.pools {
      guard let backend = pool.index(of: slot) else { continue }
      let name = "\(pool.model.name)/\(pool.model.backends[backend].name)"
      log.warn("\(name): handshake: \(failure.kind.rawValue): \(failure.reason)")
      break
    }
    let exchange = streams[index].exchange
    // Those who wait for a connection that they would share are told by its end.
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(index) }
    counters.add(slot, .connectFailures)
    retryOrFail(exchange, .handshakeFailed)
  }

  mutating func timeOutHandshake(_ index: UInt32) {
    counters.add(streams[index].row, .timeouts)
    counters.addFailedHandshake(streams[index].row, .timeout)
    close(index)
  }

  // MARK: TLS that is passed on unread

  /// Reads a ClientHello, and then goes by what it says; the backend gets it as it came.
  mutating func sniff(_ index: UInt32) {
    guard let listener = current.listeners[Int(streams[index].row)] else { return close(index) }
    incoming.clear()
    buffers.copy(streams[index].input, to: &incoming)
    let held = incoming.count
    if streams[index].flags.contains(.readable) {
      let result = receive(index)
      if result.wouldBlock {
        guard held > 0, streams[index].scanned == 0 else { return }
      } else if result.value <= 0 {
        return close(index)
      }
    }
    do throws(ClientHelloError) {
      let hello = try ClientHello.parse(incoming)
      guard buffers.append(incoming, held..<incoming.count, to: &streams[index].input) else { return close(index) }
      guard let hello else {
        streams[index].scanned = 1
        if streams[index].flags.contains(.readable) { continueNextTurn(index) }
        return
      }
      facts[index] = ConnectionFacts(serverName: hello.serverName ?? "", protocols: hello.protocols)
    } catch {
      // What is no TLS at all takes the routes that ask for none; a ClientHello that two could read differently takes none.
      guard error == .notTLS, buffers.append(incoming, held..<incoming.count, to: &streams[index].input) else {
        counters.add(listener.row, .malformed)
        log.warn("\(listener.model.name): \(streams[index].source): \(error.reason)")
        resetOnClose(index)
        return close(index)
      }
    }
    streams[index].scanned = 0
    openTunnel(index, listener)
  }
}

extension HandshakeFailure {
  fileprivate static let closed = HandshakeFailure(.closed, "the peer went away")
}

extension ClientHello {
  fileprivate static func parse(_ region: borrowing ByteRegion) throws(ClientHelloError) -> ClientHello? {
    try parse(region.bytes)
  }
}

extension Channels {
  /// What routes and fields may want to know of a client.
  mutating func facts(_ channel: UInt32) -> ConnectionFacts {
    let identity = identity(channel)
    let name = protocolName(channel)
    return ConnectionFacts(
      serverName: serverName(channel), protocols: name.isEmpty ? [] : [name], version: version(channel),
      cipher: cipher(channel), subject: identity?.subject, fingerprint: identity?.fingerprint)
  }
}
