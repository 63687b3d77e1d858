/// The field names that a proxy acts on, so that no name is compared twice.
package enum FieldName: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case other
  case host, contentLength, transferEncoding
  case connection, keepAlive, proxyConnection, te, trailer, upgrade, http2Settings
  case expect, via, forwarded, xForwardedFor, xForwardedProto, xForwardedHost, xRequestID, xRealIP
  case authorization, proxyAuthorization, proxyAuthenticate, cookie, setCookie
  case contentType, contentEncoding, contentRange, cacheControl
  case date, server, location, retryAfter, maxForwards
  case userAgent, referer, traceparent

  @inlinable var bit: UInt64 { 1 &<< UInt64(rawValue) }

  /// Whether the field is for the next hop only and is not forwarded, named by Connection or not.
  ///
  /// RFC 9110 §7.6.1. Transfer-Encoding is not here: a body passes with the framing it came with. Neither is
  /// Trailer, which announces trailers that pass too. HTTP2-Settings went with h2c (RFC 9113 §3.1).
  @inlinable package var isHopByHop: Bool {
    switch self {
    case .connection, .keepAlive, .proxyConnection, .te, .upgrade, .http2Settings: true
    default: false
    }
  }

  /// Fields that decide a message's framing or its destination: refused as a Connection option and in trailers.
  @inlinable package var isFraming: Bool {
    switch self {
    case .host, .contentLength, .transferEncoding: true
    default: false
    }
  }

  /// Fields that a recipient acts on before content arrives, which therefore must not come after it
  /// (RFC 9110 §6.5.1).
  @inlinable package var isForbiddenInTrailers: Bool {
    switch self {
    case .other, .server, .date, .location, .userAgent, .referer, .traceparent: false
    default: true
    }
  }

  /// From the length and the lower-cased bytes, zero-padded, of a name of at most 24 bytes.
  static func lookup(_ length: Int, _ a: UInt64, _ b: UInt64, _ c: UInt64) -> FieldName {
    switch length {
    case 2: if a == Words.word("t", "e") { return .te }
    case 3: if a == Words.word("v", "i", "a") { return .via }
    case 4:
      if a == Words.word("h", "o", "s", "t") { return .host }
      if a == Words.word("d", "a", "t", "e") { return .date }
    case 6:
      if a == Words.word("c", "o", "o", "k", "i", "e") { return .cookie }
      if a == Words.word("e", "x", "p", "e", "c", "t") { return .expect }
      if a == Words.word("s", "e", "r", "v", "e", "r") { return .server }
    case 7:
      if a == Words.word("u", "p", "g", "r", "a", "d", "e") { return .upgrade }
      if a == Words.word("t", "r", "a", "i", "l", "e", "r") { return .trailer }
      if a == Words.word("r", "e", "f", "e", "r", "e", "r") { return .referer }
    case 8: if a == Words.word("l", "o", "c", "a", "t", "i", "o", "n") { return .location }
    case 9...16: return lookup(length, a, b)
    case 17:
      if a == Words.word("t", "r", "a", "n", "s", "f", "e", "r") {
        if b == Words.word("-", "e", "n", "c", "o", "d", "i", "n"), c == Words.word("g") { return .transferEncoding }
      }
      if a == Words.word("x", "-", "f", "o", "r", "w", "a", "r") {
        if b == Words.word("d", "e", "d", "-", "p", "r", "o", "t"), c == Words.word("o") { return .xForwardedProto }
      }
    case 18:
      if a == Words.word("p", "r", "o", "x", "y", "-", "a", "u") {
        if b == Words.word("t", "h", "e", "n", "t", "i", "c", "a"), c == Words.word("t", "e") {
          return .proxyAuthenticate
        }
      }
    case 19:
      if a == Words.word("p", "r", "o", "x", "y", "-", "a", "u") {
        if b == Words.word("t", "h", "o", "r", "i", "z", "a", "t"), c == Words.word("i", "o", "n") {
          return .proxyAuthorization
        }
      }
    default: break
    }
    return .other
  }

  private static func lookup(_ length: Int, _ a: UInt64, _ b: UInt64) -> FieldName {
    switch (length, a) {
    case (9, Words.word("f", "o", "r", "w", "a", "r", "d", "e")): if b == Words.word("d") { return .forwarded }
    case (9, Words.word("x", "-", "r", "e", "a", "l", "-", "i")): if b == Words.word("p") { return .xRealIP }
    case (10, Words.word("c", "o", "n", "n", "e", "c", "t", "i")):
      if b == Words.word("o", "n") { return .connection }
    case (10, Words.word("k", "e", "e", "p", "-", "a", "l", "i")):
      if b == Words.word("v", "e") { return .keepAlive }
    case (10, Words.word("s", "e", "t", "-", "c", "o", "o", "k")):
      if b == Words.word("i", "e") { return .setCookie }
    case (10, Words.word("u", "s", "e", "r", "-", "a", "g", "e")):
      if b == Words.word("n", "t") { return .userAgent }
    case (11, Words.word("r", "e", "t", "r", "y", "-", "a", "f")):
      if b == Words.word("t", "e", "r") { return .retryAfter }
    case (11, Words.word("t", "r", "a", "c", "e", "p", "a", "r")):
      if b == Words.word("e", "n", "t") { return .traceparent }
    case (12, Words.word("c", "o", "n", "t", "e", "n", "t", "-")):
      if b == Words.word("t", "y", "p", "e") { return .contentType }
    case (12, Words.word("x", "-", "r", "e", "q", "u", "e", "s")):
      if b == Words.word("t", "-", "i", "d") { return .xRequestID }
    case (12, Words.word("m", "a", "x", "-", "f", "o", "r", "w")):
      if b == Words.word("a", "r", "d", "s") { return .maxForwards }
    case (13, Words.word("c", "o", "n", "t", "e", "n", "t", "-")):
      if b == Words.word("r", "a", "n", "g", "e") { return .contentRange }
    case (13, Words.word("c", "a", "c", "h", "e", "-", "c", "o")):
      if b == Words.word("n", "t", "r", "o", "l") { return .cacheControl }
    case (13, Words.word("a", "u", "t", "h", "o", "r", "i", "z")):
      if b == Words.word("a", "t", "i", "o", "n") { return .authorization }
    case (14, Words.word("c", "o", "n", "t", "e", "n", "t", "-")):
      if b == Words.word("l", "e", "n", "g", "t", "h") { return .contentLength }
    case (14, Words.word("h", "t", "t", "p", "2", "-", "s", "e")):
      if b == Words.word("t", "t", "i", "n", "g", "s") { return .http2Settings }
    case (15, Words.word("x", "-", "f", "o", "r", "w", "a", "r")):
      if b == Words.word("d", "e", "d", "-", "f", "o", "r") { return .xForwardedFor }
    case (16, Words.word("c", "o", "n", "t", "e", "n", "t", "-")):
      if b == Words.word("e", "n", "c", "o", "d", "i", "n", "g") { return .contentEncoding }
    case (16, Words.word("x", "-", "f", "o", "r", "w", "a", "r")):
      if b == Words.word("d", "e", "d", "-", "h", "o", "s", "t") { return .xForwardedHost }
    case (16, Words.word("p", "r", "o", "x", "y", "-", "c", "o")):
      if b == Words.word("n", "n", "e", "c", "t", "i", "o", "n") { return .proxyConnection }
    default: break
    }
    return .other
  }

  /// The name of the bytes in `range`, which hold no control characters, ignoring case.
  static func lookup(_ bytes: Span<UInt8>, _ range: Range<Int>) -> FieldName {
    let length = range.count
    guard length <= 24 else { return .other }
    let a = Words.lowerPrefix(bytes, at: range.lowerBound, length)
    let b = length > 8 ? Words.lowerPrefix(bytes, at: range.lowerBound &+ 8, length &- 8) : 0
    let c = length > 16 ? Words.lowerPrefix(bytes, at: range.lowerBound &+ 16, length &- 16) : 0
    return lookup(length, a, b, c)
  }

  /// The name that `bytes`, which hold no control characters, are, ignoring case.
  package init(_ bytes: Span<UInt8>) { self = FieldName.lookup(bytes, bytes.indices) }
}
