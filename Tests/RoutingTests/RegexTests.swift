import Routing
import Testing

@Suite struct RegexTests {
  private func first(_ pattern: String, _ subject: [UInt8]) throws -> Range<Int>? {
    var scratch = RegexScratch()
    return try Regex(pattern).firstMatch(in: subject.span, scratch: &scratch)
  }

  @Test func aMatchIsARangeOfBytes() throws {
    #expect(try first("b+", Array("abbbc".utf8)) == 1..<4)
    #expect(try first("^c", Array("abc".utf8)) == nil)
    #expect(try first("(a)(b)(c)", Array("xabc".utf8)) == 1..<4)
    #expect(try first("", []) == 0..<0)
    #expect(try first("^$", []) == 0..<0)
    #expect(try first("a", []) == nil)
  }

  @Test func bytesThatAreNoTextMatchADot() throws {
    #expect(try first("^a.b$", [0x61, 0xff, 0x62]) == 0..<3)
    #expect(try first("\\x00", [1, 0]) == 1..<2)
  }

  @Test(arguments: [
    ("(", 1, "missing closing parenthesis"),
    ("[z-a]", 3, "range out of order in character class"),
    ("(*UTF)a", 6, "using UTF is disabled by the application"),
    ("*", 0, "quantifier does not follow a repeatable item"),
  ])
  func anErrorHasThePlaceAndTheReason(pattern: String, offset: Int, message: String) {
    let error = #expect(throws: RegexError.self) { try Regex(pattern) }
    #expect(error == RegexError(offset: offset, message: message))
  }

  @Test func backtrackingIsBounded() throws {
    let regex = try Regex("(a+)+$")
    var scratch = RegexScratch()
    let hostile = [UInt8](repeating: 0x61, count: 5_000) + [0x21]
    #expect(!regex.matches(hostile.span, scratch: &scratch))
    var exhausted = scratch.exhausted
    #expect(exhausted)
    scratch.exhausted = false
    #expect(regex.matches(Array("aaa".utf8).span, scratch: &scratch))
    exhausted = scratch.exhausted
    #expect(!exhausted)
  }

  @Test func deepRecursionIsGivenUpNotACrash() throws {
    let regex = try Regex("^(\\((?1)*\\))$")
    var scratch = RegexScratch()
    let deep = [UInt8](repeating: UInt8(ascii: "("), count: 200_000)
    #expect(!regex.matches(deep.span, scratch: &scratch))
  }

  @Test func oneRegexServesManyThreads() async throws {
    let regex = try Regex("[0-9]+")
    let found = await withTaskGroup(of: Bool.self) { group in
      for number in 0..<8 {
        group.addTask {
          var scratch = RegexScratch()
          let text = Array("abc\(number)".utf8)
          return (0..<1_000).allSatisfy { _ in regex.firstMatch(in: text.span, scratch: &scratch) == 3..<4 }
        }
      }
      return await group.reduce(true) { $0 && $1 }
    }
    #expect(found)
  }
}
