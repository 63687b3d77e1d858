/// Checks on the text before the YAML library sees it.
///
/// The library hashes every mapping key to find duplicates. A key that holds aliases to
/// nested anchors would take exponential time there, so such keys are refused here. Each
/// test refuses at least what the library would take for such a key; keys that are lists or
/// mappings have no use in a configuration. Expansion in values is bounded afterwards, by
/// counting nodes.
enum Prescan {
  /// 4 MiB: some 50,000 routes. Trees need up to 100 times the text's memory.
  static let maxBytes = 4 * 1024 * 1024
  static let maxAliases = 10_000
  static let maxComplexKeys = 16

  /// nil when the text may be parsed.
  static func problem(_ bytes: [UInt8]) -> (place: Place, message: String)? {
    guard bytes.count <= maxBytes else {
      return (Place(1, 1), "the file has \(bytes.count) bytes; at most \(maxBytes) are read")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return (invalidByte(bytes), "not UTF-8 text")
    }
    var place = (line: 1, column: 1)
    for scalar in text.unicodeScalars {
      if !isAllowed(scalar, first: place == (1, 1)) {
        let code = String(scalar.value, radix: 16, uppercase: true)
        let digits = String(repeating: "0", count: max(0, 4 - code.count)) + code
        return (
          Place(place.line, place.column),
          "the character U+\(digits) is not allowed in YAML; write it as an escape in double quotes"
        )
      }
      if scalar == "\n" { place = (place.line + 1, 1) } else { place.column += 1 }
    }
    return complexKeys(bytes)
  }

  /// YAML 1.2 §5.1.
  private static func isAllowed(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
    switch scalar.value {
    case 0x09, 0x0a, 0x0d, 0x20...0x7e, 0x85, 0xa0...0xd7ff, 0xe000...0xfefe, 0xff00...0xfffd, 0x10000...0x10ffff: true
    case 0xfeff: first
    default: false
    }
  }

  private static func invalidByte(_ bytes: [UInt8]) -> Place {
    // The longest valid prefix ends where decoding first repairs something.
    var line = 1
    var column = 1
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    while case .scalarValue(let scalar) = decoder.decode(&iterator) {
      if scalar == "\n" {
        line += 1
        column = 1
      } else {
        column += 1
      }
    }
    return Place(line, column)
  }

  private static func complexKeys(_ bytes: [UInt8]) -> (place: Place, message: String)? {
    var line = 1
    var lineStart = 0
    var aliasInLine = false
    var aliases = 0
    var suspects: [(place: Place, message: String)] = []
    func at(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0x0a }
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
    func isName(_ byte: UInt8) -> Bool {
      byte.isASCIIDigit || (byte | 0x20).isASCIILetter || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
    }
    /// Whether a token may begin here: at a line's start, after a blank, an indicator or a line break beyond ASCII.
    func startsToken(_ index: Int) -> Bool {
      guard index > 0 else { return true }
      let before = bytes[index - 1]
      return isBlank(before) || before >= 0x80 || "[{,:?-".utf8.contains(before)
    }
    func colonFollows(_ index: Int) -> Bool {
      var index = index
      while at(index) == 0x20 || at(index) == 0x09 { index += 1 }
      return at(index) == UInt8(ascii: ":")
    }
    for index in bytes.indices {
      let here = Place(line, index - lineStart + 1)
      switch bytes[index] {
      case 0x0a, 0x0d:
        // A bare CR ends a YAML line too; the line number only counts LF, as editors do.
        aliasInLine = false
        if bytes[index] == 0x0a {
          line += 1
          lineStart = index + 1
        }
      case UInt8(ascii: "*") where startsToken(index) && isName(at(index + 1)):
        aliases += 1
        aliasInLine = true
        var end = index + 1
        while isName(at(end)) { end += 1 }
        if colonFollows(end) { suspects.append((here, "an alias cannot be a key")) }
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        if aliasInLine, colonFollows(index + 1) {
          suspects.append((here, "a list or mapping with an alias cannot be a key"))
        }
      case UInt8(ascii: "?") where startsToken(index):
        let next = at(index + 1)
        if isBlank(next) || "[{*!".utf8.contains(next) || (next == UInt8(ascii: "&") && isName(at(index + 2))) {
          suspects.append((here, "a key with `?` is not supported"))
        }
      default: break
      }
    }
    if aliases > maxAliases { return (Place(1, 1), "the file has \(aliases) aliases; at most \(maxAliases) are read") }
    return (aliases > 0 || suspects.count > maxComplexKeys) ? suspects.first : nil
  }
}

extension UInt8 {
  var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
  /// Lower-case letters only.
  var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
}
