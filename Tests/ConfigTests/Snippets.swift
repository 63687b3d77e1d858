import Config

/// Small whole files around the part that a test is about; the part's line is the same for all of a kind.
enum Snippet {
  /// The text is the file.
  case file(String)
  /// In front of a valid file: line 1.
  case root(String)
  /// In the http listener, from line 3.
  case http(String)
  case tcp(String)
  case udp(String)
  /// The only route of the http listener, from line 6, column 9.
  case route(String)
  case match(String)
  /// In a used pool with one backend, from line 7.
  case pool(String)
  /// A list item of the pool's backends: line 8, column 9.
  case backend(String)

  var text: String {
    func indented(_ text: String, _ count: Int) -> String {
      text.split(separator: "\n", omittingEmptySubsequences: false).joined(
        separator: "\n" + String(repeating: " ", count: count))
    }
    let pools = "\npools:\n  web: { backends: [127.0.0.1:9001] }\n  api: { backends: [127.0.0.1:9002] }\n"
    func listener(_ proto: String, _ part: String) -> String {
      "listeners:\n  it:\n    \(indented(part, 4))\n    bind: 127.0.0.1:8080\n    protocol: \(proto)\n" + pools
    }
    let front = "listeners:\n  it: { bind: 127.0.0.1:8080, protocol: http, pool: it }\npools:\n"
    switch self {
    case .file(let text): return text
    case .root(let part):
      return part + "\nlisteners:\n  it: { bind: 127.0.0.1:8080, protocol: http, pool: web }" + pools
    case .http(let part): return listener("http", part)
    case .tcp(let part): return listener("tcp", part)
    case .udp(let part): return listener("udp", part)
    case .route(let part):
      return
        "listeners:\n  it:\n    bind: 127.0.0.1:8080\n    protocol: http\n    routes:\n      - \(indented(part, 8))"
        + pools
    case .match(let part): return Snippet.route("match: \(part)\npool: web").text
    case .pool(let part): return front + "  it:\n    backends:\n      - 127.0.0.1:9001\n    \(indented(part, 4))\n"
    case .backend(let part):
      return front + "  it:\n    backends:\n      - 127.0.0.1:9001\n      - \(indented(part, 8))\n"
    }
  }

  /// "line:column message" of every diagnostic, errors and warnings, unused pools left out.
  var diagnostics: [String] { Snippet.diagnose(text) }

  static func diagnose(_ text: String) -> [String] {
    var found: [Diagnostic] = []
    do {
      found = try Config.load(Array(text.utf8), file: "f.yaml", baseDirectory: "/nowhere", secretFile: noFiles).warnings
    } catch {
      found = error.diagnostics
    }
    return found.filter { !$0.message.hasPrefix("no route leads to") }.map(\.brief)
  }
}

func noFiles(_ path: String) throws(SecretFileError) -> String { throw SecretFileError("no files in tests") }

/// "line:column message" of every error; empty where the file is right.
func faults(_ text: String, in directory: String = "/nowhere", checks: MaterialChecks = .none) -> [String] {
  do {
    _ = try Config.load(text, file: "t.yaml", baseDirectory: directory, checks: checks)
    return []
  } catch {
    return error.diagnostics.filter { $0.severity == .error }.map(\.brief)
  }
}
