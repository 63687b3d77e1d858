/// The request method (RFC 9110 §9; PATCH: RFC 5789). Names are case-sensitive.
package enum Method: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case get, head, post, put, delete, connect, options, trace, patch
  /// A well-formed name that is none of the above; its text is in the head.
  case other

  /// Whether repeating the request has the effect of sending it once (RFC 9110 §9.2.2).
  @inlinable package var isIdempotent: Bool {
    switch self {
    case .get, .head, .put, .delete, .options, .trace: true
    case .post, .connect, .patch, .other: false
    }
  }

  /// Whether the client asks for no change (RFC 9110 §9.2.1).
  @inlinable package var isSafe: Bool {
    switch self {
    case .get, .head, .options, .trace: true
    default: false
    }
  }

  /// "GET", …; empty for `other`.
  package var name: StaticString {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .connect: "CONNECT"
    case .options: "OPTIONS"
    case .trace: "TRACE"
    case .patch: "PATCH"
    case .other: ""
    }
  }

  /// From a name's length and its first eight bytes, zeros behind it.
  static func lookup(_ length: Int, _ word: UInt64) -> Method {
    switch length {
    case 3:
      if word == Words.word("G", "E", "T") { return .get }
      if word == Words.word("P", "U", "T") { return .put }
    case 4:
      if word == Words.word("P", "O", "S", "T") { return .post }
      if word == Words.word("H", "E", "A", "D") { return .head }
    case 5:
      if word == Words.word("P", "A", "T", "C", "H") { return .patch }
      if word == Words.word("T", "R", "A", "C", "E") { return .trace }
    case 6: if word == Words.word("D", "E", "L", "E", "T", "E") { return .delete }
    case 7:
      if word == Words.word("O", "P", "T", "I", "O", "N", "S") { return .options }
      if word == Words.word("C", "O", "N", "N", "E", "C", "T") { return .connect }
    default: break
    }
    return .other
  }
}
