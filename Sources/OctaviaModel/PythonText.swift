// Error messages quote values as Python prints them.

extension JSON {
  /// What Python's str() of the value prints.
  package var pythonText: String { if case .string(let text) = self { text } else { pythonRepr } }

  private var pythonRepr: String {
    switch self {
    case .null: "None"
    case .bool(let flag): flag ? "True" : "False"
    case .int(let number): String(number)
    case .double(let number): String(number)
    case .string(let text): text.contains("'") && !text.contains("\"") ? "\"\(text)\"" : "'\(Self.escaped(text))'"
    case .array(let list): "[\(list.map(\.pythonRepr).joined(separator: ", "))]"
    case .object(let object):
      "{\(object.members.map { "\(JSON.string($0.key).pythonRepr): \($0.value.pythonRepr)" }.joined(separator: ", "))}"
    }
  }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for character in text {
      switch character {
      case "'": out += #"\'"#
      case "\\": out += #"\\"#
      case "\n": out += #"\n"#
      case "\r": out += #"\r"#
      case "\t": out += #"\t"#
      default: out.append(character)
      }
    }
    return out
  }
}
