import Yams

/// Bytes to a `Node` tree: YAML's syntax, and the bounds that keep a hostile file small.
struct Document {
  /// Beyond what the schema needs.
  static let maxDepth = 32
  /// Nodes after the expansion of aliases.
  static let maxNodes = 2_000_000

  private let reader: Reader
  private var nodes = 0
  private var failed = false

  /// nil after at least one error.
  static func read(_ bytes: [UInt8], _ reader: Reader) -> Node? {
    if let problem = Prescan.problem(bytes) {
      reader.error(problem.place, problem.message)
      return nil
    }
    // A byte order mark is allowed in front, and counts as nothing.
    let text = String(
      decoding: bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...], as: UTF8.self)
    do {
      // The resolver without rules leaves every scalar as its text: types are the schema's.
      guard let root = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
        reader.error(Place(1, 1), "the file is empty; begin with `listeners` and `pools`")
        return nil
      }
      var document = Document(reader: reader)
      let node = document.convert(root, depth: 0)
      return document.failed ? nil : node
    } catch let error as YamlError {
      report(error, text, reader)
    } catch {
      reader.error(Place(1, 1), "not YAML: \(error)")
    }
    return nil
  }

  private init(reader: Reader) { self.reader = reader }

  private mutating func fail(_ place: Place, _ message: String) -> Node? {
    if !failed { reader.error(place, message) }
    failed = true
    return nil
  }

  private mutating func convert(_ node: Yams.Node, depth: Int) -> Node? {
    guard !failed else { return nil }
    let place = node.mark.map { Place($0.line, $0.column) } ?? Place(1, 1)
    nodes += 1
    guard nodes <= Document.maxNodes else {
      return fail(place, "the file has more than \(Document.maxNodes) values once its aliases are expanded")
    }
    guard depth <= Document.maxDepth else { return fail(place, "nested deeper than \(Document.maxDepth) levels") }
    let tag = node.tag.description
    guard Document.plainTags.contains(tag) else { return fail(place, "the tag `\(tag.shortened)` is not supported") }
    switch node {
    case .scalar(let scalar):
      return Node(place: place, content: .scalar(Scalar(text: scalar.string, isQuoted: scalar.style != .plain)))
    case .sequence(let sequence):
      var items: [Node] = []
      for item in sequence {
        guard let item = convert(item, depth: depth + 1) else { return nil }
        items.append(item)
      }
      return Node(place: place, content: .list(items))
    case .mapping(let mapping):
      var entries: [Node.Entry] = []
      for (key, value) in mapping {
        guard let key = convert(key, depth: depth + 1) else { return nil }
        guard let scalar = key.scalar else { return fail(key.place, "expected a key, found \(key.found)") }
        if scalar.text == "<<", !scalar.isQuoted {
          return fail(key.place, "merge keys (`<<`) are not supported; an alias as a whole value is")
        }
        guard let value = convert(value, depth: depth + 1) else { return nil }
        entries.append(Node.Entry(key: scalar.text, keyPlace: key.place, value: value))
      }
      return Node(place: place, content: .map(entries))
    case .alias:
      return fail(place, "unexpected alias")
    }
  }

  private static let plainTags: Set<String> = [
    "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", "",
  ]
}

extension Document {
  private static func report(_ error: YamlError, _ text: String, _ reader: Reader) {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let during = context.map { " (\($0.text.trimmingPrefix("while ")))" } ?? ""
      var notes: [Diagnostic.Note] = []
      if let context, context.mark.line != mark.line {
        notes.append(.init(place: Place(context.mark.line, context.mark.column), message: "it began here"))
      }
      let place = Place(mark.line, mark.column)
      if problem.hasPrefix("Maximum nesting level") {
        reader.error(place, "nested deeper than \(maxDepth) levels")
      } else if isTab(place, text) {
        reader.error(place, "not YAML: a tab cannot stand here; indent by spaces", notes: notes)
      } else {
        reader.error(place, "not YAML: \(problem)\(during)", notes: notes)
      }
    case .duplicatedKeysInMapping(let keys, let context):
      let first = Place(context.mark.line, context.mark.column)
      let key = keys.first ?? ""
      if let second = repeated(key, after: first, text) {
        reader.error(
          second, "the key `\(key.shortened)` is given twice", notes: [.init(place: first, message: "first given here")]
        )
      } else {
        reader.error(first, "the key `\(key.shortened)` is given twice")
      }
    case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
      reader.error(Place(1, 1), "not YAML: \(problem)")
    case .no, .memory, .dataCouldNotBeDecoded:
      reader.error(Place(1, 1), "not YAML: \(error)")
    }
  }

  private static func isTab(_ place: Place, _ text: String) -> Bool {
    let lines = text.unicodeScalars.split(omittingEmptySubsequences: false) { $0 == "\n" }
    return place.line <= lines.count && lines[place.line - 1].dropFirst(place.column - 1).first == "\t"
  }

  /// Where a key stands again: the library tells only its first place. At the same column on a
  /// later line, or within the rest of a flow mapping.
  private static func repeated(_ key: String, after first: Place, _ text: String) -> Place? {
    let lines = text.unicodeScalars.split(omittingEmptySubsequences: false) { $0 == "\n" }
    guard first.line <= lines.count else { return nil }
    let spelled = [key, "\"\(key)\"", "'\(key)'"].map { Array($0.unicodeScalars) }
    func keyed(_ line: Substring.UnicodeScalarView, _ column: Int) -> Bool {
      let rest = line.dropFirst(column - 1)
      return spelled.contains { rest.starts(with: $0) && rest.dropFirst($0.count).drop { $0 == " " }.first == ":" }
    }
    for number in first.line..<max(first.line, lines.count) {
      let line = Substring.UnicodeScalarView(lines[number])
      guard let indent = line.firstIndex(where: { $0 != " " }), line[indent] != "#" else { continue }
      let column = line.distance(from: line.startIndex, to: indent) + 1
      if column < first.column { break }
      if column == first.column, keyed(line, column) { return Place(number + 1, column) }
    }
    for number in (first.line - 1)..<min(lines.count, first.line + 50) {
      let line = Substring.UnicodeScalarView(lines[number])
      var previous: Unicode.Scalar = " "
      for (offset, scalar) in line.prefix(4096).enumerated() {
        defer { previous = scalar }
        let behind = number > first.line - 1 || offset + 1 > first.column
        if behind, previous == " " || previous == "," || previous == "{", keyed(line, offset + 1) {
          return Place(number + 1, offset + 1)
        }
      }
    }
    return nil
  }
}
