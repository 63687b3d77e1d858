import HTTP
import Testing

@Suite struct LimitTests {
  private let limits = HeadLimits(headBytes: 256, targetBytes: 32, fields: 3)

  private func request(target: Int, padding: Int) -> String {
    "GET /" + String(repeating: "a", count: target - 1) + " HTTP/1.1\r\nHost: a\r\nX: "
      + String(repeating: "x", count: padding) + "\r\n\r\n"
  }

  @Test func aTargetMayBeExactlyAsLongAsTheLimit() {
    #expect(parseRequest(request(target: 32, padding: 1), limits: limits).head?.target.utf8.count == 32)
    #expect(parseRequest(request(target: 33, padding: 1), limits: limits).error == .targetTooLong)
  }

  @Test func aHeadMayBeExactlyAsLongAsTheLimit() {
    let rest = request(target: 1, padding: 0).utf8.count
    #expect(parseRequest(request(target: 1, padding: 256 - rest), limits: limits).head?.length == 256)
    #expect(parseRequest(request(target: 1, padding: 257 - rest), limits: limits).error == .headTooLarge)
  }

  @Test func aBodyBehindTheHeadDoesNotCount() {
    let text = request(target: 1, padding: 1) + String(repeating: "\n", count: 1000)
    #expect(parseRequest(text, limits: limits).head != nil)
  }

  @Test func fieldsAreCounted() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n"
    #expect(parseRequest(start + "X: 1\r\nX: 2\r\n\r\n", limits: limits).head?.fields.count == 3)
    #expect(parseRequest(start + "X: 1\r\nX: 2\r\nX: 3\r\n\r\n", limits: limits).error == .tooManyFields)
  }

  @Test(
    arguments: [
      (String(repeating: "G", count: 20), nil), (String(repeating: "G", count: 33), HeadError.unknownMethod),
      ("GET /" + String(repeating: "a", count: 40), .targetTooLong),
      ("GET / HTTP/1.1\r\n" + String(repeating: "a", count: 300), .headTooLarge),
      ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 300), .headTooLarge),
      ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 100), nil),
    ] as [(String, HeadError?)])
  func whatNeverEndsIsRefusedAtTheLimit(text: String, error: HeadError?) {
    #expect(parseRequest(text, limits: limits).error == error)
    // Trickling bytes are looked at again when a line is complete, or the head is full.
    let line = Array((text + "\n").utf8)
    for step in [1, 7] {
      let cuts = Array(stride(from: 0, to: line.count, by: step))
      #expect(parseRequest(line, cuts: cuts, limits: limits) == parseRequest(line, limits: limits))
    }
  }

  @Test func limitsAreClampedToTheStorage() {
    #expect(
      HeadLimits(headBytes: 1, targetBytes: 0, fields: 1000) == HeadLimits(headBytes: 64, targetBytes: 1, fields: 128))
  }

  @Test func everyErrorHasAReasonAndAStatus() {
    #expect(Set(HeadError.allCases.map(\.reason.description)).count == HeadError.allCases.count)
    #expect(HeadError.allCases.allSatisfy { [400, 414, 417, 431, 501, 505].contains($0.status) })
    #expect(Set(ChunkError.allCases.map(\.reason.description)).count == ChunkError.allCases.count)
  }
}
