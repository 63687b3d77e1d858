/// A file's tree, with the place of everything.
struct Node {
  enum Content {
    case scalar(Scalar)
    case list([Node])
    case map([Entry])
  }

  struct Entry {
    let key: String
    let keyPlace: Place
    let value: Node
  }

  let place: Place
  let content: Content

  var scalar: Scalar? {
    guard case .scalar(let scalar) = content else { return nil }
    return scalar
  }

  /// How diagnostics call what was found.
  var found: String {
    switch content {
    case .scalar(let scalar): scalar.found
    case .list: "a list"
    case .map: "a mapping"
    }
  }

  /// The items of a list; of anything else, itself.
  var oneOrMany: [Node] {
    guard case .list(let nodes) = content else { return [self] }
    return nodes
  }
}

struct Scalar {
  let text: String
  let isQuoted: Bool

  var isNothing: Bool { !isQuoted && (text.isEmpty || text == "~" || text == "null") }

  var found: String {
    if isNothing { return "nothing" }
    return isQuoted ? "the text \"\(text.shortened)\"" : "`\(text.shortened)`"
  }
}

extension String {
  /// At most 60 characters, on one line: for messages.
  var shortened: String {
    let line = String(prefix(61).map { $0.isNewline ? " " : $0 })
    return line.count > 60 ? line.prefix(57) + "…" : line
  }
}
