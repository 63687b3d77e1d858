import Routing
import Testing

@Suite struct SiteTableTests {
  private let table = SiteTable(
    own: "eu-1",
    others: [.init(name: "us-1", isWell: true), .init(name: "ap-1", isWell: false), .init(name: "us", isWell: true)])

  private func choose(_ cookie: String, isMarked: Bool = false) -> SiteChoice {
    let bytes = Array(cookie.utf8)
    return table.choose(cookie: bytes.span, isMarked: isMarked)
  }

  @Test(arguments: [
    ("eu-1", SiteChoice.own), ("us-1", .forward(0)), ("ap-1", .unwell(1)), ("us", .forward(2)), ("", .unknown),
    ("us-", .unknown), ("us-11", .unknown), ("US-1", .unknown), ("us-1 ", .unknown), ("\"us-1\"", .unknown),
    ("eu-1,us-1", .unknown),
  ])
  func aCookieNamesASiteExactlyOrNone(cookie: String, expected: SiteChoice) { #expect(choose(cookie) == expected) }

  @Test(arguments: ["eu-1", "us-1", "ap-1", "mars", ""])
  func whatWasPassedOnIsNeverPassedOnAgain(cookie: String) {
    #expect(choose(cookie, isMarked: true) == .marked)
    #expect(!choose(cookie, isMarked: true).bindsHere)
  }

  @Test func onlyWhoBelongsNowhereOrToASickSiteIsBound() {
    for choice in [SiteChoice.newcomer, .unknown, .unwell(1)] { #expect(choice.bindsHere) }
    for choice in [SiteChoice.off, .own, .forward(0), .marked] { #expect(!choice.bindsHere) }
  }
}
