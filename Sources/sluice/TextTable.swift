/// Rows of text in columns as wide as their widest cell.
struct TextTable {
  enum Alignment { case left, right }

  struct Cell: ExpressibleByStringInterpolation {
    var text: String
    var colour: Colour?

    init(_ text: String, _ colour: Colour? = nil) {
      // What a peer or a file says must not move the cursor.
      self.text = text.printable
      self.colour = colour
    }

    init(stringLiteral text: String) { self.init(text) }
  }

  enum Colour: Int { case red = 31, green = 32, yellow = 33, grey = 90 }

  let columns: [(title: String, alignment: Alignment)]
  private var rows: [[Cell]] = []

  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  var isEmpty: Bool { rows.isEmpty }

  mutating func add(_ cells: [Cell]) { rows.append(cells) }

  /// Lines without trailing spaces, each ended by a newline.
  func render(colours: Bool) -> String {
    let widths = columns.indices.map { column in
      ([columns[column].title] + rows.compactMap { $0.indices.contains(column) ? $0[column].text : nil }).map(\.count)
        .max() ?? 0
    }
    let titles = columns.map { Cell($0.title, .grey) }
    return ([titles] + rows).map { line($0, widths, colours) }.joined()
  }

  private func line(_ cells: [Cell], _ widths: [Int], _ colours: Bool) -> String {
    var result = ""
    for (column, cell) in cells.prefix(columns.count).enumerated() {
      if column > 0 { result += "  " }
      let pad = String(repeating: " ", count: widths[column] - cell.text.count)
      let isLast = column == cells.count - 1
      let text = colours ? cell.colour.map { "\u{1b}[\($0.rawValue)m\(cell.text)\u{1b}[0m" } ?? cell.text : cell.text
      result += columns[column].alignment == .right ? pad + text : isLast ? text : text + pad
    }
    while result.last == " " { result.removeLast() }
    return result + "\n"
  }
}

extension String {
  /// Without characters that control a terminal.
  var printable: String {
    String(
      String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) ? " " : $0 }))
  }

  func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
