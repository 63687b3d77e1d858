import Model
import Node
import Testing

/// The quorum rule, staleness, and an operator's drains.
@Suite struct SiteBookTests {
  private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  private func site(quorum: Int? = nil, stale: Site.Stale = .keep) -> Site {
    var site = Site(name: "eu", addresses: [])
    site.quorum = quorum
    site.whenStale = stale
    return site
  }

  private func standing(
    _ book: SiteBook, _ site: Site, own: Bool?, previous: [String: SiteStanding] = [:], at seconds: Int64
  ) -> SiteStanding? {
    book.standings([site], own: own.map { ["eu": $0] } ?? [:], previous: previous, at: at(seconds))["eu"]
  }

  @Test(
    arguments: [
      // quorum, own, others, down?
      (nil, true, [true, true], false), (nil, false, [true, true], false), (nil, false, [false, true], true),
      (nil, false, [], true), (nil, false, [true], false), (nil, nil, [false], true),
      (2, false, [], false), (2, false, [true, true], false), (2, false, [false, true], true),
      (3, false, [false], false),
    ] as [(Int?, Bool?, [Bool], Bool)])
  func aSiteIsDownWhenEnoughObserversSaySo(_ quorum: Int?, _ own: Bool?, _ others: [Bool], _ isDown: Bool) {
    var book = SiteBook()
    for (index, word) in others.enumerated() { book.hear("n\(index)", .init(at: at(0), sites: ["eu": word])) }
    let found = standing(book, site(quorum: quorum), own: own, at: 1)
    #expect(found?.state == (isDown ? .down : .up))
  }

  @Test func oldReportsDoNotCount() {
    var book = SiteBook()
    book.hear("a", .init(at: at(0), sites: ["eu": false]))
    book.hear("b", .init(at: at(0), sites: ["eu": false]))
    #expect(standing(book, site(), own: true, at: 9)?.isUp == false)
    #expect(book.nextDeadline([site()], at: at(9)) == at(10))
    // The link is cut: what was heard grows old, and this node's own eyes are left.
    #expect(standing(book, site(), own: true, at: 11)?.isUp == true)
  }

  @Test func whatALinkedNodeSaidHoldsHoweverOld() {
    var book = SiteBook()
    let isNews = book.hear("a", .init(at: at(0), isLinked: true, sites: ["eu": false]))
    let isNewsAgain = book.hear("a", .init(at: at(1), isLinked: true, sites: ["eu": false], load: SiteLoad()))
    #expect(isNews && !isNewsAgain)
    #expect(standing(book, site(), own: nil, at: 1000)?.state == .down)
    #expect(book.nextDeadline([site()], at: at(9)) == nil)
    // The link falls: from now on it grows old.
    let isCut = book.hear("a", .init(at: at(1000), sites: ["eu": false]))
    #expect(isCut && book.nextDeadline([site()], at: at(1001)) == at(1010))
    #expect(book.observers(of: site(), at: at(1011)).map(\.counts) == [false])
    let isGone = book.hear("a", nil)
    #expect(isGone && book.observers(of: site(), at: at(1011)).isEmpty)
  }

  @Test func aSiteThatWasDownIsBelievedOnlyWhenItHasBeenWellForSomeTime() {
    let book = SiteBook()
    var site = site()
    site.upAfter = .seconds(5)
    var standings: [String: SiteStanding] = [:]
    func judge(_ own: Bool, _ seconds: Int64) -> SiteStanding? {
      standings = book.standings([site], own: ["eu": own], previous: standings, at: at(seconds))
      return standings["eu"]
    }
    // The first word counts at once.
    #expect(judge(true, 0)?.isUp == true)
    #expect(judge(false, 1)?.isUp == false)
    #expect(judge(true, 2)?.until == at(7) && judge(true, 6)?.isUp == false)
    #expect(standings["eu"]?.since == at(1))
    // It falls again: the time starts anew.
    #expect(judge(false, 6)?.until == nil && judge(true, 8)?.until == at(13))
    #expect(judge(true, 12)?.isUp == false && judge(true, 13)?.isUp == true)
  }

  @Test func loadIsTheSumOfTheSitesNodes() {
    var book = SiteBook()
    var site = site()
    site.nodes = ["a", "b", "c"]
    book.hear("b", .init(at: at(0), isLinked: true, sites: [:], load: SiteLoad(underWay: 10, capacity: 100)))
    book.hear("c", .init(at: at(0), sites: [:], load: SiteLoad(underWay: 90, capacity: 100)))
    let own = SiteLoad(underWay: 50, capacity: 100)
    #expect(book.loads([site], own: ("a", own), at: at(5))["eu"] == SiteLoad(underWay: 150, capacity: 300))
    #expect(book.loads([site], own: ("x", own), at: at(50))["eu"]?.share == 0.1)
    #expect(book.loads([site], own: nil, at: at(50))["eu"]?.underWay == 10)
  }

  @Test func whatStaleMeansIsConfigured() {
    let book = SiteBook()
    let down = SiteStanding(.down, isUp: false, reason: "", since: at(0))
    #expect(standing(book, site(stale: .keep), own: nil, at: 1)?.isUp == true)
    #expect(standing(book, site(stale: .keep), own: nil, previous: ["eu": down], at: 1)?.isUp == false)
    #expect(standing(book, site(stale: .down), own: nil, at: 1)?.isUp == false)
    #expect(standing(book, site(stale: .up), own: nil, previous: ["eu": down], at: 1)?.isUp == true)
    #expect(standing(book, site(stale: .up), own: nil, at: 1)?.state == .stale)
  }

  @Test func aDrainEndsByTimeOrByOrder() {
    var book = SiteBook()
    let isTaken = book.order("eu", .drain(.seconds(60)), at: at(0))
    #expect(isTaken)
    let drained = standing(book, site(), own: true, at: 1)
    #expect(drained?.state == .drained && drained?.isUp == false && drained?.until == at(60))
    #expect(book.nextDeadline([], at: at(1)) == at(60))
    let (early, due) = (book.tick(at: at(59)), book.tick(at: at(60)))
    #expect(early == [] && due == ["eu"])
    #expect(standing(book, site(), own: true, at: 60)?.isUp == true)
    let isOpen = book.order("eu", .drain(nil), at: at(61))
    let over = book.tick(at: at(1_000_000))
    #expect(isOpen && over == [])
    let (isBack, isBackAgain) = (book.order("eu", .ready, at: at(62)), book.order("eu", .ready, at: at(63)))
    #expect(isBack && !isBackAgain)
  }

  @Test func theTimeOfAStandingIsThatOfItsLastChange() {
    let book = SiteBook()
    let up = SiteStanding(.up, isUp: true, reason: "", since: at(3))
    #expect(standing(book, site(), own: true, previous: ["eu": up], at: 9)?.since == at(3))
    #expect(standing(book, site(), own: false, previous: ["eu": up], at: 9)?.since == at(9))
  }
}
