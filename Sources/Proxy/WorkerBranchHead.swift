import HTTP
import HTTP2
import Model
import Reactor
import TLS
import Wire

/// Heads of HTTP/2 messages enter and leave the way of a request.
extension Worker {
  /// A client's stream begins with a request.
  mutating func openRequest(_ number: UInt32, _ event: FrameEvent) {
    let parent = trunks[number].stream
    guard event.branch == FrameEngine.none, let listener = current.listeners[Int(streams[parent].row)],
      listener.model.transport == .http, let branch = openBranch(number, event.id, .client)
    else {
      return engine.reject(number, event.id, .refusedStream)
    }
    let facts = engine.facts
    engine.bind(number, event.id, to: branch, expected: facts.length)
    if trunks[number].phase == .open, streams[parent].deadline != .max { setDeadline(parent, .max) }
    incoming.clear()
    incoming.append(textOf: engine)
    if facts.isWebSocket {
      writeWebSocketKey()
    } else if !event.endsStream, facts.length == nil, !incoming.bytes.isConnect {
      incoming.append("transfer-encoding: chunked\r\n")
      streams[branch].flags.insert(.chunked)
    }
    incoming.append("\r\n")
    if event.endsStream { streams[branch].flags.insert(.ending) }
    var scanned = 0
    do throws(HeadError) {
      guard let length = try head.parse(incoming, scanned: &scanned, limits: listener.headLimits) else {
        throw .headTooLarge
      }
      guard isAtHome(parent, listener) else {
        return refuse(branch, listener, status: 421, .misdirected, reason: "this connection is for another host")
      }
      beginRequest(branch, listener, headLength: length)
    } catch {
      counters.add(listener.row, .malformed)
      refuse(branch, listener, status: error.status, .malformedRequest, reason: error.reason)
    }
  }

  /// RFC 9113 §9.1.1: a client may use a connection for other hosts that its certificate is good for; for the others it
  /// must see the certificate, and the rules, that are theirs.
  private mutating func isAtHome(_ parent: UInt32, _ listener: CompiledListener) -> Bool {
    guard let tls = listener.tls, tls.context.hasNames, streams[parent].channel != Stream.none else { return true }
    return channels.serves(streams[parent].channel, incoming, head.hostNameRange, tls.context)
  }

  /// The header list is larger than what SETTINGS allow: RFC 9113 §10.5.1 leaves the answer to us.
  mutating func answerTooLarge(_ number: UInt32, _ event: FrameEvent) {
    let parent = trunks[number].stream
    guard event.branch == FrameEngine.none, let listener = current.listeners[Int(streams[parent].row)],
      let branch = openBranch(number, event.id, .client)
    else {
      return engine.reject(number, event.id, .enhanceYourCalm)
    }
    engine.bind(number, event.id, to: branch, expected: nil)
    if event.endsStream { streams[branch].flags.insert(.ending) }
    counters.add(listener.row, .malformed)
    head.forget()
    refuse(branch, listener, status: 431, .malformedRequest, reason: "header list too large")
    noteProvokedReset(number)
  }

  // MARK: To backends

  /// Before a request's head is written for a backend that speaks HTTP/2.
  mutating func prepareForBranch(_ exchange: UInt32, _ client: UInt32, _ pool: CompiledPool) {
    prepareUpgrade(exchange, client)
    if head.fields.contains(.te) { exchanges[exchange].flags.insert(.acceptsTrailers) }
    if pool.mayFallBack {
      // What is framed by the client's connection waits there until it is known how the backend's frames it.
      if !exchanges[exchange].requestBody.isEmpty { exchanges[exchange].flags.insert(.undecided) }
    } else {
      frameForBranch(exchange)
    }
  }

  /// Content passes as it is, and the stream's end is its end.
  private mutating func frameForBranch(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    exchanges[exchange].flags.insert(.toBranch)
    guard isBranch(client), !exchanges[exchange].flags.contains(.connect) else { return }
    streams[client].flags.remove(.chunked)
    if !exchanges[exchange].requestBody.isEmpty { exchanges[exchange].requestBody = BodyState(.untilClose) }
  }

  /// Now that the backend has chosen what it speaks; false: a part of the body is already framed for the other.
  mutating func settleFraming(_ exchange: UInt32) -> Bool {
    let toBranch = isBranch(exchanges[exchange].backend)
    if exchanges[exchange].flags.contains(.undecided) {
      exchanges[exchange].flags.remove(.undecided)
      if toBranch { frameForBranch(exchange) }
      return true
    }
    return exchanges[exchange].requestBody.isEmpty && exchanges[exchange].bytesIn == 0
      || exchanges[exchange].flags.contains(.toBranch) == toBranch
  }

  /// Takes the content out of chunks, to where the chunks were; trailers wait for its end.
  mutating func takeContent(_ exchange: UInt32, from start: Int) throws(ChunkError)
    -> (taken: Int, content: Int, done: Bool)
  {
    var position = start
    var end = start
    while true {
      switch try exchanges[exchange].requestBody.nextContent(incoming, from: &position) {
      case .data(let range):
        incoming.move(range, to: end)
        end += range.count
      case .trailers(let range):
        // The CRLF that ends the section is none of its lines.
        guard !exchanges[exchange].trailers.isEmpty || incoming[range.lowerBound] >= 0x20 else { continue }
        guard buffers.append(incoming, range, to: &exchanges[exchange].trailers) else { throw .trailersTooLarge }
      case .more: return (position - start, end - start, false)
      case .finished: return (position - start, end - start, true)
      }
    }
  }

  /// The request goes out as a stream: its head from the text that `request` begins with.
  mutating func sendToBranch(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    let number = streams[backend].trunk
    if exchanges[exchange].sent == 0 {
      let length = Int(exchanges[exchange].headLength)
      let upgrades = exchanges[exchange].flags.contains(.upgrade)
      if upgrades {
        guard let isAllowed = mayUpgrade(number) else { return }
        guard isAllowed else { return failExchange(exchange, status: 501, .upgradeUnsupported) }
      }
      let isWhole =
        exchanges[exchange].flags.contains(.requestDone) && exchanges[exchange].request.count == length
        && exchanges[exchange].trailers.isEmpty && !upgrades && exchanges[exchange].flags.isDisjoint(with: .connect)
      outgoing.clear()
      buffers.copy(length, of: exchanges[exchange].request, to: &outgoing)
      let isTaken = engine.request(
        number, outgoing.bytes, as: backend, secure: streams[connection(of: backend)].channel != Stream.none,
        trailers: exchanges[exchange].flags.contains(.acceptsTrailers), webSocket: upgrades, end: isWhole)
      guard isTaken else { return retryOrFail(exchange, .streamRefused) }
      counters.add(exchanges[exchange].slot, .bytesOut, length)
      exchanges[exchange].sent = UInt32(length)
      if isWhole { streams[backend].flags.insert(.shut) }
      markDirty(number)
    }
    guard sendHeldToBranch(exchange) else { return }
    if exchanges[exchange].attempts == 0 || exchanges[exchange].flags.contains(.responding) { stopReplaying(exchange) }
    if !exchanges[exchange].flags.contains(.requestDone) { pumpRequestBody(exchange) }
  }

  /// What `request` holds behind what was sent of it.
  mutating func sendHeldToBranch(_ exchange: UInt32) -> Bool {
    let backend = exchanges[exchange].backend
    if exchanges[exchange].sent < exchanges[exchange].request.count {
      guard
        buffers.append(
          exchanges[exchange].request, from: Int(exchanges[exchange].sent), to: &streams[backend].output)
      else {
        backendFailed(exchange, .outOfBuffers)
        return false
      }
      exchanges[exchange].sent = exchanges[exchange].request.count
      // What is more than the branch's share makes the body wait, which is to be told when there is room.
      _ = settleBranch(backend)
    }
    finishUpload(exchange)
    return true
  }

  /// A backend's branch is told when the request is complete.
  mutating func finishUpload(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    guard backend != Stream.none, isBranch(backend), exchanges[exchange].flags.contains(.requestDone),
      exchanges[exchange].sent == exchanges[exchange].request.count, exchanges[exchange].kind == .http,
      exchanges[exchange].flags.isDisjoint(with: [.upgrade, .connect]), streams[backend].flags.isDisjoint(with: .shut)
    else { return }
    passTrailers(from: exchanges[exchange].client, to: backend)
    if !exchanges[exchange].trailers.isEmpty {
      // Kept for another try.
      incoming.clear()
      buffers.copy(exchanges[exchange].trailers, to: &incoming)
      guard addTrailers(0..<incoming.count, to: backend) else { return backendFailed(exchange, .outOfBuffers) }
    }
    shutBranch(backend)
  }

  /// A backend's stream begins its response, or an interim one.
  mutating func takeResponse(_ event: FrameEvent) {
    let branch = event.branch
    guard branch != FrameEngine.none, streams.isUsed(branch) else { return }
    let exchange = streams[branch].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange), exchanges[exchange].phase == .sent else {
      // RFC 9113 §8.1: one final response, and nothing before the request.
      return branchFailed(event, .malformedResponse)
    }
    let facts = engine.facts
    let toBranch = isBranch(exchanges[exchange].client)
    let hasNone = exchanges[exchange].method == .head || facts.status == 204 || facts.status == 304
    incoming.clear()
    if exchanges[exchange].flags.contains(.upgrade), 200..<300 ~= facts.status {
      writeSwitching(exchange)
      if event.endsStream { streams[branch].flags.insert(.ending) }
      incoming.append("\r\n")
      return readResponseHead(exchange, branch)
    }
    incoming.append(textOf: engine)
    if exchanges[exchange].flags.contains(.connect), 200..<300 ~= facts.status {
      // RFC 9113 §8.5: what follows is the tunnel's, and no length or coding frames it.
      if event.endsStream { streams[branch].flags.insert(.ending) }
    } else if facts.status >= 200 {
      if event.endsStream {
        if let length = facts.length, length > 0, !hasNone { return branchFailed(event, .malformedResponse) }
        streams[branch].flags.insert(.ending)
        if facts.length == nil, !hasNone, !toBranch { incoming.append("content-length: 0\r\n") }
      } else {
        engine.expect(branch, hasNone ? 0 : facts.length)
        if facts.length == nil, !hasNone, !toBranch, !exchanges[exchange].flags.contains(.http10) {
          incoming.append("transfer-encoding: chunked\r\n")
          streams[branch].flags.insert(.chunked)
        }
      }
    }
    incoming.append("\r\n")
    if exchanges[exchange].firstByte == 0 { exchanges[exchange].firstByte = now.nanoseconds }
    readResponseHead(exchange, branch)
  }

  /// How the body of a response passes that comes from a branch: as it is until the stream ends, or in chunks.
  mutating func branchBody(_ branch: UInt32) -> BodyState {
    if streams[branch].flags.contains(.ending), streams[branch].input.isEmpty { return BodyState() }
    if case .chunked = responseHead.body { return BodyState(.chunked) }
    return BodyState(.untilClose)
  }
}

extension ByteRegion {
  mutating func append(textOf engine: FrameEngine) { append(engine.text()) }

  mutating func append(controlOf engine: FrameEngine, _ range: Range<Int>) { append(engine.control(range)) }
}

extension Span where Element == UInt8 {
  var isConnect: Bool { count > 8 && self[0] == UInt8(ascii: "C") && self[3] == UInt8(ascii: "N") && self[7] == 0x20 }
}
