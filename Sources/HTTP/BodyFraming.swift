/// How the end of a message's body is known (RFC 9112 §6.3).
package enum BodyFraming: Hashable, Sendable, BitwiseCopyable {
  /// No byte of content follows the head.
  case none
  /// So many bytes, at least one.
  case length(Int64)
  case chunked
  /// Responses only: all that comes until the backend closes.
  case untilClose
}

/// What the fields say of framing and of the connection, for requests and responses alike.
struct MessageFacts {
  var length: Int64?
  var isChunked = false
  var closes = false
  var keepsAlive = false
  var upgrades = false

  /// Options in one Connection field list; more are refused, since each is compared with every line.
  private static var optionLimit: Int { 32 }

  init(_ bytes: Span<UInt8>, _ fields: inout FieldTable, minorVersion: UInt8) throws(HeadError) {
    if let index = fields.first(.contentLength) {
      // RFC 9112 §6.3 lets a recipient accept equal repeats; two parsers may pick differently, so none are.
      if fields.isRepeated(.contentLength) { throw .repeatedLength }
      length = try MessageFacts.contentLength(bytes, fields[index].valueRange)
    }
    if let index = fields.first(.transferEncoding) {
      // RFC 9112 §6.1: a server may reject a message with both; an intermediary must not forward both.
      if length != nil { throw .lengthAndEncoding }
      if fields.isRepeated(.transferEncoding) { throw .repeatedEncoding }
      // RFC 9112 §6.1: "MUST treat the message as if the framing is faulty".
      if minorVersion == 0 { throw .encodingInHTTP10 }
      try MessageFacts.transferEncoding(bytes, fields[index].valueRange)
      isChunked = true
    }
    if let index = fields.first(.connection) { try readConnection(bytes, &fields, from: index) }
    upgrades = upgrades && minorVersion == 1 && MessageFacts.upgradeIsForwardable(bytes, fields)
  }

  /// HTTP/1.1 persists unless closed; HTTP/1.0 only when asked to (RFC 9112 §9.3).
  func persists(minorVersion: UInt8) -> Bool { !closes && (minorVersion == 1 || keepsAlive) }

  /// 1*DIGIT below 2^62; a leading zero is refused, since some parsers read octal.
  static func contentLength(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HeadError) -> Int64 {
    guard (1...19).contains(range.count) else { throw .malformedLength }
    var value: UInt64 = 0
    for index in range {
      guard Byte.isDigit(bytes[index]) else { throw .malformedLength }
      value = value &* 10 &+ UInt64(bytes[index] &- 0x30)
    }
    if range.count > 1, bytes[range.lowerBound] == 0x30 { throw .malformedLength }
    guard value < 1 << 62 else { throw .malformedLength }
    return Int64(value)
  }

  /// Returns for exactly "chunked". RFC 9112 §6.1: 501 for a coding that is not known; §6.3: 400 when
  /// chunked is not the final one, since the length then cannot be determined.
  static func transferEncoding(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HeadError) {
    if bytes.equals(range, lowercase: "chunked") { return }
    var list = TokenList(range)
    var last = 0..<0
    var chunks = 0
    while let token = try list.next(bytes, else: .malformedEncoding) {
      last = token
      if bytes.equals(token, lowercase: "chunked") { chunks += 1 }
    }
    guard chunks == 1, bytes.equals(last, lowercase: "chunked"), last.lowerBound > range.lowerBound,
      last.upperBound == range.upperBound, bytes[range.lowerBound] != Byte.comma
    else { throw .malformedEncoding }
    throw .unsupportedEncoding
  }

  private mutating func readConnection(
    _ bytes: Span<UInt8>, _ fields: inout FieldTable, from first: Int
  ) throws(HeadError) {
    // What nearly every Connection field says.
    if !fields.isRepeated(.connection), readUsualOption(bytes, fields[first].valueRange) { return }
    var options = 0
    for index in first..<fields.count where fields[index].name == .connection {
      var list = TokenList(fields[index].valueRange)
      while let token = try list.next(bytes, else: .malformedConnection) {
        options += 1
        guard options <= MessageFacts.optionLimit else { throw .malformedConnection }
        if !readUsualOption(bytes, token) { try readOption(bytes, token, &fields) }
      }
    }
  }

  private mutating func readUsualOption(_ bytes: Span<UInt8>, _ token: Range<Int>) -> Bool {
    if token.count == 5, Words.lowerPrefix(bytes, at: token.lowerBound, 5) == Words.word("c", "l", "o", "s", "e") {
      closes = true
      return true
    }
    switch FieldName.lookup(bytes, token) {
    case .keepAlive: keepsAlive = true
    case .upgrade: upgrades = true
    default: return false
    }
    return true
  }

  private mutating func readOption(
    _ bytes: Span<UInt8>, _ token: Range<Int>, _ fields: inout FieldTable
  ) throws(HeadError) {
    let name = FieldName.lookup(bytes, token)
    switch name {
    case .other: fields.strip(token, in: bytes)
    case _ where name.isFraming: throw .connectionStripsFraming
    case .trailer: if let index = fields.first(.trailer) { fields.markHopByHop(index) }
    // Hop-by-hop already, or for every recipient: RFC 9110 §7.6.1 forbids to name such fields, and to obey would let a client
    // strip what a proxy before us added or what a backend authenticates by.
    default: break
    }
  }

  /// Whether Upgrade asks for something that a tunnel can carry.
  ///
  /// "h2c" and "HTTP/…" would start requests that this parser never sees; RFC 9113 §3.1 withdrew h2c, and
  /// RFC 9110 §7.8 lets a server ignore Upgrade.
  private static func upgradeIsForwardable(_ bytes: Span<UInt8>, _ fields: borrowing FieldTable) -> Bool {
    guard let index = fields.first(.upgrade), !fields.isRepeated(.upgrade) else { return false }
    let value = fields[index].valueRange
    guard !value.isEmpty else { return false }
    var list = TokenList(value)
    while let part = list.nextElement(bytes) {
      if part.count >= 2, bytes.equals(part.prefix(2), lowercase: "h2") { return false }
      if part.count >= 4, bytes.equals(part.prefix(4), lowercase: "http") { return false }
    }
    return true
  }
}

/// Walks a comma-separated list (RFC 9110 §5.6.1); empty elements are skipped.
struct TokenList {
  private var position: Int
  private let end: Int

  init(_ range: Range<Int>) {
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next element, without the blanks around it.
  mutating func nextElement(_ bytes: Span<UInt8>) -> Range<Int>? {
    while position < end, Byte.isBlank(bytes[position]) || bytes[position] == Byte.comma { position &+= 1 }
    guard position < end else { return nil }
    let start = position
    while position < end, bytes[position] != Byte.comma { position &+= 1 }
    var last = position
    while last > start, Byte.isBlank(bytes[last &- 1]) { last &-= 1 }
    return start..<last
  }

  /// The next element, which must be a token.
  mutating func next(_ bytes: Span<UInt8>, else error: HeadError) throws(HeadError) -> Range<Int>? {
    guard let element = nextElement(bytes) else { return nil }
    for index in element {
      guard Byte.isToken(bytes[index]) else { throw error }
    }
    return element
  }
}

extension FieldTable {
  /// Marks every line whose name is that of `token`, a Connection option.
  fileprivate mutating func strip(_ token: Range<Int>, in bytes: Span<UInt8>) {
    var index = 0
    while index < count {
      let field = self[index]
      if field.name == .other, bytes.sameName(field.nameRange, token) { markHopByHop(index) }
      index &+= 1
    }
  }
}

extension Span where Element == UInt8 {
  fileprivate func sameName(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
    guard left.count == right.count else { return false }
    for offset in 0..<left.count
    where Byte.lower(self[left.lowerBound &+ offset]) != Byte.lower(self[right.lowerBound &+ offset]) { return false }
    return true
  }
}
