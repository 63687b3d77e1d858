/// A response's head, parsed in the light of the request's method. Source: RFC 9112 §4 and §6.3.
///
/// Every error means 502 for the client: what a backend says is refused like what a client says, since a
/// response that is split in two reaches the wrong request.
package struct ResponseHead: ~Copyable, Sendable {
  /// 100–599.
  package internal(set) var status: UInt16 = 0
  package internal(set) var minorVersion: UInt8 = 1
  /// Whether the backend's connection can carry another request once the body is read.
  package internal(set) var keepAlive = true
  /// 101, or 2xx to CONNECT: the connection is a tunnel from here on.
  package internal(set) var upgrade = false
  package internal(set) var body = BodyFraming.none
  package internal(set) var statusRange = 0..<0
  package internal(set) var reasonRange = 0..<0
  package internal(set) var fields = FieldTable()
  /// Bytes of the head with the empty line; 0 before a head was parsed.
  package internal(set) var length = 0

  package init() {}

  package var fieldCount: Int { fields.count }
  /// 1xx except 101: another head follows (RFC 9110 §15.2).
  package var isInterim: Bool { status < 200 && status != 101 }

  /// Parses the head at the start of `bytes`; returns its length, or nil when more bytes are needed.
  /// `scanned` is as in `RequestHead.parse`; `method` is the request's.
  package mutating func parse(
    _ bytes: Span<UInt8>, method: Method, scanned: inout Int, limits: HeadLimits
  ) throws(HeadError) -> Int? {
    let window = bytes.count > limits.headBytes ? bytes.extracting(0..<limits.headBytes) : bytes
    let isFull = bytes.count >= limits.headBytes
    if scanned == 0 || isFull || window.hasLine(from: scanned) {
      length = 0
      if let complete = try parseWhole(window, method, limits) {
        scanned = 0
        length = complete
        return complete
      }
    }
    if isFull { throw .headTooLarge }
    scanned = window.count
    return nil
  }

  private mutating func parseWhole(
    _ bytes: Span<UInt8>, _ method: Method, _ limits: HeadLimits
  ) throws(HeadError) -> Int? {
    guard let fieldsStart = try parseStatusLine(bytes) else { return nil }
    guard let end = try fields.scan(bytes, from: fieldsStart, limit: limits.fields) else { return nil }
    try interpret(bytes, method)
    return end
  }

  /// `HTTP-version SP status-code SP [ reason-phrase ] CRLF`; the second space may be missing with the reason.
  private mutating func parseStatusLine(_ bytes: Span<UInt8>) throws(HeadError) -> Int? {
    guard bytes.count >= 8 else { return try incomplete(bytes) }
    let version = Words.load(bytes, at: 0)
    if version == Words.word("H", "T", "T", "P", "/", "1", ".", "1") {
      minorVersion = 1
    } else if version == Words.word("H", "T", "T", "P", "/", "1", ".", "0") {
      minorVersion = 0
    } else {
      let error = RequestHead.versionError(version)
      throw error == .unsupportedVersion ? error : .malformedStatusLine
    }
    guard bytes.count >= 13 else { return try incomplete(bytes) }
    guard bytes[8] == Byte.space else { throw .malformedStatusLine }
    var value: UInt16 = 0
    for index in 9..<12 {
      guard Byte.isDigit(bytes[index]) else { throw .malformedStatusLine }
      value = value &* 10 &+ UInt16(bytes[index] &- 0x30)
    }
    guard (100...599).contains(value) else { throw .malformedStatusLine }
    guard bytes[12] == Byte.space || bytes[12] == Byte.cr else { throw .malformedStatusLine }
    status = value
    statusRange = 9..<12
    let reasonStart = bytes[12] == Byte.space ? 13 : 12
    guard let end = try bytes.endOfText(from: reasonStart) else { return nil }
    reasonRange = reasonStart..<end
    return end &+ 2
  }

  private func incomplete(_ bytes: Span<UInt8>) throws(HeadError) -> Int? {
    if bytes.hasLine(from: 0) { throw .malformedStatusLine }
    return nil
  }

  private mutating func interpret(_ bytes: Span<UInt8>, _ method: Method) throws(HeadError) {
    let facts = try MessageFacts(bytes, &fields, minorVersion: minorVersion)
    keepAlive = facts.persists(minorVersion: minorVersion)
    let isTunnel = status == 101 || method == .connect && status / 100 == 2
    upgrade = isTunnel
    // RFC 9112 §6.3, in its order.
    if isTunnel {
      keepAlive = false
      body = .none
    } else if method == .head || status < 200 || status == 204 || status == 304 {
      // RFC 9112 §6.1 forbids a transfer coding in 1xx and 204: someone who believes it reads another message.
      if facts.isChunked, status < 200 || status == 204 { throw .malformedEncoding }
      body = .none
    } else if facts.isChunked {
      body = .chunked
    } else if let length = facts.length {
      body = length > 0 ? .length(length) : .none
    } else {
      body = .untilClose
      keepAlive = false
    }
  }
}
