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
      ("Bearer sesame", "http://node:9901", nil),
      ("Bearer sesame", "https://node:9901", .forbidden),
      (nil, "http://node:9901", .unauthorized),
      (nil, "null", .forbidden),
    ] as [(String?, String?, AdminError.Kind?)])
  func aPortWantsTheTokenAndNoForeignWebPage(authorization: String?, origin: String?, refusal: AdminError.Kind?) {
    var met: AdminError.Kind?
    do throws(AdminError) {
      try AccessRule.token(operator: "sesame", reader: nil)
        .check(authorization: authorization, origin: origin, authority: "node:9901", isOrder: true)
    } catch {
      met = error.kind
      #expect(!error.report.error.contains("sesame") && !error.report.hint.contains("sesame"))
    }
    #expect(met == refusal)
  }

  @Test func anEmptyTokenOpensNothing() {
    for given in ["Bearer ", "Bearer x"] {
      #expect(throws: AdminError.self) {
        try AccessRule.token(operator: "", reader: "")
          .check(authorization: given, origin: nil, authority: nil, isOrder: false)
      }
    }
  }

  @Test func theReadersTokenLooksAndNothingElse() throws {
    let rule = AccessRule.token(operator: "sesame", reader: "looking")
    try rule.check(authorization: "Bearer looking", origin: nil, authority: nil, isOrder: false)
    try rule.check(authorization: "Bearer sesame", origin: nil, authority: nil, isOrder: false)
    try rule.check(authorization: "Bearer sesame", origin: nil, authority: nil, isOrder: true)
    #expect(throws: AdminError.self) {
      try rule.check(authorization: "Bearer looking", origin: nil, authority: nil, isOrder: true)
    }
    #expect(throws: AdminError.self) {
      try rule.check(authorization: "Bearer lookin", origin: nil, authority: nil, isOrder: false)
    }
  }

  @Test func theUnixSocketAsksForNothing() throws {
    try AccessRule.fileSystem.check(authorization: nil, origin: "http://x", authority: nil, isOrder: true)
  }
}
