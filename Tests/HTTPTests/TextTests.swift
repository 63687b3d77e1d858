import HTTP
import Testing

@Suite struct TextTests {
  @Test(
    arguments: [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
      (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
      (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ] as [(Int64, String)])
  func datesAreWritten(seconds: Int64, expected: String) {
    let date = HTTPDate(unixSeconds: seconds)
    #expect(String(decoding: date.bytes.indices.map { date.bytes[$0] }, as: UTF8.self) == expected)
  }

  @Test func everyStatusHasAPhrase() {
    #expect((100...599).allSatisfy { !reasonPhrase($0).description.isEmpty })
    #expect(reasonPhrase(503).description == "Service Unavailable")
  }
}
