// fuzz: HTTP2 HTTP Wire Model -lnghttp2
import HTTP
import HTTP2

/// A header section of arbitrary names and values: what the translator lets through is one HTTP/1.1 head with exactly
/// those fields, and goes back into the same fields.
///
/// Input: a byte for the kind and the end, then fields as length, name, length, value.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe input(data, count)
  guard let first = bytes.first else { return 0 }
  let kind = HeadTranslator.Kind(rawValue: first % 3)!
  let end = first & 0x80 != 0
  var translator = HeadTranslator()
  translator.begin(kind, maxListSize: 8192, maxFields: 50)
  if first & 0x40 != 0, kind == .request {
    // Half of the requests begin well, so that the rest is reached.
    for (name, value) in [(":method", "POST"), (":scheme", "http"), (":path", "/x"), (":authority", "a")] {
      translator.add(Array(name.utf8).span, Array(value.utf8).span)
    }
  }
  var position = 1
  while position < bytes.count {
    let name = piece(bytes, &position)
    let value = piece(bytes, &position)
    translator.add(name.span, value.span)
  }
  translator.finish(end: end)
  guard translator.error == nil else { return 0 }
  var text: [UInt8] = []
  for index in translator.text.bytes.indices { text.append(translator.text.bytes[index]) }
  checkLines(text, kind)
  var lines = HeadLines()
  lines.parse(kind, (text + [13, 10]).span)
  if kind == .request { checkRequest(text + [13, 10], translator.facts) }
  return 0
}

private func piece(_ bytes: [UInt8], _ position: inout Int) -> [UInt8] {
  guard position < bytes.count else { return [] }
  let length = min(Int(bytes[position]), bytes.count - position - 1)
  defer { position += 1 + length }
  return Array(bytes[position + 1..<position + 1 + length])
}

/// Every line ends in CRLF, and none is empty: nothing ends the head early.
private func checkLines(_ text: [UInt8], _ kind: HeadTranslator.Kind) {
  require(text.isEmpty || text.suffix(2) == [13, 10], "the text ends in CRLF")
  var start = 0
  while start < text.count {
    let end = text[start...].firstIndex(of: 10)!
    require(end > start + 1 && text[end - 1] == 13, "a line is not empty, and ends in CRLF")
    for byte in text[start..<end - 1] { require(byte >= 0x20 && byte != 0x7f || byte == 9, "no control in a line") }
    start = end + 1
  }
}

/// The parser of HTTP/1.1 takes it, or refuses it; it never sees two requests, nor a body that was not said.
private func checkRequest(_ text: [UInt8], _ facts: HeadTranslator.Facts) {
  var head = RequestHead()
  var scanned = 0
  guard let length = try? head.parse(text.span, scanned: &scanned, limits: HeadLimits()) else { return }
  require(length == text.count, "the whole text is one head")
  switch head.body {
  case .none: require((facts.length ?? 0) == 0, "a length is seen")
  case .length(let length): require(facts.length == length, "the length is the same")
  default: require(false, "no chunks without our word")
  }
}
