import Admin
import Testing

@Suite struct AccessRuleTests {
  @Test(
    arguments: [
      ("Bearer sesame", nil, nil),
      ("bearer sesame", nil, nil),
      ("Bearer sesam", nil, .unauthorized),
      ("Bearer sesamee", nil, .unauthorized),
      ("Bearer sesamesesame", nil, .unauthorized),
      ("Bearer ", nil, .unauthorized),
      ("Basic sesame", nil, .unauthorized),
      ("sesame", nil, .unauthorized),
      (nil, nil, .unauthorized),
      ("Bearer sesame", "http://evil.example", .forbidden),
      (nil, "null", .forbidden),
    ] as [(String?, String?, AdminError.Kind?)])
  func aPortWantsTheTokenAndNoWebPage(authorization: String?, origin: String?, refusal: AdminError.Kind?) {
    var met: AdminError.Kind?
    do throws(AdminError) {
      try AccessRule.token("sesame").check(authorization: authorization, origin: origin)
    } catch {
      met = error.kind
      #expect(!error.report.error.contains("sesame") && !error.report.hint.contains("sesame"))
    }
    #expect(met == refusal)
  }

  @Test func anEmptyTokenOpensNothing() {
    #expect(throws: AdminError.self) { try AccessRule.token("").check(authorization: "Bearer ", origin: nil) }
    #expect(throws: AdminError.self) { try AccessRule.token("").check(authorization: "Bearer x", origin: nil) }
  }

  @Test func theUnixSocketAsksForNothing() throws {
    try AccessRule.fileSystem.check(authorization: nil, origin: "http://x")
  }
}

@Suite struct PathSegmentTests {
  @Test(arguments: ["10.0.0.1:80", "unix:/run/a b.sock", "[::1]:80", "é%2F", "", "~._-"])
  func encodingRoundTripsAndLeavesOneSegment(name: String) {
    let encoded = PathSegment.encode(name)
    #expect(!encoded.contains("/") && !encoded.contains(":") && !encoded.contains("?"))
    #expect(PathSegment.decode(encoded) == name)
  }

  @Test(arguments: ["%", "%2", "%2g", "%ff", "%C3"])
  func whatIsNotEncodedUTF8IsNil(text: String) { #expect(PathSegment.decode(text) == nil) }
}
