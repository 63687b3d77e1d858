import HTTP
import HTTP2
import Kernel
import Model
import Reactor

/// One HTTP/2 stream as an exchange sees it: a connection that carries one HTTP/1.1 message each way.
extension Worker {
  @inline(__always) func isBranch(_ index: UInt32) -> Bool { streams[index].flags.contains(.branch) }

  /// The connection that a stream's bytes come by: a branch's is its trunk's.
  @inline(__always) func connection(of index: UInt32) -> UInt32 {
    guard isBranch(index), streams[index].trunk != Stream.none else { return index }
    return trunks[streams[index].trunk].stream
  }

  /// Whether a client's bytes come by TLS.
  @inline(__always) func isSecure(_ index: UInt32) -> Bool { streams[connection(of: index)].channel != Stream.none }

  /// A new branch of a trunk; nil: at a limit.
  mutating func openBranch(_ number: UInt32, _ id: Int32, _ role: Stream.Role) -> UInt32? {
    guard let branch = streams.insert() else { return nil }
    guard let timer = wheel.insert(token: Token.make(.stream, branch, streams.generation(branch))) else {
      streams.remove(branch)
      return nil
    }
    let parent = trunks[number].stream
    streams[branch].role = role
    streams[branch].timer = timer
    streams[branch].trunk = number
    streams[branch].id = id
    streams[branch].flags =
      role == .client ? [.branch, .writable, .unspliceable, .http] : [.branch, .writable, .unspliceable]
    streams[branch].row = streams[parent].row
    streams[branch].source = streams[parent].source
    let head = trunks[number].branches
    streams[branch].next = head
    if head != Stream.none { streams[head].previous = branch }
    trunks[number].branches = branch
    trunks[number].count += 1
    trunks[number].served &+= 1
    return branch
  }

  mutating func unlinkBranch(_ branch: UInt32) {
    let number = streams[branch].trunk
    guard number != Stream.none else { return }
    let (previous, next) = (streams[branch].previous, streams[branch].next)
    if previous == Stream.none { trunks[number].branches = next } else { streams[previous].next = next }
    if next != Stream.none { streams[next].previous = previous }
    trunks[number].count -= 1
    streams[branch].trunk = Stream.none
    streams[branch].previous = Stream.none
    streams[branch].next = Stream.none
  }

  /// The end of a branch. What it has not said yet is cut off: its peer sees the stream reset.
  mutating func closeBranch(_ branch: UInt32) {
    let number = streams[branch].trunk
    if streams[branch].flags.contains(.copy) { copies -= 1 }
    if number != Stream.none {
      engine.unbind(branch, reset: resetCode(branch))
      unlinkBranch(branch)
      markDirty(number)
    }
    buffers.release(&streams[branch].input)
    buffers.release(&streams[branch].output)
    wheel.remove(streams[branch].timer)
    streams.remove(branch)
  }

  private mutating func resetCode(_ branch: UInt32) -> ErrorCode {
    if streams[branch].role == .backend { return .cancel }
    return streams[branch].phase == .lingering ? .cancel : .internalError
  }

  /// The client's branch of an exchange that is cut: it is told why. It is to be closed next.
  mutating func cutBranch(_ exchange: UInt32, _ why: Ending) {
    let state = exchanges[exchange]
    let client = state.client
    guard client != Stream.none, isBranch(client), engine.isOpen(client) else { return }
    if state.phase == .tunnel, streams[client].flags.contains(.shut), streams[client].output.isEmpty {
      // RFC 9113 §8.1: our side is complete, and no more is wanted.
      return engine.unbind(client, reset: .noError)
    }
    engine.unbind(client, reset: why.resetCode(tunnel: state.phase == .tunnel ? state.flags : nil))
  }

  // MARK: Reading

  /// Room that the framing of a chunk takes.
  private static let chunkFraming = 32

  /// What `receive` is for a branch: content into `incoming`, as a chunked body where the other side needs one.
  mutating func receiveFromBranch(_ branch: UInt32) -> Transfer {
    let before = incoming.count
    let isChunked = streams[branch].flags.contains(.chunked)
    let content = Int(streams[branch].input.count - streams[branch].scanned)
    let taken = min(content, incoming.room - Worker.chunkFraming)
    if taken > 0 {
      if isChunked {
        incoming.append(hexadecimal: UInt64(taken))
        incoming.append("\r\n")
      }
      buffers.move(taken, from: &streams[branch].input, to: &incoming)
      if isChunked { incoming.append("\r\n") }
      engine.consume(branch, taken)
      if streams[branch].trunk != Stream.none { markDirty(streams[branch].trunk) }
    }
    guard taken == content else { return Transfer(incoming.count - before) }
    guard streams[branch].flags.contains(.ending) else {
      streams[branch].flags.remove(.readable)
      return taken > 0 ? Transfer(incoming.count - before) : .wouldBlock
    }
    if isChunked, !streams[branch].flags.contains(.ended), incoming.room >= Int(streams[branch].scanned) + 8 {
      // RFC 9112 §7.1: the last chunk, with the trailers.
      incoming.append("0\r\n")
      let trailers = Int(streams[branch].scanned)
      streams[branch].scanned = 0
      buffers.move(trailers, from: &streams[branch].input, to: &incoming)
      incoming.append("\r\n")
      streams[branch].flags.insert(.ended)
    }
    return Transfer(incoming.count - before)
  }

  /// Content, trailers or the end has come.
  mutating func takeContent(_ event: FrameEvent) {
    let branch = event.branch
    guard branch != FrameEngine.none, streams.isUsed(branch) else { return }
    let ends = event.kind != .data || event.endsStream
    if ends { streams[branch].flags.insert(.ending) }
    guard streams[branch].exchange != Stream.none else {
      // It is answered already: nobody wants the rest.
      return engine.consume(branch, event.range.count)
    }
    var isHeld = true
    if event.kind == .data {
      isHeld = buffers.append(frames, event.range, to: &streams[branch].input)
    } else if event.kind == .trailers {
      incoming.clear()
      incoming.append(textOf: engine)
      isHeld = buffers.append(incoming, 0..<incoming.count, to: &streams[branch].input)
      streams[branch].scanned = UInt32(event.range.count)
    }
    guard isHeld else { return branchFailed(event, .outOfBuffers) }
    streams[branch].flags.insert(.readable)
    advance(branch, writable: false)
  }

  // MARK: Writing

  /// What `deliverOutgoing` is for a branch. A client's first bytes are a response's head. `more`: content follows at
  /// once.
  mutating func deliverOutgoing(_ range: Range<Int>, toBranch branch: UInt32, more: Bool = false) -> Delivery {
    guard streams[branch].trunk != Stream.none, engine.isOpen(branch) else { return deliverNowhere(branch) }
    var start = range.lowerBound
    if streams[branch].role == .client, !streams[branch].flags.contains(.answered) {
      start = deliverHead(range, branch, more: more)
      if start == range.upperBound { return .sent }
    }
    guard buffers.append(outgoing, start..<range.upperBound, to: &streams[branch].output) else { return .failed }
    return settleBranch(branch)
  }

  /// The same for a range of `incoming`, which is content.
  mutating func deliverIncoming(_ range: Range<Int>, toBranch branch: UInt32) -> Delivery {
    guard streams[branch].trunk != Stream.none, engine.isOpen(branch) else { return deliverNowhere(branch) }
    guard buffers.append(incoming, range, to: &streams[branch].output) else { return .failed }
    return settleBranch(branch)
  }

  /// What is answered to a copy is thrown away; elsewhere there was somebody, who is gone.
  private mutating func deliverNowhere(_ branch: UInt32) -> Delivery {
    streams[branch].flags.contains(.copy) ? .sent : .failed
  }

  mutating func settleBranch(_ branch: UInt32) -> Delivery {
    offer(branch)
    if streams[branch].output.count <= Trunk.branchShare { return .sent }
    streams[branch].flags.insert(.paused)
    return .held
  }

  /// Sends the head that begins at the range's start; returns where it ends.
  private mutating func deliverHead(_ range: Range<Int>, _ branch: UInt32, more: Bool) -> Int {
    let count = outgoing.bytes(range).endOfHead
    let end = range.lowerBound + count
    let isInterim = outgoing.bytes(range).isInterimHead
    let exchange = streams[branch].exchange
    let isLast =
      !more && end == range.upperBound && exchange != Exchange.none
      && exchanges[exchange].flags.contains(.responseDone)
    engine.respond(branch, outgoing.bytes(range.lowerBound..<end), interim: isInterim, end: isLast)
    if !isInterim { streams[branch].flags.insert(.answered) }
    if isLast { streams[branch].flags.insert(.shut) }
    markDirty(streams[branch].trunk)
    return end
  }

  /// Tells the engine what lies ready.
  mutating func offer(_ branch: UInt32) {
    guard streams[branch].trunk != Stream.none else { return }
    engine.offer(
      branch, pending: Int(streams[branch].output.count - streams[branch].trailing),
      complete: streams[branch].flags.contains(.shut), trailers: streams[branch].trailing > 0)
    markDirty(streams[branch].trunk)
  }

  /// Nothing more will be written to the branch.
  mutating func shutBranch(_ branch: UInt32) {
    guard !streams[branch].flags.contains(.shut) else { return }
    streams[branch].flags.insert(.shut)
    offer(branch)
  }

  /// Adds a part of a trailer section (lines of HTTP/1.1) behind the content.
  mutating func addTrailers(_ range: Range<Int>, to branch: UInt32) -> Bool {
    guard buffers.append(incoming, range, to: &streams[branch].output) else { return false }
    streams[branch].trailing += UInt32(range.count)
    return true
  }

  /// Trailers of one branch become those of another.
  mutating func passTrailers(from source: UInt32, to target: UInt32) {
    let count = Int(streams[source].scanned)
    guard count > 0, isBranch(source), isBranch(target) else { return }
    incoming.clear()
    buffers.move(count, from: &streams[source].input, to: &incoming)
    streams[source].scanned = 0
    let exchange = streams[source].exchange
    if streams[source].role == .backend, exchange != Exchange.none, exchanges[exchange].flags.contains(.grpc) {
      exchanges[exchange].grpcStatus = incoming.grpcStatusInTrailers() ?? Exchange.noStatus
    }
    _ = addTrailers(0..<incoming.count, to: target)
  }

  /// The connection has taken some of what waits in the branch: whoever fills it may go on.
  mutating func branchProgressed(_ branch: UInt32) {
    let exchange = streams[branch].exchange
    if exchange == Exchange.none {
      // All is said; a slow reader's time starts anew with each piece.
      if let listener = current.listeners[Int(streams[branch].row)], streams[branch].role == .client {
        setDeadline(branch, milliseconds + listener.idleTimeout)
      }
      return
    }
    guard streams[branch].flags.contains(.paused), streams[branch].output.count <= Trunk.branchShare / 2 else { return }
    streams[branch].flags.remove(.paused)
    continueNextTurn(branch)
  }

  /// The whole response has been given to the client's branch.
  mutating func finishBranchResponse(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    if exchanges[exchange].backend != Stream.none { passTrailers(from: exchanges[exchange].backend, to: client) }
    releaseBackend(exchange, reusable: true)
    retireExchange(exchange)
    finishBranch(client)
  }

  /// A client's whole response is written: the branch ends when it is sent.
  mutating func finishBranch(_ branch: UInt32) {
    streams[branch].exchange = Stream.none
    guard streams[branch].trunk != Stream.none, engine.isOpen(branch) else { return close(branch) }
    streams[branch].phase = .lingering
    shutBranch(branch)
    // Nobody wants what is left of the request.
    let left = Int(streams[branch].input.count)
    if left > 0 {
      engine.consume(branch, left - Int(streams[branch].scanned))
      buffers.release(&streams[branch].input)
      streams[branch].scanned = 0
    }
    let idle = current.listeners[Int(streams[branch].row)]?.idleTimeout ?? Worker.lingerTime
    setDeadline(branch, milliseconds + idle)
    if !streams[branch].flags.contains(.ending) { engine.resetWhenSent(branch) }
  }

  // MARK: Ends

  /// The stream is over, by its peer's or by our own word.
  mutating func branchClosed(_ event: FrameEvent) {
    let branch = event.branch
    guard branch != FrameEngine.none, streams.isUsed(branch) else { return }
    let exchange = streams[branch].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(branch) }
    if streams[branch].role == .client {
      if exchanges[exchange].kind == .tunnel, exchanges[exchange].phase == .tunnel {
        return endTunnel(exchange, reset: true)
      }
      return abort(exchange, .clientClosed)
    }
    // What came before the end is still to be passed on.
    if streams[branch].flags.contains(.ending) { return }
    if event.code == ErrorCode.refusedStream.rawValue { streams[branch].flags.insert(.refused) }
    branchFailed(event, streams[branch].flags.contains(.refused) ? .streamRefused : .backendReset)
  }

  mutating func branchFailed(_ event: FrameEvent, _ why: Ending) {
    let branch = event.branch
    guard branch != FrameEngine.none, streams.isUsed(branch) else { return }
    let exchange = streams[branch].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(branch) }
    if exchanges[exchange].phase == .tunnel { return endTunnel(exchange, reset: true) }
    if streams[branch].role == .client {
      exchanges[exchange].ending = why
      return abort(exchange, why)
    }
    backendFailed(exchange, why)
  }

  /// The engine has reset a stream for a malformed message.
  mutating func branchMalformed(_ number: UInt32, _ event: FrameEvent, _ isClient: Bool) {
    if isClient {
      let index = trunks[number].stream
      counters.add(streams[index].row, .malformed)
      if let listener = current.listeners[Int(streams[index].row)], event.branch == FrameEngine.none {
        logRefusal(index, listener, status: 400, .malformedRequest, reason: event.error?.reason ?? "malformed")
      }
    }
    branchFailed(event, isClient ? .malformedRequest : .malformedResponse)
    if trunks.isUsed(number) { noteProvokedReset(number) }
  }
}

extension Span where Element == UInt8 {
  /// The index behind the empty line that ends a head; all of it, when there is none.
  var endOfHead: Int {
    var position = 3
    while position < count {
      if self[position] == 0x0a, self[position - 1] == 0x0d, self[position - 2] == 0x0a, self[position - 3] == 0x0d {
        return position + 1
      }
      position += 1
    }
    return count
  }

  /// The head of a response that another follows: a status of 1xx, but not 101.
  var isInterimHead: Bool {
    count > 12 && self[9] == UInt8(ascii: "1") && !(self[10] == UInt8(ascii: "0") && self[11] == UInt8(ascii: "1"))
  }
}
