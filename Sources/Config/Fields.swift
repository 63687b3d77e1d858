/// A mapping of a known section: gives its values by key and reports what it does not know.
struct Fields {
  let section: Section
  /// Where the mapping begins.
  let place: Place
  let reader: Reader
  private var entries: [String: Node.Entry] = [:]
  /// Keys that an unknown one was probably meant to be.
  private var meant: Set<String> = []

  /// nil, with an error, when the node is no mapping.
  init?(_ node: Node, _ section: Section, _ reader: Reader, label: String) {
    guard case .map(let given) = node.content else {
      let keys = section.keys.map { "`\($0)`" }.joined(separator: ", ")
      let subject = section.name == Section.root.name ? label : "`\(label)`"
      reader.error(node.place, "\(subject): expected a mapping with \(keys), found \(node.found)")
      return nil
    }
    self.section = section
    self.reader = reader
    place = node.place
    for entry in given {
      if section.keys.contains(entry.key) {
        entries[entry.key] = entry
      } else {
        let meant = Fields.nearest(entry.key, section)
        reader.error(entry.keyPlace, Fields.unknown(entry.key, section, meant))
        if let meant { self.meant.insert(meant) }
      }
    }
  }

  private static func nearest(_ key: String, _ section: Section) -> String? {
    let dashed = key.replacing("_", with: "-")
    return section.keys.contains(dashed) ? dashed : Nearest.word(to: dashed, among: section.keys)
  }

  private static func unknown(_ key: String, _ section: Section, _ meant: String?) -> String {
    let typed = key.shortened
    let place = section.name == Section.root.name ? "" : " in \(section.name)"
    if let meant { return "unknown key `\(typed)`\(place); did you mean `\(meant)`?" }
    let keys = section.keys.map { "`\($0)`" }.joined(separator: ", ")
    return "unknown key `\(typed)`\(place); expected \(keys)"
  }

  func has(_ key: String) -> Bool { self[key] != nil }

  /// Not given, and not misspelled either: worth an error of its own.
  func lacks(_ key: String) -> Bool { !has(key) && !meant.contains(key) }

  func isEmpty(_ key: String) -> Bool {
    if case .map(let entries) = self[key]?.content { entries.isEmpty } else { false }
  }

  subscript(key: String) -> Node? {
    assert(section.keys.contains(key), "\(section.name) does not list \(key)")
    return entries[key]?.value
  }

  func keyPlace(_ key: String) -> Place { entries[key]?.keyPlace ?? place }

  func error(at key: String, _ message: String, notes: [Diagnostic.Note] = []) {
    reader.error(entries[key]?.value.place ?? place, message, notes: notes)
  }

  // MARK: Scalars

  func value<Value>(_ key: String, _ kind: Kind<Value>) -> Value? {
    self[key].flatMap { reader.scalar($0, kind, label: key) }
  }

  func read<Value>(_ key: String, _ kind: Kind<Value>, into target: inout Value) {
    if let value = value(key, kind) { target = value }
  }

  func read<Value>(_ key: String, _ kind: Kind<Value>, into target: inout Value?) {
    if let value = value(key, kind) { target = value }
  }

  /// A list of scalars, or one alone; nil without the key.
  func list<Value>(_ key: String, _ kind: Kind<Value>) -> [Value]? {
    self[key]?.oneOrMany.compactMap { reader.scalar($0, kind, label: key) }
  }

  // MARK: Mappings

  /// The mapping under a key, read by `body`.
  func with(_ key: String, _ section: Section, _ body: (Fields) -> Void) {
    guard let node = self[key], let fields = Fields(node, section, reader, label: key) else { return }
    body(fields)
  }

  /// The entries of a mapping whose keys are names.
  func names(_ key: String) -> [Node.Entry] {
    guard let node = self[key] else { return [] }
    guard case .map(let entries) = node.content else {
      reader.error(node.place, "`\(key)`: expected a mapping of names, found \(node.found)")
      return []
    }
    return entries
  }

  /// The one key given of several that exclude each other; nil, with an error, when there are several or none.
  func exactlyOne(of keys: [String], label: String) -> String? {
    let given = keys.filter(has).sorted { keyPlace($0) < keyPlace($1) }
    if given.count == 1 { return given[0] }
    let list = keys.map { "`\($0)`" }.joined(separator: ", ")
    if given.count > 1 {
      reader.error(
        keyPlace(given[1]), "`\(label)`: expected only one of \(list); `\(given[0])` is given too",
        notes: [.init(place: keyPlace(given[0]), message: "`\(given[0])` is here")])
    } else if keys.allSatisfy(lacks) {
      reader.error(place, "`\(label)`: expected one of \(list)")
    }
    return nil
  }
}

extension Reader {
  func scalar<Value>(_ node: Node, _ kind: Kind<Value>, label: String) -> Value? {
    guard let scalar = node.scalar else {
      error(node.place, "`\(label)`: expected \(kind.expected), found \(node.found)")
      return nil
    }
    switch kind.parse(scalar) {
    case .value(let value): return value
    case .wrong(let hint):
      let found = SecretMask.hides(label) ? "something else" : scalar.found
      error(node.place, "`\(label)`: expected \(kind.expected), found \(found)" + (hint.map { "; \($0)" } ?? ""))
      return nil
    }
  }
}
