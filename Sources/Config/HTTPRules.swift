import Model

/// What may stand in a request or response, so that no configuration makes an invalid message.
enum HTTPRules {
  /// RFC 9110 §5.6.2.
  static func isToken(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0.isASCIIDigit || ($0 | 0x20).isASCIILetter || "!#$%&'*+-.^_`|~".utf8.contains($0) }
  }

  /// RFC 9110 §5.5: no CR, LF, NUL or other control, no space at either end.
  static func isFieldValue(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    if let first = bytes.first, let last = bytes.last, first <= 0x20 || last <= 0x20 { return false }
    return bytes.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7f) }
  }

  /// Path and authority characters: visible ASCII.
  static func isVisible(_ text: String) -> Bool { text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }

  /// Fields that frame a message or belong to one connection; Sluice writes them itself (RFC 9110 §7.6.1).
  static let framing: Set<String> = [
    "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
  ]

  static let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
}

extension Kind<String> {
  static var token: Kind { Kind("a token of letters, digits and !#$%&'*+-.^_`|~") { HTTPRules.isToken($0) ? $0 : nil } }

  static var headerName: Kind {
    Kind("a header name such as x-request-id") { HTTPRules.isToken($0) ? $0 : nil }
  }

  static var headerValue: Kind {
    Kind("a header value without CR, LF, NUL or space at its ends") { scalar in
      scalar.isNothing || !HTTPRules.isFieldValue(scalar.text) ? .wrong() : .value(scalar.text)
    }
  }

  static var method: Kind {
    Kind("a method such as GET") { scalar in
      let upper = scalar.text.uppercased()
      if scalar.text != upper, HTTPRules.methods.contains(upper) {
        return .wrong(hint: "methods are case-sensitive; did you mean `\(upper)`?")
      }
      return HTTPRules.isToken(scalar.text) ? .value(scalar.text) : .wrong()
    }
  }

  /// A path as it stands in a request line, without a query.
  static var path: Kind {
    Kind("a path that begins with /") { scalar in
      let text = scalar.text
      if text.hasPrefix("/"), text.contains("?") { return .wrong(hint: "a query is matched by `query`") }
      if text.hasPrefix("/"), !HTTPRules.isVisible(text) || text.contains("#") {
        return .wrong(hint: "spaces, # and letters beyond ASCII are percent-encoded in a path")
      }
      return text.hasPrefix("/") ? .value(text) : .wrong()
    }
  }

  /// A host with an optional port, as in a Host field.
  static var authority: Kind {
    Kind("a host such as example.com or example.com:8443") { text in
      let bad = text.isEmpty || !HTTPRules.isVisible(text) || text.contains { "/?#@\\\"<>".contains($0) }
      return bad ? nil : text
    }
  }
}

extension Kind<Match.Host> {
  static var host: Kind {
    Kind("a host such as example.com or \"*.example.com\"") { scalar in
      var name = scalar.text.lowercased()
      if name == "*" { return .wrong(hint: "leave `host` out to match every host") }
      if name.hasPrefix("["), name.hasSuffix("]") {
        guard let address = IPAddress(String(name.dropFirst().dropLast())), address.family == .v6 else {
          return .wrong()
        }
        return .value(.exact("[\(address)]"))
      }
      if name.hasSuffix(".") { name.removeLast() }
      let wildcard = name.hasPrefix("*.")
      if wildcard { name.removeFirst(2) }
      let labels = name.split(separator: ".", omittingEmptySubsequences: false)
      guard !name.isEmpty, name.utf8.count <= 253, labels.allSatisfy({ (1...63).contains($0.utf8.count) }) else {
        return .wrong()
      }
      if name.utf8.allSatisfy({ $0.isASCIIDigit || $0.isASCIILetter || "-_.".utf8.contains($0) }) {
        return .value(wildcard ? .wildcard(name) : .exact(name))
      }
      if name.utf8.contains(where: { $0 >= 0x80 }) { return .wrong(hint: "write it in ASCII (xn--…)") }
      if name.contains(":"), !name.hasPrefix("[") { return .wrong(hint: "without the port") }
      return .wrong(
        hint: name.contains("*") ? "a wildcard stands only for the first labels, as in `*.example.com`" : nil)
    }
  }
}

extension Kind<String> {
  /// A listener's or pool's name.
  static var name: Kind {
    Kind("a name of at most 64 letters, digits and `-_.`") { text in
      let fits = (1...64).contains(text.utf8.count)
      return fits && text.utf8.allSatisfy { $0.isASCIIDigit || ($0 | 0x20).isASCIILetter || "-_.".utf8.contains($0) }
        ? text : nil
    }
  }

  /// A backend's name may be an address's text too.
  static var backendName: Kind {
    Kind("a name of at most 128 visible ASCII characters without quotes") { text in
      let fits = (1...128).contains(text.utf8.count)
      return fits && HTTPRules.isVisible(text) && !text.contains { "\"'\\<>".contains($0) } ? text : nil
    }
  }
}

extension Kind<[UInt8]> {
  /// Bytes on the wire, one for each character: U+0000 to U+00FF are the bytes 00 to FF (Latin-1), so that
  /// "\x80" in double quotes is one byte.
  static var payload: Kind {
    Kind("characters up to U+00FF, each one byte; others as their UTF-8 bytes in \"\\x…\" escapes") { scalar in
      if scalar.isNothing { return .wrong() }
      let scalars = scalar.text.unicodeScalars
      guard scalars.allSatisfy({ $0.value <= 0xff }) else { return .wrong() }
      guard scalars.count <= 65_507 else { return .wrong(hint: "a payload has at most 65507 bytes") }
      return .value(scalars.map { UInt8(truncatingIfNeeded: $0.value) })
    }
  }
}
