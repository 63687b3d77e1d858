/// A request's head, parsed: ranges into the bytes it was parsed from, and what they mean.
///
/// One is kept per worker and reused; parsing allocates nothing. All ranges are offsets into the span that
/// `parse` was given. Source: RFC 9112 §3, RFC 9110 §7.2.
package struct RequestHead: ~Copyable, Sendable {
  package enum TargetForm: UInt8, Sendable, BitwiseCopyable {
    /// "/path?query"
    case origin
    /// "http://host/path?query"; the forwarded Host must become `hostRange` (RFC 9112 §3.2.2).
    case absolute
    /// "host:port", CONNECT only.
    case authority
    /// "*", OPTIONS only.
    case asterisk
  }

  package internal(set) var method = Method.get
  package internal(set) var minorVersion: UInt8 = 1
  package internal(set) var targetForm = TargetForm.origin
  /// Whether the client lets the connection carry another request.
  package internal(set) var keepAlive = true
  /// "Expect: 100-continue" in HTTP/1.1.
  package internal(set) var expectsContinue = false
  /// Connection and Upgrade together ask for another protocol, one that a tunnel may carry (not h2c).
  package internal(set) var upgrade = false
  package internal(set) var body = BodyFraming.none

  package internal(set) var methodRange = 0..<0
  package internal(set) var targetRange = 0..<0
  /// Without the query; empty for the authority and asterisk forms, and where an absolute form has none.
  package internal(set) var pathRange = 0..<0
  /// Without "?"; `hasQuery` tells an empty one from none.
  package internal(set) var queryRange = 0..<0
  package internal(set) var hasQuery = false
  /// Host and port: the target's when it has them, else the Host field's; empty in HTTP/1.0 without either.
  package internal(set) var hostRange = 0..<0
  /// `hostRange` without port and trailing dot; letters in the case they came in.
  package internal(set) var hostNameRange = 0..<0
  package internal(set) var hostPort: UInt16?

  package internal(set) var fields = FieldTable()
  /// Bytes of the head with the empty line; 0 before a head was parsed.
  package internal(set) var length = 0

  package init() {}

  /// No head is held any more.
  package mutating func forget() {
    method = .get
    length = 0
  }

  package var fieldCount: Int { fields.count }
  /// Path, "?" and query as they came.
  package var pathAndQueryRange: Range<Int> { pathRange.lowerBound..<max(pathRange.upperBound, queryRange.upperBound) }

  /// Parses the head at the start of `bytes`; returns its length, or nil when more bytes are needed.
  ///
  /// `scanned` belongs to the connection: 0 at a message's first byte, kept between calls with the same message
  /// as it grows. A partial head is parsed again only when another line is complete, so that bytes which
  /// trickle in cost one look each.
  package mutating func parse(
    _ bytes: Span<UInt8>, scanned: inout Int, limits: HeadLimits
  ) throws(HeadError) -> Int? {
    let window = bytes.count > limits.headBytes ? bytes.extracting(0..<limits.headBytes) : bytes
    let isFull = bytes.count >= limits.headBytes
    if scanned == 0 || isFull || window.hasLine(from: scanned) {
      length = 0
      var inRequestLine = true
      if let complete = try parseWhole(window, limits, &inRequestLine) {
        scanned = 0
        length = complete
        return complete
      }
      if isFull { throw inRequestLine ? .targetTooLong : .headTooLarge }
    }
    scanned = window.count
    return nil
  }

  private mutating func parseWhole(
    _ bytes: Span<UInt8>, _ limits: HeadLimits, _ inRequestLine: inout Bool
  ) throws(HeadError) -> Int? {
    guard let fieldsStart = try parseRequestLine(bytes, limits) else { return nil }
    inRequestLine = false
    guard let end = try fields.scan(bytes, from: fieldsStart, limit: limits.fields) else { return nil }
    try interpret(bytes)
    return end
  }

  private mutating func interpret(_ bytes: Span<UInt8>) throws(HeadError) {
    if let index = fields.first(.host) {
      if fields.isRepeated(.host) { throw .repeatedHost }
      let value = fields[index].valueRange
      guard let authority = Authority(bytes, value) else { throw .malformedHost }
      // RFC 9112 §3.2.2: the target's authority wins over Host.
      if targetForm == .origin || targetForm == .asterisk { setHost(value, authority) }
    } else if minorVersion == 1 {
      throw .missingHost
    }

    let facts = try MessageFacts(bytes, &fields, minorVersion: minorVersion)
    keepAlive = facts.persists(minorVersion: minorVersion)
    upgrade = facts.upgrades
    if facts.isChunked {
      body = .chunked
    } else if let length = facts.length, length > 0 {
      body = .length(length)
    } else {
      body = .none
    }
    // RFC 9110 §9.3.6: content in CONNECT has no meaning; bytes behind the head belong to the tunnel.
    if method == .connect, facts.isChunked || facts.length != nil { throw .contentInConnect }

    expectsContinue = false
    if let index = fields.first(.expect) {
      // RFC 9110 §10.1.1: an HTTP/1.0 expectation is ignored; an unknown one may get 417.
      guard !fields.isRepeated(.expect), bytes.equals(fields[index].valueRange, lowercase: "100-continue")
      else { throw .expectationFailed }
      expectsContinue = minorVersion == 1
    }
  }

  mutating func setHost(_ range: Range<Int>, _ authority: Authority) {
    hostRange = range
    hostNameRange = authority.name
    hostPort = authority.port
  }
}

extension Span where Element == UInt8 {
  /// Whether a LF stands at or behind `start`.
  func hasLine(from start: Int) -> Bool {
    var position = start
    while position < count {
      if self[position] == Byte.lf { return true }
      position &+= 1
    }
    return false
  }
}
