/// Secrets of a file, which are in no message: messages go to logs, and lines of the file are in messages.
enum SecretMask {
  private static let names = ["token", "read-token", "secret", "key", "previous-key", "password"]

  /// Whether a value that is no list and no mapping, and wrong, is not to be told. (A `key` that is read so is a path.)
  static func hides(_ key: String) -> Bool { key != "key" && names.contains(key) }

  /// Whether a key, or what was probably meant by it, has a secret.
  private static func covers(_ key: String) -> Bool {
    let typed = Array(key.lowercased().replacing("_", with: "-").utf8)
    return names.contains { Nearest.edits(typed, Array($0.utf8)) <= 1 }
  }

  /// A line of YAML with asterisks for what may be a secret: as many, so that columns stay.
  ///
  /// - Parameter before: the line before it, which may have the key.
  static func masked(_ line: [Unicode.Scalar], after before: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result = line
    if let key = keys(before).last, covers(key.name), isContinued(before[key.end...]), keys(line).isEmpty {
      for index in line.indices where !line[index].properties.isWhitespace { result[index] = "*" }
      return result
    }
    for key in keys(line) where covers(key.name) {
      for index in value(line, from: key.end, isPath: key.name == "key") { result[index] = "*" }
    }
    return result
  }

  /// Words before a colon, with the index after it.
  private static func keys(_ line: [Unicode.Scalar]) -> [(name: String, end: Int)] {
    var found: [(name: String, end: Int)] = []
    for index in line.indices where line[index] == ":" && (index + 1 == line.count || line[index + 1] == " ") {
      let end = line[..<index].last == "\"" || line[..<index].last == "'" ? index - 1 : index
      let start = line[..<end].lastIndex { !isLetter($0) }.map { $0 + 1 } ?? 0
      guard start < end else { continue }
      var name = String.UnicodeScalarView()
      name.append(contentsOf: line[start..<end])
      found.append((String(name), index + 1))
    }
    return found
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || scalar == "-" || scalar == "_"
  }

  /// Nothing, or the sign of a block, stands after the colon.
  private static func isContinued(_ rest: some Sequence<Unicode.Scalar>) -> Bool {
    rest.allSatisfy { [" ", "|", ">", "-", "+", "\r"].contains($0) }
  }

  /// The indices of a scalar: to its closing quote, else to where a flow mapping goes on, or the line's end.
  private static func value(_ line: [Unicode.Scalar], from: Int, isPath: Bool) -> Range<Int> {
    guard let start = line[from...].firstIndex(where: { $0 != " " }), line[start] != "{" else {
      return from..<from
    }
    let quote: Unicode.Scalar? = line[start] == "\"" || line[start] == "'" ? line[start] : nil
    let isFlow = line[..<from].contains("{")
    let end =
      if let quote {
        line[(start + 1)...].firstIndex(of: quote) ?? line.count
      } else {
        line[start...].firstIndex { isFlow && line[start] != "[" && ($0 == "," || $0 == "}") } ?? line.count
      }
    // The private key of a certificate is in a file.
    if isPath, line[start + (quote == nil ? 0 : 1)] == "/", line[start..<end].contains(".") { return from..<from }
    return (quote == nil ? start : start + 1)..<end
  }
}
