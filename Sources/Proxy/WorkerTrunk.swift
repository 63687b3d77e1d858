import HTTP
import HTTP2
import Kernel
import Model
import Reactor

/// Connections that carry HTTP/2: bytes become frames, frames become bytes.
extension Worker {
  /// A client has begun with the preface of HTTP/2 (RFC 9113 §3.3); false: it may not.
  mutating func becomeTrunk(_ index: UInt32, _ listener: CompiledListener) -> Bool {
    // RFC 9113 §3.2: over TLS it takes ALPN.
    guard listener.model.http2.enabled, streams[index].served == 0, streams[index].channel == Stream.none,
      incoming.bytes.beginsWithPreface, openTrunk(index, .server, listener.frameSettings)
    else { return false }
    streams[index].scanned = 0
    // What was received so far is the first input of the trunk.
    buffers.release(&streams[index].input)
    frames.clear()
    frames.append(incoming, 0..<incoming.count)
    setDeadline(index, milliseconds + listener.headTimeout)
    guard takeFrames(index) else { return true }
    readTrunk(index)
    return true
  }

  /// A client has agreed on HTTP/2 by ALPN (RFC 9113 §3.2): it speaks nothing else, and gets our SETTINGS at once.
  mutating func beginTrunk(_ index: UInt32, _ listener: CompiledListener) {
    guard listener.model.http2.enabled, openTrunk(index, .server, listener.frameSettings) else { return close(index) }
    if streams[index].flags.contains(.readable) { readTrunk(index) }
  }

  /// Makes a connection a trunk; false: there are too many.
  mutating func openTrunk(_ index: UInt32, _ side: FrameEngine.Side, _ settings: FrameSettings) -> Bool {
    guard let number = trunks.insert() else { return false }
    engine.open(number, side, settings)
    trunks[number].stream = index
    trunks[number].gate = FrameGate(server: side == .server)
    streams[index].trunk = number
    streams[index].flags.insert(.trunk)
    if side == .server {
      streams[index].phase = .trunk
      counters.add(streams[index].row, .http2Connections)
    }
    markDirty(number)
    return true
  }

  /// Something is to be sent when the turn ends: frames of many branches go out in one piece.
  mutating func markDirty(_ number: UInt32) {
    guard !trunks[number].isDirty else { return }
    trunks[number].isDirty = true
    dirtyTrunks.append(number)
  }

  // MARK: Input

  mutating func readTrunk(_ index: UInt32) {
    let (number, generation) = (streams[index].trunk, streams.generation(index))
    if buffers.isScarce {
      // What many connections bring in one turn can be all that is left.
      relieveBuffers()
      guard isTrunk(index, number, generation), streams[index].phase == .trunk else { return }
    }
    var budget = Worker.readBudget
    while streams[index].flags.contains(.readable) {
      guard budget > 0 else { return continueNextTurn(index) }
      budget -= 1
      frames.clear()
      buffers.copy(streams[index].input, to: &frames)
      // The seam to the socket appends to `incoming`: the two pieces of memory change places for the call.
      swap(&frames, &incoming)
      let result = receive(index)
      swap(&frames, &incoming)
      if result.wouldBlock { return }
      guard result.value > 0 else { return close(index) }
      if streams[index].role == .client {
        counters.add(streams[index].row, .bytesIn, result.bytes)
      } else {
        counters.add(BackendSlot(streams[index].row), .bytesIn, result.bytes)
      }
      buffers.release(&streams[index].input)
      guard takeFrames(index), isTrunk(index, number, generation) else { return }
    }
  }

  /// Handles the pieces that lie in `frames`, and holds the rest; false: the connection has ended, or is about to.
  mutating func takeFrames(_ index: UInt32) -> Bool {
    let number = streams[index].trunk
    let generation = streams.generation(index)
    let limits = frameLimits(index)
    markDirty(number)
    var position = 0
    while true {
      var gate = trunks[number].gate
      let startsFrame = gate.isBetweenFrames
      let step = gate.next(frames.bytes, from: position, limits: limits, now: milliseconds)
      trunks[number].gate = gate
      switch step {
      case .more:
        guard position < frames.count else { return true }
        guard buffers.append(frames, position..<frames.count, to: &streams[index].input) else {
          endTrunk(number, .internalError)
          return false
        }
        return true
      case .flood(let flood):
        endFlood(number, flood)
        return false
      case .piece(let end):
        let start = position
        position = end
        let goesOn = engine.receive(number, frames.bytes(start..<end), startsFrame: startsFrame)
        handleEvents(number, base: start)
        guard isTrunk(index, number, generation) else { return false }
        guard goesOn else {
          endTrunk(number, .protocolError)
          return false
        }
        if engine.hasManyResets(number), streams[index].output.isEmpty, !flushTrunk(number) { return false }
        if position >= frames.count { return true }
      }
    }
  }

  private mutating func frameLimits(_ index: UInt32) -> FrameLimits {
    guard streams[index].role == .client, let listener = current.listeners[Int(streams[index].row)] else {
      return Worker.backendFrameLimits
    }
    return listener.frameLimits
  }

  /// A backend is trusted with more, but not with everything.
  static let backendFrameLimits: FrameLimits = {
    var limits = FrameLimits()
    limits.resets = 10_000
    limits.settings = 100
    limits.pings = 1000
    limits.idle = 10_000
    return limits
  }()

  /// The peer does more than it may: the connection ends, and says why.
  mutating func endFlood(_ number: UInt32, _ flood: Flood) {
    noteFlood(number, flood)
    endTrunk(number, .enhanceYourCalm)
  }

  /// nil: more streams at once than allowed.
  private mutating func noteFlood(_ number: UInt32, _ flood: Flood?) {
    let index = trunks[number].stream
    guard streams[index].role == .client else { return }
    counters.addFlood(streams[index].row, flood)
    let reason = flood?.reason ?? "more streams at once than allowed"
    let name = current.listeners[Int(streams[index].row)]?.model.name ?? "-"
    log.warn("\(name): \(streams[index].source): HTTP/2 connection ended: \(reason)")
  }

  /// Ends a connection with a GOAWAY; its branches are lost.
  mutating func endTrunk(_ number: UInt32, _ code: ErrorCode) {
    let index = trunks[number].stream
    dropBranches(number)
    engine.terminate(number, code)
    trunks[number].phase = .left
    guard flushTrunk(number), streams.isUsed(index) else { return }
    if streams[index].role == .client { startLingering(index) } else { close(index) }
  }

  /// `base`: where in `frames` the piece begins that the events are of.
  private mutating func handleEvents(_ number: UInt32, base: Int = 0) {
    let index = trunks[number].stream
    let generation = streams.generation(index)
    let isClient = streams[index].role == .client
    var next = 0
    while var event = engine.event(next) {
      next += 1
      // Content and the end that comes with it are one step.
      if event.kind == .data, engine.event(next)?.kind == .end {
        event.endsStream = true
        next += 1
      }
      if event.kind == .data {
        event.start += base
        event.end += base
      }
      switch event.kind {
      case .head: if isClient { openRequest(number, event) } else { takeResponse(event) }
      case .tooLarge: if isClient { answerTooLarge(number, event) } else { branchFailed(event, .malformedResponse) }
      case .data, .trailers, .end: takeContent(event)
      case .closed: branchClosed(event)
      case .malformed: branchMalformed(number, event, isClient)
      case .goaway: if !isClient { backendLeaves(number, event) }
      case .settings: if !isClient { backendSettings(number) }
      case .violation: noteProvokedReset(number)
      case .excess: noteFlood(number, nil)
      }
      guard isTrunk(index, number, generation) else { return }
    }
  }

  /// Whether a connection is still the trunk that it was.
  private mutating func isTrunk(_ index: UInt32, _ number: UInt32, _ generation: UInt32) -> Bool {
    streams.isUsed(index) && streams.generation(index) == generation && streams[index].trunk == number
  }

  /// Resets that a peer brings about with frames that make no sense count like its own.
  mutating func noteProvokedReset(_ number: UInt32) {
    let index = trunks[number].stream
    guard let flood = trunks[number].gate.noteProvokedReset(limits: frameLimits(index), now: milliseconds) else {
      return
    }
    endFlood(number, flood)
  }

  // MARK: Output

  /// What the turn has made for trunks goes out.
  mutating func flushTrunks() {
    if buffers.isScarce { relieveBuffers() }
    while let number = dirtyTrunks.popLast() {
      guard trunks.isUsed(number), trunks[number].isDirty else { continue }
      trunks[number].isDirty = false
      let index = trunks[number].stream
      if streams[index].phase != .trunk { continue }
      guard flushTrunk(number) else { continue }
      settleTrunk(number)
    }
  }

  /// Sends as much as the socket takes; false: the connection is gone.
  private mutating func flushTrunk(_ number: UInt32) -> Bool {
    let index = trunks[number].stream
    let generation = streams.generation(index)
    while streams[index].output.isEmpty {
      packed.clear()
      guard engine.pull(number, room: packed.room) else {
        close(index)
        return false
      }
      for piece in engine.pieces { pack(piece) }
      let isLast = packed.count == 0
      if !isLast, deliverPacked(index) == .failed {
        close(index)
        return false
      }
      handleEvents(number)
      guard isTrunk(index, number, generation) else { return false }
      let branches = engine.wantsTrailers
      for branch in branches { submitTrailers(branch) }
      if isLast, branches.isEmpty { break }
    }
    return true
  }

  private mutating func pack(_ piece: FramePiece) {
    packed.append(controlOf: engine, piece.start..<piece.end)
    guard piece.branch != FrameEngine.none, piece.content > 0 else { return }
    let branch = piece.branch
    buffers.move(piece.content, from: &streams[branch].output, to: &packed)
    branchProgressed(branch)
  }

  private mutating func submitTrailers(_ branch: UInt32) {
    guard streams.isUsed(branch), streams[branch].trailing > 0 else { return }
    outgoing.clear()
    buffers.move(Int(streams[branch].trailing), from: &streams[branch].output, to: &outgoing)
    streams[branch].trailing = 0
    engine.sendTrailers(branch, outgoing.bytes)
  }

  private mutating func deliverPacked(_ index: UInt32) -> Delivery {
    if streams[index].role == .backend { counters.add(BackendSlot(streams[index].row), .bytesOut, packed.count) }
    swap(&packed, &outgoing)
    let delivery = deliverOutgoing(0..<outgoing.count, to: index)
    swap(&packed, &outgoing)
    return delivery
  }

  /// After sending: how long the connection may rest, and whether it has ended.
  private mutating func settleTrunk(_ number: UInt32) {
    let index = trunks[number].stream
    if engine.isFinished(number) || trunks[number].phase == .left && trunks[number].count == 0 {
      guard streams[index].output.isEmpty else { return setDeadline(index, milliseconds + Worker.lingerTime) }
      return streams[index].role == .client ? startLingering(index) : close(index)
    }
    if streams[index].role == .client { settleClientTrunk(number, index) } else { settleBackendTrunk(number, index) }
  }

  private mutating func settleClientTrunk(_ number: UInt32, _ index: UInt32) {
    guard let listener = current.listeners[Int(streams[index].row)], listener.model.http2.enabled else {
      return leaveTrunk(number)
    }
    if trunks[number].phase == .open, trunks[number].served >= (parts(index) ? 1 : listener.maxRequests) {
      leaveTrunk(number)
    }
    if !streams[index].output.isEmpty {
      // A client that reads nothing: its streams wait with it.
      setDeadline(index, milliseconds + listener.idleTimeout)
    } else if !streams[index].input.isEmpty || !trunks[number].gate.isBetweenFrames {
      if streams[index].deadline > milliseconds + listener.headTimeout {
        setDeadline(index, milliseconds + listener.headTimeout)
      }
    } else if trunks[number].phase == .leaving {
      setDeadline(index, min(streams[index].deadline, milliseconds + Worker.drainGrace))
    } else if trunks[number].count == 0 {
      setDeadline(index, milliseconds + (parts(index) ? Worker.drainGrace : listener.keepAliveTimeout))
    } else {
      setDeadline(index, .max)
    }
  }

  /// A trunk's own deadline has passed.
  mutating func timeOutTrunk(_ index: UInt32) {
    let number = streams[index].trunk
    if streams[index].role == .backend {
      if streams[index].phase != .trunk || trunks[number].count == 0 { return close(index) }
      return
    }
    switch trunks[number].phase {
    case .open where trunks[number].count == 0 && streams[index].output.isEmpty && streams[index].input.isEmpty:
      // Nothing is under way, so that one GOAWAY says it all.
      endTrunk(number, .noError)
    case .leaving:
      trunks[number].phase = .left
      engine.shutDown(number)
      markDirty(number)
    default:
      counters.add(streams[index].row, .timeouts)
      endTrunk(number, .noError)
    }
  }

  // MARK: Leaving

  /// RFC 9113 §6.8: says that no new streams are wanted, gives those on their way a moment, then names the last.
  mutating func leaveTrunk(_ number: UInt32) {
    guard trunks[number].phase == .open else { return }
    trunks[number].phase = .leaving
    engine.announceShutdown(number)
    markDirty(number)
    let index = trunks[number].stream
    setDeadline(index, min(streams[index].deadline, milliseconds + Worker.drainGrace))
  }

  /// A trunk's connection is about to be closed: nothing of it stays.
  mutating func forgetTrunk(_ index: UInt32) {
    let number = streams[index].trunk
    unlistTrunk(number)
    trunks[number].phase = .left
    dropBranches(number)
    engine.close(number)
    trunks.remove(number)
    streams[index].flags.remove(.trunk)
    streams[index].trunk = Stream.none
  }

  /// Every branch of a connection that ends is cut.
  private mutating func dropBranches(_ number: UInt32) {
    let failure: Ending = streams[trunks[number].stream].phase == .handshake ? .handshakeFailed : .connectFailed
    while trunks[number].branches != Stream.none {
      let branch = trunks[number].branches
      unlinkBranch(branch)
      engine.forget(branch)
      loseBranch(branch, ifConnecting: failure)
    }
  }

  private mutating func loseBranch(_ branch: UInt32, ifConnecting failure: Ending) {
    let exchange = streams[branch].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return close(branch) }
    if streams[branch].role == .client { return abort(exchange, .clientClosed) }
    if exchanges[exchange].kind == .tunnel { return endTunnel(exchange, reset: true) }
    if streams[branch].phase == .connecting {
      counters.add(exchanges[exchange].slot, .connectFailures)
      return retryOrFail(exchange, failure)
    }
    backendFailed(exchange, streams[branch].flags.contains(.refused) ? .streamRefused : .backendClosed)
  }
}

extension Span where Element == UInt8 {
  /// As far as there is of it, the first line of the connection preface (RFC 9113 §3.4).
  var beginsWithPreface: Bool {
    let line = Array("PRI * HTTP/2.0\r\n".utf8)
    for index in 0..<Swift.min(count, line.count) where self[index] != line[index] { return false }
    return count > 0
  }
}
