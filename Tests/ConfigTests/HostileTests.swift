import Config
import Foundation
import Testing
import Wire

/// Files that were not written to be configurations: a diagnostic each, soon, and no crash.
@Suite struct HostileTests {
  private func first(_ bytes: [UInt8]) -> String? {
    do {
      _ = try Config.load(bytes, file: "f", baseDirectory: "/", secretFile: noFiles)
      return nil
    } catch {
      return error.diagnostics.first { $0.severity == .error }?.brief
    }
  }

  private func first(_ text: String) -> String? { first(Array(text.utf8)) }

  /// Nine anchors, each nine times the one before it.
  private func laughs(_ last: String) -> String {
    var text = "l0: &l0 [lol]\n"
    for level in 1...9 {
      text += "l\(level): &l\(level) [" + Array(repeating: "*l\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
    }
    return text + last
  }

  @Test func aBillionLaughsStopAtTheBound() {
    #expect(first(laughs("")) == "1:5 the file has more than 2000000 values once its aliases are expanded")
  }

  @Test(arguments: [
    ("*l9 : x", "11:1 an alias cannot be a key"),
    ("? *l9\n: x", "11:1 a key with `?` is not supported"),
    ("[*l9]: x", "11:5 a list or mapping with an alias cannot be a key"),
    ("k: {[*l9]: x}", "11:9 a list or mapping with an alias cannot be a key"),
    ("k: {*l9 : x}", "11:5 an alias cannot be a key"),
    ("k: {?[\n*l9\n] : x}", "11:5 a key with `?` is not supported"),
  ])
  func aKeyThatLaughsIsRefusedUnread(last: String, expected: String) { #expect(first(laughs(last)) == expected) }

  @Test func anAliasIsAWholeValue() throws {
    let text = """
      listeners:
        a: &l { bind: 127.0.0.1:1, protocol: tcp, pool: p }
      pools:
        p: &pool { backends: ["[::1]:1"], probe: &probe { http: { path: "/?a" }, every: 3s } }
        q: *pool
        r: { backends: ["127.0.0.1:1"], probe: *probe }
      """
    let topology = try Config.load(text, file: "f", baseDirectory: "/").topology
    #expect(topology.pools[0].backends == topology.pools[1].backends)
    #expect(topology.pools[2].probe == topology.pools[0].probe)
  }

  @Test(arguments: ["[", "{a: ", "- ", "? ", "[{a: ", "&a [", "! ", "a:\n "])
  func deepNestingIsRefused(opener: String) {
    #expect(first(String(repeating: opener, count: 100_000)) != nil)
    #expect(first(String(repeating: opener, count: 900)) != nil)
  }

  @Test func bytesThatAreNoTextHaveAPlace() {
    #expect(first(Array("a: 1\nbb: ".utf8) + [0xff, 0x20]) == "2:5 not UTF-8 text")
    #expect(first([0xc3]) == "1:1 not UTF-8 text")
    #expect(
      first(Array("a: \0".utf8))
        == "1:4 the character U+0000 is not allowed in YAML; write it as an escape in double quotes")
  }

  @Test func aByteOrderMarkIsNothing() throws {
    _ = try Config.load(
      [0xef, 0xbb, 0xbf] + Array(Snippet.root("workers: 1").text.utf8), file: "f", baseDirectory: "/")
  }

  @Test func anOversizedFileIsRefused() {
    #expect(
      first([UInt8](repeating: 0x20, count: 5 << 20)) == "1:1 the file has 5242880 bytes; at most 4194304 are read")
  }

  @Test func manyErrorsStayFew() {
    var text = "listeners: {}\npools: {}\n"
    for index in 0..<5_000 { text += "key\(index): 1\n" }
    let error = #expect(throws: ConfigError.self) { try Config.load(text, file: "f", baseDirectory: "/") }
    #expect((error?.diagnostics.count ?? 0) <= 201)
  }

  @Test func mutationsOfAWholeFileNeverCrash() throws {
    let reference = try Array(Data(contentsOf: referenceFile))
    var random = Random(seed: 7)
    for _ in 0..<400 {
      var bytes = reference
      for _ in 0...random.below(6) {
        let at = Int(random.below(UInt32(bytes.count)))
        switch random.below(4) {
        case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(Array("{}[]:,&*?!\"'-# \n\t%@|>".utf8)[Int(random.below(21))], at: at)
        default: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.below(200))))
        }
        if bytes.isEmpty { break }
      }
      _ = first(bytes)
    }
  }
}
