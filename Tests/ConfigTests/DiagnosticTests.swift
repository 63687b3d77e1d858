import Config
import Testing

struct Case: Sendable, CustomTestStringConvertible {
  let snippet: Snippet
  let expected: [String]

  init(_ snippet: Snippet, _ expected: [String]) {
    self.snippet = snippet
    self.expected = expected
  }

  var testDescription: String { expected.first ?? "nothing" }
}

@Suite struct DiagnosticTests {
  @Test(arguments: badFiles) func aBadFileIsNamed(_ bad: Case) { #expect(bad.snippet.diagnostics == bad.expected) }
  @Test(arguments: badListeners) func aBadListenerIsNamed(_ bad: Case) {
    #expect(bad.snippet.diagnostics == bad.expected)
  }
  @Test(arguments: badVIPs) func aBadVIPIsNamed(_ bad: Case) { #expect(bad.snippet.diagnostics == bad.expected) }
  @Test(arguments: badPools) func aBadPoolIsNamed(_ bad: Case) { #expect(bad.snippet.diagnostics == bad.expected) }

  @Test func aTerminalSeesTheLineAndACaret() throws {
    let source = "workers: 2\nworkers: 3\n"
    let error = #expect(throws: ConfigError.self) { try Config.load(source, file: "a.yaml", baseDirectory: "/") }
    #expect(
      error?.diagnostics.map { $0.text(source: source) } == [
        """
        a.yaml:2:1: error: the key `workers` is given twice
          workers: 3
          ^
        a.yaml:1:1: note: first given here
          workers: 2
          ^

        """
      ])
  }

  @Test func aLongLineIsCutAroundTheCaretAndItsControlsAreSpaces() throws {
    let source =
      "listeners: { a: { bind: 127.0.0.1:1,\tprotocol: tcp, pool: " + String(repeating: "p", count: 300)
      + " } }\npools: {}"
    let error = #expect(throws: ConfigError.self) { try Config.load(source, file: "a", baseDirectory: "/") }
    let text = try #require(error?.diagnostics.first).text(source: source)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[1].count <= 102 && !lines[1].contains("\t"))
    #expect(lines[1].dropFirst(lines[2].count - 1).hasPrefix("ppp"))
  }

  @Test func allErrorsOfAFileAreCollectedInItsOrder() {
    let found = Snippet.file(
      "workers: x\nlisteners:\n  a: { bind: y, protocol: tcp, pool: nope }\npools:\n  p: { backends: [z], probe: q }\n"
    ).diagnostics
    #expect(found.map { $0.prefix { $0 != " " } } == ["1:10", "3:14", "3:38", "5:19", "5:30"])
  }

  @Test func anUnusedPoolIsAWarningAndTheFileLoads() throws {
    let loaded = try Config.load(Snippet.root("workers: 1").text, file: "f", baseDirectory: "/")
    #expect(loaded.warnings.map(\.brief) == ["6:3 no route leads to the pool `api`"])
    #expect(loaded.warnings.first?.severity == .warning)
  }
}
