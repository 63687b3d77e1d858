import DNS
import Testing

@Suite struct NameTests {
  @Test(arguments: [
    (".", "."), ("a.", "a."), ("A.b", "A.b."), ("a\\.b.c", "a\\.b.c."), ("\\097.b", "a.b."), ("\\000.b", "\\000.b."),
    ("sp\\ ace.", "sp\\032ace."), ("\\@.x", "\\@.x."), ("*.x", "*.x."), ("a\\\\b.", "a\\\\b."), ("\\255.", "\\255."),
  ])
  func readsAndPrints(_ text: String, _ printed: String) throws {
    let name = try #require(Name(text))
    #expect(name.description == printed)
    #expect(Name(printed)?.wire == name.wire)
    #expect(Name(wire: name.wire)?.wire == name.wire)
  }

  @Test(arguments: [
    ("", NameTextError.empty), ("a..b", .emptyLabel), (".a", .emptyLabel), ("a\\", .badEscape), ("a\\25", .badEscape),
    ("a\\256", .badEscape), (String(repeating: "a", count: 64) + ".", .labelTooLong),
    (String(repeating: "a.", count: 128), .nameTooLong),
  ])
  func refuses(_ text: String, _ error: NameTextError) {
    #expect(throws: error) { try Name(text: ArraySlice(text.utf8), origin: .root) }
  }

  @Test func isRelativeOnlyWithAnOrigin() throws {
    #expect(throws: NameTextError.relative) { try Name(text: ArraySlice("a".utf8), origin: nil) }
    #expect(throws: NameTextError.nameTooLong) {
      try Name(text: ArraySlice("abc".utf8), origin: Name(String(repeating: "a.", count: 126)))
    }
    #expect(try Name(text: ArraySlice("@".utf8), origin: Name("x.y")) == Name("x.y"))
  }

  @Test func holdsExactly255Bytes() throws {
    let longest = try #require(Name(String(repeating: "a.", count: 127)))
    #expect(longest.wire.count == 255)
    #expect(longest.labelCount == 127)
    #expect(Name("b")?.appending(longest) == nil)
  }

  @Test func comparesWithoutCaseAndKeepsIt() throws {
    let (left, right) = try (named("WwW.Example"), named("www.eXAMPLE"))
    #expect(left == right)
    #expect(left.hashValue == right.hashValue)
    #expect(left.description == "WwW.Example.")
    // Only ASCII letters have case: "[" and "{" differ by the same bit.
    #expect(Name("[")! != Name("{")!)
  }

  @Test func sortsCanonically() {
    // RFC 4034 §6.1
    let sorted = [
      "example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE", "z.example", "\\001.z.example",
      "*.z.example", "\\200.z.example",
    ].compactMap { Name($0) }
    #expect(sorted.shuffled().sorted() == sorted)
  }

  @Test func knowsItsAncestors() throws {
    let name = named("a.b.c")
    for above in ["a.b.c", "B.C", "c", "."] { #expect(name.isWithin(named(above))) }
    for other in ["x.a.b.c", "b", "xb.c", "d"] { #expect(!name.isWithin(named(other))) }
    #expect(name.parent == Name("b.c"))
    #expect(Name.root.parent == nil)
  }

  @Test(
    arguments: [[1], [1, 97], [64] + [UInt8](repeating: 97, count: 64) + [0], [0xc0, 12], [0, 0], []] as [[UInt8]])
  func isNotMadeFromOtherBytes(_ wire: [UInt8]) { #expect(Name(wire: wire) == nil) }
}
