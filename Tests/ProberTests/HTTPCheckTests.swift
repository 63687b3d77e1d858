import Health
import Prober
import Routing
import Testing
import Wire

@Suite struct HTTPCheckTests {
  static let cases: [(name: String, answer: String, body: String?, expected: ProbeOutcome)] = [
    ("an expected status is enough", "HTTP/1.1 204 No Content\r\n\r\n", nil, .success),
    (
      "another status is a failure", "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", nil,
      .failure("HTTP 503, expected 200-399")
    ),
    (
      "interim responses are skipped",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", nil,
      .success
    ),
    ("a body by length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstoodrest", "stood$", .success),
    (
      "a body that does not match", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsorry", "^ok",
      .failure("body does not match")
    ),
    (
      "a chunked body",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nx-a: b\r\n\r\n", "^hello$",
      .success
    ),
    (
      "a broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a",
      .failure("invalid response body: invalid chunk size")
    ),
    ("a body that the end of the connection ends", "HTTP/1.0 200 OK\r\n\r\nall well", "well$", .success),
    ("an empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "^$", .success),
    (
      "a body that is cut short", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", "ok",
      .failure("connection closed within the response body")
    ),
    (
      "a head that is cut short", "HTTP/1.1 200 OK\r\nContent-Le", nil,
      .failure("connection closed within the response head")
    ),
    ("silence", "", nil, .failure("connection closed without a response")),
    (
      "another protocol", "SSH-2.0-OpenSSH_9.2\r\nsome more to read\r\n", nil,
      .failure("invalid response: malformed status line")
    ),
    (
      "a pattern that costs too much", "HTTP/1.0 200 OK\r\n\r\n" + String(repeating: "a", count: 5_000) + "!",
      "(a+)+$", .failure("body: the match was given up after too many steps")
    ),
  ]

  /// Feeds the answer in pieces of the sizes that `next` gives, then the end.
  private func run(_ answer: [UInt8], _ expectation: HTTPExpectation, _ next: () -> Int) -> ProbeOutcome {
    var tools = CheckTools()
    var check = HTTPCheck(expectation)
    var start = 0
    while start < answer.count {
      let end = min(answer.count, start + max(1, next()))
      if let outcome = check.take(answer.span.extracting(start..<end), &tools) { return outcome }
      start = end
    }
    return check.end(&tools)
  }

  @Test(arguments: cases) func anyChunkingGivesTheSameOutcome(
    _ sample: (name: String, answer: String, body: String?, expected: ProbeOutcome)
  ) throws {
    let expectation = HTTPExpectation(statuses: [200...399], body: try sample.body.map { try Regex($0) })
    let answer = Array(sample.answer.utf8)
    #expect(run(answer, expectation) { answer.count } == sample.expected, "\(sample.name), at once")
    #expect(run(answer, expectation) { 1 } == sample.expected, "\(sample.name), byte by byte")
    var random = Random(seed: 7)
    for round in 0..<50 {
      #expect(run(answer, expectation) { Int(random.below(40)) } == sample.expected, "\(sample.name), round \(round)")
    }
  }

  @Test func onlyTheFirst64KiBOfABodyCount() throws {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    func outcome(padding: Int) throws -> ProbeOutcome {
      let expectation = HTTPExpectation(statuses: [200...200], body: try Regex("needle"))
      let answer = head + String(repeating: "x", count: padding) + "needle" + String(repeating: "y", count: 70_000)
      return run(Array(answer.utf8), expectation) { 4096 }
    }
    #expect(try outcome(padding: CheckTools.window - 6) == .success)
    #expect(try outcome(padding: CheckTools.window - 5) == .failure("body does not match"))
  }

  @Test func aHeadWithoutEndIsRefused() {
    let answer = "HTTP/1.1 200 OK\r\n" + String(repeating: "x-a: b\r\n", count: 10_000)
    let outcome = run(Array(answer.utf8), HTTPExpectation(statuses: [200...200])) { 1000 }
    #expect(outcome == .failure("invalid response: too many header fields"))
  }

  @Test func theAnswerToHEADHasNoBody() {
    let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".utf8)
    #expect(run(answer, HTTPExpectation(method: "HEAD", statuses: [200...200])) { 7 } == .success)
  }

  @Test func whatIsAwaitedIsSaidInWords() throws {
    var tools = CheckTools()
    var check = HTTPCheck(HTTPExpectation(statuses: [200...200], body: try Regex("x")))
    #expect(check.awaited == "response")
    for (piece, awaited) in [("HTTP/1.1 200", "response head"), (" OK\r\ncontent-length: 9\r\n\r\n", "response body")] {
      let bytes = Array(piece.utf8)
      #expect(check.take(bytes.span, &tools) == nil)
      #expect(check.awaited == awaited)
    }
  }
}
