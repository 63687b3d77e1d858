import Model

/// A test of a named header field, query parameter or cookie; any value of the name may pass it.
struct FieldTest: BitwiseCopyable, Sendable {
  enum Kind: UInt8, BitwiseCopyable, Sendable { case present, absent, exact, prefix, regex }
  enum Place: UInt8, BitwiseCopyable, Sendable { case header, query, cookie }

  var place: Place
  var kind: Kind
  var name: Piece
  var value = Piece()
  var regex: UInt32 = 0
}

/// What a route asks beyond host and path, as pieces of the table's flat arrays.
struct Conditions: BitwiseCopyable, Sendable {
  var fields = Piece()
  var methods = Piece()
  var sources = Piece()
  /// The path's regex; -1: none.
  var pathRegex: Int32 = -1
  /// What is asked of the connection; -1: nothing.
  var connection: Int32 = -1
}

extension RouteTable {
  /// Whether a candidate's remaining conditions hold, the cheap ones first.
  func holds<Fields: FieldLookup & ~Copyable & ~Escapable>(
    _ route: Int, _ request: borrowing RouteRequest, _ fields: borrowing Fields, _ text: borrowing Span<UInt8>,
    _ scratch: inout MatchScratch
  ) -> Bool {
    let conditions = self.conditions[route]
    if conditions.methods.count > 0 {
      var allowed = false
      for index in conditions.methods.range where request.method.equals(text.extracting(methods[index].range)) {
        allowed = true
        break
      }
      guard allowed else { return false }
    }
    if conditions.sources.count > 0 {
      var inside = false
      for index in conditions.sources.range where sources[index].contains(request.source) {
        inside = true
        break
      }
      guard inside else { return false }
    }
    if conditions.connection >= 0 {
      guard connectionTests[Int(conditions.connection)].passes(scratch.facts, &scratch.regex) else { return false }
    }
    for index in conditions.fields.range {
      guard passes(fieldTests[index], request, fields, text, &scratch) else { return false }
    }
    if conditions.pathRegex >= 0 {
      return regexes[Int(conditions.pathRegex)].matches(request.path, scratch: &scratch.regex)
    }
    return true
  }

  private func passes<Fields: FieldLookup & ~Copyable & ~Escapable>(
    _ test: FieldTest, _ request: borrowing RouteRequest, _ fields: borrowing Fields, _ text: borrowing Span<UInt8>,
    _ scratch: inout MatchScratch
  ) -> Bool {
    let name = text.extracting(test.name.range)
    switch test.place {
    case .header:
      var cursor = 0
      while let range = fields.value(of: name, from: &cursor) {
        if accepts(test, request.head.extracting(range), text, &scratch) { return test.kind != .absent }
      }
    case .cookie:
      var cursor = 0
      let header = text.extracting(cookieName.range)
      while let range = fields.value(of: header, from: &cursor) {
        var pairs = Pairs(request.head.extracting(range), separator: UInt8(ascii: ";"))
        while pairs.next() {
          if pairs.name.equals(name), accepts(test, pairs.value, text, &scratch) { return test.kind != .absent }
        }
      }
    case .query:
      var pairs = Pairs(request.query, separator: UInt8(ascii: "&"))
      while pairs.next() {
        if pairs.name.equals(name), accepts(test, pairs.value, text, &scratch) { return test.kind != .absent }
      }
    }
    return test.kind == .absent
  }

  private func accepts(
    _ test: FieldTest, _ value: borrowing Span<UInt8>, _ text: borrowing Span<UInt8>, _ scratch: inout MatchScratch
  ) -> Bool {
    switch test.kind {
    case .present, .absent: true
    case .exact: value.equals(text.extracting(test.value.range))
    case .prefix: value.starts(with: text.extracting(test.value.range))
    case .regex: regexes[Int(test.regex)].matches(copy value, scratch: &scratch.regex)
    }
  }
}

/// "a=1&b=2" or "a=1; b=2", pair by pair, in place. A pair without "=" has an empty value;
/// spaces around a cookie's pair don't count (RFC 6265 §5.2).
struct Pairs: ~Escapable {
  private let bytes: Span<UInt8>
  private let separator: UInt8
  private var position = 0
  private(set) var name: Span<UInt8>
  private(set) var value: Span<UInt8>

  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>, separator: UInt8) {
    self.bytes = bytes
    self.separator = separator
    name = bytes.extracting(0..<0)
    value = bytes.extracting(0..<0)
  }

  @_lifetime(self: copy self)
  mutating func next() -> Bool {
    guard position < bytes.count else { return false }
    var start = position
    var end = start
    var equals = -1
    while end < bytes.count, bytes[end] != separator {
      if equals < 0, bytes[end] == UInt8(ascii: "=") { equals = end }
      end += 1
    }
    position = end + 1
    if separator == UInt8(ascii: ";") {
      while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
      while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
    }
    let split = equals < start ? end : min(equals, end)
    name = bytes.extracting(start..<split)
    value = bytes.extracting(min(split + 1, end)..<end)
    return true
  }
}
