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

  @Test(arguments: [
    "admin: { socket: /s, nothing: 1, token: hunter2hunter2hunter2 }",
    "admin: { token: \"hunter2hunter2, hunter2\", nothing: 1 }",
    "admin: { tokne: hunter2hunter2hunter2 }",
    "admin:\n  read_token: hunter2hunter2hunter2",
    "admin:\n  token: hunter2",
    "admin:\n  token:\n    hunter2",
    "admin:\n  token: |\n    hunter2 hunter2 hunter2",
    "secret: 'hunter2'",
    "secret: [hunter2]",
    "peers: { key: /hunter2, bnd: x }",
    "vips: { v: { interface: eth0, addresses: 192.0.2.1, router-id: 5, version: 2, password: hunter2hunter2 } }",
    "bgp: { as: 65000, router-id: 192.0.2.1, speakers: { t: { address: 192.0.2.2, as: 65001, password: hunter2, no: 1 } } }",
  ])
  func noSecretIsInAMessage(source: String) throws {
    let error = #expect(throws: ConfigError.self) { try Config.load(source, file: "a", baseDirectory: "/") }
    let text = try #require(error).diagnostics.map { $0.text(source: source) }.joined()
    #expect(!text.contains("hunter2"), "\(text)")
  }

  @Test func aMaskedLineKeepsItsColumns() throws {
    let source = "admin: { token: hunter2hunter2hunter2, nothing: 1 }"
    let error = #expect(throws: ConfigError.self) { try Config.load(source, file: "a", baseDirectory: "/") }
    let wrong = try #require(error?.diagnostics.first { $0.severity == .error })
    let lines = wrong.text(source: source).split(separator: "\n")
    #expect(lines[1] == "  admin: { token: *********************, nothing: 1 }")
    #expect(lines[2].count - 1 == 2 + 39)
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

  @Test func aPoolIsNotCalledUnusedWhereWhatLeadsToItMayBeWrong() {
    let error = #expect(throws: ConfigError.self) {
      try Config.load(Snippet.root("wrokers: 1").text, file: "f", baseDirectory: "/")
    }
    #expect(error?.diagnostics.map(\.brief) == ["1:1 unknown key `wrokers`; did you mean `workers`?"])
  }
}
