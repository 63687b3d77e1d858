import HTTP
import HTTP2
import Model
import Reactor
import TLS
import Wire

/// WebSocket between HTTP/1.1, where it is an upgrade (RFC 6455 §4), and HTTP/2, where it is an extended CONNECT (RFC 8441).
extension Worker {
  /// RFC 8441 §5: the key of the HTTP/1.1 handshake has no counterpart in HTTP/2; the backend gets one of ours.
  mutating func writeWebSocketKey() {
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

  /// The upgrade that the head asks for, to a backend that speaks HTTP/2: only WebSocket has a form there. RFC 9110 §7.8:
  /// others may be ignored.
  mutating func prepareUpgrade(_ exchange: UInt32, _ client: UInt32) {
    guard exchanges[exchange].flags.contains(.upgrade), !isBranch(client) else { return }
    guard exchanges[exchange].method == .get, let field = head.fields.first(.upgrade),
      incoming.matches(head.fields[field].valueRange, lowercase: Worker.webSocket),
      let key = head.fields.index(of: "sec-websocket-key", in: incoming.bytes)
    else {
      exchanges[exchange].flags.remove(.upgrade)
      return
    }
    // RFC 6455 §4.2.2: what the client will look for in the answer.
    text.clear()
    text.append(incoming, head.fields[key].valueRange)
    text.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    let proof = Base64.encode(Digest.sha1.hash(text))
    text.clear()
    text.append(string: proof)
    _ = buffers.append(text, 0..<text.count, to: &exchanges[exchange].proof)
  }

  private static let webSocket = Array("websocket".utf8)

  /// Whether a WebSocket may begin on a backend's trunk; nil: the backend has not said so yet (RFC 8441 §3).
  mutating func mayUpgrade(_ number: UInt32) -> Bool? {
    trunks[number].hasSettings ? engine.peerTakesExtendedConnect(number) : nil
  }

  /// Those who waited for the backend's word go on.
  mutating func resumeUpgrades(_ number: UInt32) {
    while trunks.isUsed(number), let exchange = waitingUpgrade(number) { sendToBranch(exchange) }
  }

  private mutating func waitingUpgrade(_ number: UInt32) -> UInt32? {
    var branch = trunks[number].branches
    while branch != Stream.none {
      let exchange = streams[branch].exchange
      if exchange != Exchange.none, exchanges.isUsed(exchange), exchanges[exchange].flags.contains(.upgrade),
        exchanges[exchange].phase == .sent, exchanges[exchange].sent == 0
      {
        return exchange
      }
      branch = streams[branch].next
    }
    return nil
  }

  /// The head of the answer that took a WebSocket, as HTTP/1.1 has it.
  mutating func writeSwitching(_ exchange: UInt32) {
    incoming.append("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n")
    if !exchanges[exchange].proof.isEmpty {
      incoming.append("sec-websocket-accept: ")
      buffers.move(Int(exchanges[exchange].proof.count), from: &exchanges[exchange].proof, to: &incoming)
      incoming.append("\r\n")
    }
    incoming.append(switchingLinesOf: engine)
  }
}

extension ByteRegion {
  /// The lines of a response but for a proof that its sender should not have sent: RFC 8441 §5.
  mutating func append(switchingLinesOf engine: FrameEngine) {
    let lines = engine.fieldLines()
    var start = 0
    while start < lines.count {
      var end = start
      while end < lines.count, lines[end] != 0x0a { end += 1 }
      let line = lines.extracting(start..<min(end + 1, lines.count))
      if !line.isProof { append(line) }
      start = end + 1
    }
  }
}

extension Span where Element == UInt8 {
  /// Whether a line, whose name is in lower case, is Sec-WebSocket-Accept.
  fileprivate var isProof: Bool {
    let name = Array("sec-websocket-accept:".utf8)
    guard count >= name.count else { return false }
    for index in name.indices where self[index] != name[index] { return false }
    return true
  }
}

extension Digest {
  func hash(_ region: borrowing ByteRegion) -> [UInt8] { hash(region.bytes) }
}
