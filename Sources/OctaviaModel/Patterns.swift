// The forms of text that the API knows. Written out, so that this floor needs no regular expressions.

extension Pattern {
  package static let cookieName = Pattern(text: #"^[^\s,;\\]+$"#) { text in
    !text.isEmpty && !text.contains { $0.isWhitespace || $0 == "," || $0 == ";" || $0 == "\\" }
  }
  package static let oneLine = Pattern(text: #"^[^\r\n]*$"#) { !$0.utf8.contains { $0 == 0x0a || $0 == 0x0d } }
  package static let expectedCodes = Pattern(text: #"^(\d{3}(\s*,\s*\d{3})*)$|^(\d{3}-\d{3})$"#) { text in
    StatusCodes(text) != nil
  }
  package static let domainName = Pattern(
    text: #"^(?=.{1,253}\.?$)(?:(?!-|[^.]+_)[A-Za-z0-9-_]{1,63}(?<!-)(?:\.|$))+$"#
  ) { text in
    let name = text.hasSuffix(".") ? text.dropLast() : text[...]
    guard (1...253).contains(name.utf8.count) else { return false }
    return name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
      (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-" && !label.dropFirst().contains("_")
        && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    }
  }
}

/// `200`, `200, 202` or `200-204`.
package struct StatusCodes: Hashable, Sendable {
  package var codes: [Int]

  package init?(_ text: String) {
    func code(_ part: Substring) -> Int? {
      let digits = part.filter { !$0.isWhitespace }
      return digits.count == 3 && digits.allSatisfy(\.isASCIIDigit) ? Int(digits) : nil
    }
    let bounds = text.split(separator: "-", omittingEmptySubsequences: false)
    if bounds.count == 2 {
      guard let low = code(bounds[0]), let high = code(bounds[1]), !text.contains(" ") else { return nil }
      codes = low <= high ? Array(low...high) : []
      return
    }
    codes = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = code(part) else { return nil }
      codes.append(number)
    }
  }
}

extension Character {
  package var isASCIIDigit: Bool { isASCII && isNumber }
}

enum Text {
  /// 8-4-4-4-12 hexadecimal digits.
  static func isUUID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard bytes.count == 36 else { return false }
    for (index, byte) in bytes.enumerated() {
      let dash = index == 8 || index == 13 || index == 18 || index == 23
      if dash != (byte == UInt8(ascii: "-")) { return false }
      if !dash && !Character(Unicode.Scalar(byte)).isHexDigit { return false }
    }
    return true
  }

  /// An absolute path without spaces, and nothing else of a URL.
  static func isPath(_ text: String) -> Bool {
    text.hasPrefix("/") && !text.hasPrefix("//") && pathCharacters(text)
  }

  /// http or https, a host, and no control character or space: it ends up in a line of configuration.
  static func isURL(_ text: String) -> Bool {
    let lower = text.lowercased()
    guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else { return false }
    let rest = text.dropFirst(scheme.count)
    let host = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return !host.isEmpty && !host.contains { "<>\\^`{|}\"".contains($0) } && pathCharacters(String(rest))
  }

  private static func pathCharacters(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
      if byte <= 0x20 || byte >= 0x7f || "<>\\^`{|}\"".utf8.contains(byte) { return false }
      // RFC 3986 section 2.1: a percent sign is followed by two digits.
      if byte == UInt8(ascii: "%") {
        guard index + 2 < bytes.count, [1, 2].allSatisfy({ Character(Unicode.Scalar(bytes[index + $0])).isHexDigit })
        else {
          return false
        }
      }
    }
    return true
  }
}
