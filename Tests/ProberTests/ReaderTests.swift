import Health
import Prober
import Routing
import Testing

@Suite struct AgentReaderTests {
  private func read(_ text: String, pieces: Int) -> [UInt8]? {
    var reader = AgentReader()
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      if let line = reader.take(bytes.span.extracting(start..<min(bytes.count, start + pieces))) { return line }
    }
    return reader.end()
  }

  @Test(arguments: [
    ("up 75%\n", "up 75%"), ("drain\r\nup\n", "drain\r"), ("75%", "75%"), ("\n", ""),
    ("ready up # fine\nrest", "ready up # fine"),
  ])
  func aLineEndsWithLFOrTheConnection(text: String, line: String) {
    for pieces in 1...8 { #expect(read(text, pieces: pieces) == Array(line.utf8)) }
  }

  @Test func silenceIsNoLine() { #expect(read("", pieces: 1) == nil) }

  @Test func aLineEndsAfterOneKibibyte() {
    for pieces in [1, 100, 5000] {
      #expect(read(String(repeating: "x", count: 3000), pieces: pieces)?.count == AgentReader.limit)
    }
  }
}

@Suite struct ReplySearchTests {
  private func search(_ pattern: String, _ text: String, pieces: Int) throws -> ProbeOutcome {
    var tools = CheckTools()
    var search = ReplySearch(try Regex(pattern))
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: pieces) {
      let piece = bytes.span.extracting(start..<min(bytes.count, start + pieces))
      if let outcome = search.take(piece, &tools) { return outcome }
    }
    return search.end(&tools)
  }

  @Test(arguments: [1, 3, 100]) func aPatternIsFoundAcrossPieces(pieces: Int) throws {
    #expect(try search("PO+NG\\r", "+POONG\r\n", pieces: pieces) == .success)
    #expect(try search("PONG", "-LOADING\r\n", pieces: pieces) == .failure("reply does not match"))
    #expect(try search("PONG", "", pieces: pieces) == .failure("connection closed without a reply"))
  }

  @Test func theSearchEndsAfter64KiB() throws {
    let text = String(repeating: "x", count: CheckTools.window) + "PONG"
    #expect(try search("PONG", text, pieces: 8192) == .failure("reply does not match"))
  }
}
