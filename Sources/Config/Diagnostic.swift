/// A position in a file: both count from 1, columns in Unicode scalars.
package struct Place: Hashable, Comparable, Sendable {
  package let line: Int
  package let column: Int

  package init(_ line: Int, _ column: Int) {
    self.line = line
    self.column = column
  }

  package static func < (left: Place, right: Place) -> Bool {
    left.line != right.line ? left.line < right.line : left.column < right.column
  }
}

/// What is wrong in a file, where, and what was expected.
package struct Diagnostic: Hashable, Sendable {
  package enum Severity: String, Hashable, Sendable { case error, warning }

  /// A further place that explains the first.
  package struct Note: Hashable, Sendable {
    package let place: Place
    package let message: String
  }

  package let file: String
  package let place: Place
  package let severity: Severity
  package let message: String
  package var notes: [Note] = []
  /// In a file that the configuration names, of which no line is shown.
  package var isElsewhere = false

  /// "line:column message", the form that tests compare.
  package var brief: String { "\(place.line):\(place.column) \(message)" }

  /// For a terminal: `file:line:column: error: message`, the line, and a caret under the place.
  package func text(source: some StringProtocol) -> String {
    let lines = source.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    var result = "\(file):\(place.line):\(place.column): \(severity.rawValue): \(message)\n"
    if isElsewhere { return result }
    result += excerpt(place, lines)
    for note in notes {
      result += "\(file):\(note.place.line):\(note.place.column): note: \(note.message)\n" + excerpt(note.place, lines)
    }
    return result
  }

  /// At most 100 characters of the line around the place.
  private func excerpt<Line: StringProtocol>(_ place: Place, _ lines: [Line]) -> String {
    guard (1...max(1, lines.count)).contains(place.line), place.line <= lines.count else { return "" }
    // A file may hold what would move a terminal's cursor.
    let before = place.line > 1 ? Array(lines[place.line - 2].unicodeScalars) : []
    let scalars = SecretMask.masked(Array(lines[place.line - 1].unicodeScalars), after: before).map {
      $0.value < 0x20 || (0x7f...0x9f).contains($0.value) ? " " : $0
    }
    let column = min(max(place.column, 1), scalars.count + 1)
    let start = max(0, column - 60)
    let window = scalars.dropFirst(start).prefix(100)
    var line = String.UnicodeScalarView()
    line.append(contentsOf: window)
    return "  \(String(line))\n  \(String(repeating: " ", count: column - 1 - start))^\n"
  }
}
