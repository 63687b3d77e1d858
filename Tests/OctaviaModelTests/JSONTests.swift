import OctaviaModel
import Testing

@Suite struct JSONTests {
  @Test func writesAsPythonDoes() throws {
    let text = #"{"a": 1, "b": [true, null, 1.1], "c": {"\u00e9\ud83d\ude00": "x\ny"}}"#
    #expect(try JSON(parsing: text).text == text)
  }

  @Test(arguments: ["", "{", "[1,]", "01", "1.", "\"\\x\"", "\"\u{1}\"", "nul", "{\"a\" 1}", "[1] 2", "\"\\ud800\""])
  func refuses(_ text: String) {
    #expect(throws: JSONError.self) { try JSON(parsing: text) }
  }

  @Test func refusesDepth() {
    #expect(throws: JSONError.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
  }

  @Test func writesTimes() {
    #expect(Timestamp(microseconds: 1_795_429_052_406_631).text == "2026-11-23T10:17:32.406631")
    #expect(Timestamp(microseconds: 951_782_400_000_000).text == "2000-02-29T00:00:00.000000")
    #expect(Timestamp(microseconds: -1).text == "1969-12-31T23:59:59.999999")
  }
}
