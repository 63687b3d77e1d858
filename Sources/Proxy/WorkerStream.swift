import Kernel
import Model
import Reactor
import Synchronization

/// Bytes out of and into a stream, and its end.
extension Worker {
  /// Sends what was held; false when the stream is gone. Resumes whoever waited for the room.
  mutating func flush(_ index: UInt32) -> Bool {
    if streams[index].piped > 0 {
      switch drainPipe(index) {
      case .sent: break
      case .held:
        progressed(index)
        return true
      case .failed:
        fail(index)
        return false
      }
    }
    while !streams[index].output.isEmpty {
      let result = buffers.send(&streams[index].output, to: streams[index].fd)
      if result.wouldBlock {
        streams[index].flags.remove(.writable)
        return true
      }
      if result.failed {
        fail(index)
        return false
      }
    }
    if streams[index].flags.contains(.lingerWhenFlushed) { startLingering(index) }
    return streams.isUsed(index)
  }

  /// A stream whose socket reports an error: its exchange decides what that means.
  private mutating func fail(_ index: UInt32) {
    let exchange = streams[index].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(index) }
    if exchanges[exchange].kind == .tunnel { return endTunnel(exchange, reset: true) }
    if streams[index].role == .backend {
      buffers.release(&streams[index].output)
      releasePipe(index)
      uploadFailed(exchange)
    } else {
      abort(exchange, .clientClosed)
    }
  }

  /// Closes the socket and gives back what the stream owns. Its exchange has been told before.
  mutating func close(_ index: UInt32) {
    if isBranch(index) { return closeBranch(index) }
    if streams[index].flags.contains(.trunk) { forgetTrunk(index) }
    let stream = streams[index]
    if stream.role == .client {
      counters.add(stream.row, .connections, -1)
      shared.listenerConnections.add(Int(stream.row), 0, -1)
      shared.openConnections.wrappingSubtract(1, ordering: .relaxed)
      if stream.flags.contains(.proxied) { proxied[index] = nil }
      if stream.phase == .handshake { handshaking -= 1 }
      if stream.flags.contains(.unanswered) { unlistHandshake(index) }
      if !facts.isEmpty { facts[index] = nil }
    } else {
      if stream.phase == .idle { unlinkIdle(index) }
      counters.add(BackendSlot(stream.row), .connections, -1)
    }
    if hasTransfers { forgetTransfer(index) }
    closeSocket(index)
    buffers.release(&streams[index].input)
    buffers.release(&streams[index].output)
    releasePipe(index)
    wheel.remove(stream.timer)
    streams.remove(index)
  }

  /// Lets the client read the answer before the connection ends: says that we are done, then throws away what
  /// still comes, so that no reset overtakes the answer (RFC 9112 §9.6).
  mutating func startLingering(_ index: UInt32) {
    if isBranch(index) { return finishBranch(index) }
    if streams[index].flags.contains(.trunk) { forgetTrunk(index) }
    streams[index].exchange = Stream.none
    guard streams[index].isDrained else {
      streams[index].flags.insert(.lingerWhenFlushed)
      streams[index].phase = .lingering
      return setDeadline(index, milliseconds + Worker.lingerTime)
    }
    streams[index].flags.remove(.lingerWhenFlushed)
    if streams[index].flags.contains(.ended) { return close(index) }
    endOutput(index)
    buffers.release(&streams[index].input)
    streams[index].phase = .lingering
    setDeadline(index, milliseconds + Worker.lingerTime)
    linger(index)
  }

  static let lingerTime: Int64 = 2000
  /// What one turn reads from one stream, in regions.
  static let readBudget = 4

  mutating func linger(_ index: UInt32) {
    if isBranch(index) { return }
    var budget = Worker.readBudget
    while streams[index].flags.contains(.readable) {
      guard budget > 0 else { return continueNextTurn(index) }
      budget -= 1
      incoming.clear()
      let result = receive(index)
      if result.wouldBlock { return }
      if result.value <= 0 {
        streams[index].flags.insert(.ended)
        if streams[index].isDrained || result.failed { close(index) }
        return
      }
    }
  }

  /// A deadline has passed.
  mutating func timeOut(_ index: UInt32) {
    let exchange = streams[index].exchange
    if exchange != Exchange.none, exchanges.isUsed(exchange) { return timeOutExchange(exchange, by: index) }
    if streams[index].flags.contains(.trunk) { return timeOutTrunk(index) }
    if streams[index].role == .client {
      switch streams[index].phase {
      case .request: timeOutRequest(index)
      case .handshake: timeOutHandshake(index)
      case .proxyHeader, .sniffing:
        counters.add(streams[index].row, .timeouts)
        close(index)
      default: close(index)
      }
    } else {
      close(index)
    }
  }

  // MARK: Idle backend connections

  /// Keeps a connection for the slot's next request; the one used last is used first.
  mutating func keepIdle(_ index: UInt32, pool: CompiledPool) {
    let slot = Int(streams[index].row)
    let room = Int32(clamping: pool.model.idleConnections)
    guard idle[slot].count < room, !isDraining, pool.model.sendProxy == nil else { return close(index) }
    let head = idle[slot].head
    streams[index].phase = .idle
    streams[index].exchange = Stream.none
    streams[index].previous = Stream.none
    streams[index].next = head
    if head != Stream.none { streams[head].previous = index }
    idle[slot].head = index
    idle[slot].count += 1
    counters.add(BackendSlot(UInt32(slot)), .idle)
    setDeadline(index, milliseconds + pool.keepAliveTimeout)
  }

  mutating func unlinkIdle(_ index: UInt32) {
    let stream = streams[index]
    if stream.previous == Stream.none {
      idle[Int(stream.row)].head = stream.next
    } else {
      streams[stream.previous].next = stream.next
    }
    if stream.next != Stream.none { streams[stream.next].previous = stream.previous }
    idle[Int(stream.row)].count -= 1
    counters.add(BackendSlot(stream.row), .idle, -1)
  }

  /// An idle backend connection that becomes readable has been closed, or says what nobody asked: both end it.
  mutating func readIdle(_ index: UInt32) {
    guard streams[index].flags.contains(.readable), !isStillIdle(index) else { return }
    close(index)
  }

  /// Whether a kept-alive connection that has something to say says it to TLS alone: a new session ticket, say.
  mutating func isStillIdle(_ index: UInt32) -> Bool {
    guard streams[index].channel != Stream.none else { return false }
    incoming.clear()
    return receive(index).wouldBlock
  }
}
