/// A word of a zone file: its bytes with escapes left in (names and strings read them differently), and its place.
package struct ZoneToken: Hashable, Sendable {
  /// A part of the file.
  package var bytes: ArraySlice<UInt8>
  /// Written in quotes from its first byte; the quotes are not part of `bytes`.
  package var isQuoted: Bool
  package var line: Int
  package var column: Int
}

/// One entry of a zone file: the words of a line, or of several that parentheses join.
struct ZoneEntry {
  var tokens: [ZoneToken] = []
  /// Begins with white space, so that it has the owner of the entry before it.
  var hasBlankOwner = false
  var line = 0

  mutating func begin(_ line: Int) {
    tokens.removeAll(keepingCapacity: true)
    hasBlankOwner = false
    self.line = line
  }
}

/// Cuts a zone file into entries (RFC 1035 §5.1).
struct ZoneTokenizer {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  struct Failure: Error {
    var line: Int
    var column: Int
    var text: String
  }

  /// The next entry that has words; false at the end. After a failure the next line starts anew.
  ///
  /// PERF: into the entry before, whose tokens have room already.
  mutating func next(into entry: inout ZoneEntry) throws(Failure) -> Bool {
    entry.begin(line)
    var depth = 0
    var opened = (line: 0, column: 0)
    var isLineStart = true
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\n"):
        newLine()
        if depth > 0 { continue }
        if !entry.tokens.isEmpty { return true }
        entry.begin(line)
        isLineStart = true
        continue
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        if isLineStart, depth == 0, entry.tokens.isEmpty, byte != UInt8(ascii: "\r") { entry.hasBlankOwner = true }
        position += 1
      case UInt8(ascii: ";"): skipLine()
      case UInt8(ascii: "("):
        if depth == 0 { opened = (line, column) }
        depth += 1
        position += 1
      case UInt8(ascii: ")"):
        guard depth > 0 else { throw fail("a closing parenthesis without an opening one") }
        depth -= 1
        position += 1
      default: entry.tokens.append(try word())
      }
      isLineStart = false
    }
    guard depth == 0 else {
      throw Failure(line: opened.line, column: opened.column, text: "this parenthesis is never closed")
    }
    return !entry.tokens.isEmpty
  }

  private var column: Int { position - lineStart + 1 }

  private mutating func newLine() {
    position += 1
    line += 1
    lineStart = position
  }

  private mutating func skipLine() {
    while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
  }

  /// Resumes behind the line that cannot be read.
  private mutating func fail(_ text: String) -> Failure {
    let failure = Failure(line: line, column: column, text: text)
    skipLine()
    if position < bytes.count { newLine() }
    return failure
  }

  private mutating func word() throws(Failure) -> ZoneToken {
    let start = position
    let column = column
    if bytes[start] == UInt8(ascii: "\"") {
      try quoted()
      return ZoneToken(bytes: bytes[start + 1..<position - 1], isQuoted: true, line: line, column: column)
    }
    scan: while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\n"), UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: ";"),
        UInt8(ascii: "("), UInt8(ascii: ")"):
        break scan
      // key="a value": the quotes inside a word stay, for whoever knows what it means.
      case UInt8(ascii: "\""): try quoted()
      case UInt8(ascii: "\\"): try escaped()
      default: repeat { position += 1 } while position < bytes.count && ZoneTokenizer.isPlain(bytes[position])
      }
    }
    return ZoneToken(bytes: bytes[start..<position], isQuoted: false, line: line, column: column)
  }

  /// Letters, digits and what names and addresses have between them: most of a file.
  @inline(__always) private static func isPlain(_ byte: UInt8) -> Bool {
    (byte | 0x20) &- UInt8(ascii: "a") < 26 || byte &- UInt8(ascii: "-") < 14
  }

  private mutating func quoted() throws(Failure) {
    let start = position
    position += 1
    while position < bytes.count, bytes[position] != UInt8(ascii: "\n") {
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return
      case UInt8(ascii: "\\"): try escaped()
      default: position += 1
      }
    }
    position = start
    throw fail("this quote is not closed on its line")
  }

  private mutating func escaped() throws(Failure) {
    guard position + 1 < bytes.count, bytes[position + 1] != UInt8(ascii: "\n") else {
      throw fail("a backslash at the end of a line")
    }
    position += 2
  }
}
