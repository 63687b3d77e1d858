package import HTTP

/// The text of an HTTP/1.1 head, or of a trailer section, as the fields of an HTTP/2 message.
///
/// The text is one that Sluice wrote itself (or has parsed strictly): lines end in CRLF and have a colon. What is not
/// so is left out.
package struct HeadLines: ~Copyable {
  /// A field: ranges into `text`.
  package struct Line: Sendable {
    package var name: Range<Int>
    package var value: Range<Int>
  }

  /// The text, with its names in lower case.
  package private(set) var text = ByteArena(capacity: 4096)
  package private(set) var lines: [Line] = []
  package private(set) var method = 0..<0
  package private(set) var target = 0..<0
  package private(set) var status = 0..<0
  package private(set) var authority = 0..<0

  package init() { lines.reserveCapacity(FieldTable.capacity) }

  /// Reads a head; what follows its empty line is left alone.
  package mutating func parse(_ kind: HeadTranslator.Kind, _ bytes: Span<UInt8>) {
    text.clear()
    text.append(bytes)
    lines.removeAll(keepingCapacity: true)
    (method, target, status, authority) = (0..<0, 0..<0, 0..<0, 0..<0)
    var position = 0
    if kind != .trailers {
      let end = endOfLine(from: 0)
      if kind == .request { readRequestLine(end) } else if end >= 12 { status = 9..<12 }
      position = end + 2
    }
    while position < text.count, text[position] != 0x0d {
      let end = endOfLine(from: position)
      readField(position..<end, kind)
      position = end + 2
    }
  }

  private func endOfLine(from start: Int) -> Int {
    var position = start
    while position < text.count, text[position] != 0x0d { position += 1 }
    return position
  }

  private mutating func readRequestLine(_ end: Int) {
    var position = 0
    while position < end, text[position] != 0x20 { position += 1 }
    method = 0..<position
    position = min(position + 1, end)
    let start = position
    while position < end, text[position] != 0x20 { position += 1 }
    target = start..<position
  }

  private mutating func readField(_ line: Range<Int>, _ kind: HeadTranslator.Kind) {
    var colon = line.lowerBound
    while colon < line.upperBound, text[colon] != UInt8(ascii: ":") {
      text[colon] = text[colon].lower
      colon += 1
    }
    guard colon > line.lowerBound, colon < line.upperBound else { return }
    var start = colon + 1
    while start < line.upperBound, text[start].isBlank { start += 1 }
    var end = line.upperBound
    while end > start, text[end - 1].isBlank { end -= 1 }
    let name = line.lowerBound..<colon
    switch FieldName(text.bytes(name)) {
    // RFC 9113 §8.2.2: fields of the connection have no meaning here.
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .te, .http2Settings: return
    // RFC 8441 §5: the handshake's proof has no place here.
    case .other where kind == .response && text.bytes(name).isExactly("sec-websocket-accept"): return
    case .other where kind == .request && text.bytes(name).isExactly("sec-websocket-key"): return
    case .host where kind == .request: authority = start..<end
    default: lines.append(Line(name: name, value: start..<end))
    }
  }
}
