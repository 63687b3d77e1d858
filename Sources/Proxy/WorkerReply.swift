import HTTP
import Kernel
import Model
import Reactor

/// Answers of our own: errors, redirects, fixed responses.
extension Worker {
  /// Refuses what has no exchange yet, and ends the connection.
  mutating func refuse(
    _ index: UInt32, _ listener: CompiledListener, status: UInt16, _ why: Ending, reason: StaticString
  ) {
    counters.addResponse(listener.row, status: Int(status))
    logRefusal(index, listener, status: status, why, reason: reason)
    outgoing.clear()
    writeStatusLine(status)
    if status == 405 { outgoing.append("Allow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE\r\n") }
    outgoing.append("Content-Type: text/plain\r\nContent-Length: ")
    outgoing.append(decimal: UInt64(reason.utf8CodeUnitCount + 1))
    outgoing.append("\r\nConnection: close\r\n\r\n")
    if !(head.method == .head && head.length > 0) {
      outgoing.append(reason)
      outgoing.append("\n")
    }
    if deliverOutgoing(0..<outgoing.count, to: index) == .failed { return close(index) }
    startLingering(index)
  }

  private mutating func writeStatusLine(_ status: UInt16) {
    outgoing.append("HTTP/1.1 ")
    outgoing.append(decimal: UInt64(status))
    outgoing.append(byte: UInt8(ascii: " "))
    outgoing.append(reasonPhrase(status))
    outgoing.append("\r\n")
    writeDate()
  }

  /// RFC 9110 §6.6.1: an origin server with a clock sends Date; for these answers that is what we are.
  private mutating func writeDate() {
    let date = HTTPDate(unixSeconds: Clock.wall() / 1_000_000)
    outgoing.append("Date: ")
    outgoing.append(date.bytes.span)
    outgoing.append("\r\n")
  }

  /// Ends an exchange with an answer of our own.
  mutating func respond(_ exchange: UInt32, status: UInt16, type: String, body: StaticString, keep: Bool) {
    if exchanges[exchange].flags.contains(.grpc) { return respondToCall(exchange, status: status, body: body) }
    outgoing.clear()
    writeStatusLine(status)
    writeEntity(exchange, type: type, count: body.utf8CodeUnitCount, keep: keep)
    if !exchanges[exchange].flags.contains(.headOnly) { outgoing.append(body) }
    sendAnswer(exchange, status: status, keep: keep)
  }

  private mutating func writeEntity(_ exchange: UInt32, type: String, count: Int, keep: Bool) {
    if exchanges[exchange].status != 204, exchanges[exchange].status != 304 {
      if count > 0, !type.isEmpty {
        outgoing.append("Content-Type: ")
        outgoing.append(string: type)
        outgoing.append("\r\n")
      }
      outgoing.append("Content-Length: ")
      outgoing.append(decimal: UInt64(count))
      outgoing.append("\r\n")
    }
    if !keep {
      outgoing.append("Connection: close\r\n")
    } else if exchanges[exchange].flags.contains(.http10) {
      outgoing.append("Connection: keep-alive\r\n")
    }
    outgoing.append("\r\n")
  }

  mutating func sendAnswer(_ exchange: UInt32, status: UInt16, keep: Bool) {
    let client = exchanges[exchange].client
    exchanges[exchange].status = status
    exchanges[exchange].bytesOut += Int64(outgoing.count)
    counters.addResponse(exchanges[exchange].listener, status: Int(status))
    if exchanges[exchange].flags.contains(.setCookie) { exchanges[exchange].flags.remove(.setCookie) }
    exchanges[exchange].flags.insert(.responseDone)
    if !keep { streams[client].flags.insert(.closing) }
    let delivery = deliverOutgoing(0..<outgoing.count, to: client)
    guard delivery != .failed else { return undeliverable(exchange) }
    guard keep, delivery == .sent, !isBranch(client) else { return retireAndLinger(exchange) }
    if exchanges[exchange].flags.contains(.requestDone) { return finishAnswer(exchange) }
    // The rest of the body must be read before the next request can be.
    releaseBackend(exchange, reusable: false)
    dequeue(exchange)
    exchanges[exchange].phase = .discarding
    waitForClient(exchange)
    discardBody(exchange)
  }

  /// A route's fixed response.
  mutating func answer(_ exchange: UInt32, _ response: FixedResponse, headLength: Int, _ route: CompiledRoute) {
    guard let keep = settleOwnAnswer(exchange, headLength) else { return }
    let status = UInt16(clamping: response.status)
    exchanges[exchange].status = status
    outgoing.clear()
    writeStatusLine(status)
    outgoing.append(route.responseEdits.added)
    let hasBody = status != 204 && status != 304
    let hasType = route.responseEdits.removed.contains(Array("content-type".utf8))
    writeEntity(
      exchange, type: hasType ? "" : response.contentType, count: hasBody ? response.body.utf8.count : 0, keep: keep)
    if hasBody, !exchanges[exchange].flags.contains(.headOnly) { outgoing.append(string: response.body) }
    guard !outgoing.overflowed else { return failExchange(exchange, status: 500, .internalLimit) }
    sendAnswer(exchange, status: status, keep: keep)
  }

  /// A route's redirect: the parts that it does not give are the request's.
  mutating func answer(_ exchange: UInt32, _ redirect: Redirect, headLength: Int, _ route: CompiledRoute) {
    guard let keep = settleOwnAnswer(exchange, headLength) else { return }
    let status = UInt16(clamping: redirect.status)
    exchanges[exchange].status = status
    outgoing.clear()
    writeStatusLine(status)
    outgoing.append("Location: ")
    if redirect.host != nil || redirect.scheme != nil, redirect.host != nil || !head.hostRange.isEmpty {
      outgoing.append(
        string: redirect.scheme ?? (isSecure(exchanges[exchange].client) ? "https" : "http"))
      outgoing.append("://")
      if let host = redirect.host {
        outgoing.append(string: host)
      } else {
        // Another scheme has another port: the request's is left out.
        outgoing.append(incoming, redirect.scheme == nil ? head.hostRange : head.hostNameRange)
      }
    }
    if let path = redirect.path {
      outgoing.append(string: path)
    } else if pathIsRewritten {
      outgoing.append(normalPath)
    } else {
      outgoing.append(incoming, head.pathRange)
    }
    if redirect.keepQuery, head.hasQuery {
      outgoing.append(byte: UInt8(ascii: "?"))
      outgoing.append(incoming, head.queryRange)
    }
    outgoing.append("\r\n")
    outgoing.append(route.responseEdits.added)
    writeEntity(exchange, type: "text/plain", count: 0, keep: keep)
    guard !outgoing.overflowed else { return failExchange(exchange, status: 500, .internalLimit) }
    sendAnswer(exchange, status: status, keep: keep)
  }

  /// Takes what came of the body with the head. Whether the connection stays open: not when the client may hold the
  /// body back (it expected to be asked for it), or when much of it is still to come. nil: the exchange has ended.
  private mutating func settleOwnAnswer(_ exchange: UInt32, _ headLength: Int) -> Bool? {
    guard takeEarlyBody(exchange, exchanges[exchange].client, from: headLength) else { return nil }
    buffers.release(&exchanges[exchange].request)
    if head.expectsContinue || exchanges[exchange].requestBody.remaining > Worker.discardLimit { return false }
    return exchanges[exchange].flags.contains(.clientKeepAlive)
  }

  /// What is read and thrown away of a body so that a connection can be kept.
  static let discardLimit: UInt64 = 1 << 20

  mutating func discardBody(_ exchange: UInt32) {
    let client = exchanges[exchange].client
    var budget = Worker.readBudget
    while streams[client].flags.contains(.readable) {
      guard budget > 0 else { return continueNextTurn(client) }
      budget -= 1
      incoming.clear()
      let result = receive(client)
      if result.wouldBlock { return }
      guard result.value > 0 else { return abort(exchange, .clientClosed) }
      counters.add(streams[client].row, .bytesIn, result.bytes)
      exchanges[exchange].bytesIn += Int64(result.bytes)
      let (taken, done): (Int, Bool)
      do throws(ChunkError) {
        (taken, done) = try exchanges[exchange].requestBody.consume(incoming, from: 0)
      } catch {
        return retireAndLinger(exchange)
      }
      if done {
        exchanges[exchange].flags.insert(.requestDone)
        guard keepPipelined(exchange, client, from: taken) else { return }
        return finishAnswer(exchange)
      }
      if exchanges[exchange].bytesIn > Int64(Worker.discardLimit) { return retireAndLinger(exchange) }
    }
  }
}
