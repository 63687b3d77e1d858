import HTTP
import HTTP2
import Model
import Reactor
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
    let facts = engine.translator.facts
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
      beginRequest(branch, listener, headLength: length)
    } catch {
      counters.add(listener.row, .malformed)
      refuse(branch, listener, status: error.status, .malformedRequest, reason: error.reason)
    }
  }

  /// RFC 8441 §5: the key of the HTTP/1.1 handshake has no counterpart here; the backend gets one of ours.
  private mutating func writeWebSocketKey() {
    incoming.append("sec-websocket-key: ")
    // 16 random bytes in base64: 22 digits, the last of which has two bits, and the padding.
    var bits = random.next()
    for digit in 0..<22 {
      if digit == 10 || digit == 20 { bits = random.next() }
      let value = digit == 21 ? UInt8(bits & 3) << 4 : UInt8(bits & 63)
      bits >>= 6
      incoming.append(byte: base64(value))
    }
    incoming.append("==\r\n")
  }

  private func base64(_ value: UInt8) -> UInt8 {
    switch value {
    case 0..<26: UInt8(ascii: "A") + value
    case 26..<52: UInt8(ascii: "a") + value - 26
    case 52..<62: UInt8(ascii: "0") + value - 52
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
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
  mutating func prepareForBranch(_ exchange: UInt32, _ client: UInt32) {
    exchanges[exchange].flags.insert(.toBranch)
    // RFC 9110 §7.8: an upgrade may be ignored, and there is none to HTTP/2 streams.
    if !isBranch(client) { exchanges[exchange].flags.remove(.upgrade) }
    if head.fields.contains(.te) { exchanges[exchange].flags.insert(.acceptsTrailers) }
    guard isBranch(client), !exchanges[exchange].flags.contains(.connect) else { return }
    // Content passes as it is, and the stream's end is its end.
    streams[client].flags.remove(.chunked)
    if !streams[client].flags.contains(.ending) { exchanges[exchange].requestBody = BodyState(.untilClose) }
  }

  /// Takes the content out of chunks, to where the chunks were.
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
      case .trailers: break
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
      let isWhole = exchanges[exchange].flags.contains(.requestDone) && exchanges[exchange].request.count == length
      outgoing.clear()
      buffers.copy(length, of: exchanges[exchange].request, to: &outgoing)
      let isTaken = engine.request(
        number, outgoing.bytes, as: backend, secure: false,
        trailers: exchanges[exchange].flags.contains(.acceptsTrailers), end: isWhole)
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
      offer(backend)
    }
    finishUpload(exchange)
    return true
  }

  /// A backend's branch is told when the request is complete.
  mutating func finishUpload(_ exchange: UInt32) {
    let backend = exchanges[exchange].backend
    guard backend != Stream.none, isBranch(backend), exchanges[exchange].flags.contains(.requestDone),
      exchanges[exchange].sent == exchanges[exchange].request.count, exchanges[exchange].kind == .http
    else { return }
    passTrailers(from: exchanges[exchange].client, to: backend)
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
    let facts = engine.translator.facts
    let toBranch = isBranch(exchanges[exchange].client)
    let hasNone = exchanges[exchange].method == .head || facts.status == 204 || facts.status == 304
    incoming.clear()
    incoming.append(textOf: engine)
    if facts.status >= 200 {
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
