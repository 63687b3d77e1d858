import Model
import Planner
import Testing

private let vip = IPPrefix(host: IPAddress(203, 0, 113, 1))
private let second = Duration.seconds(1)

/// One announcement over a pool of three, with health as letters and time as whole seconds.
private struct Site {
  var book = AnnouncementBook()
  var bgp = BGPTopology(localAS: 65001, identifier: 1)
  var now = epoch
  private let pool = makePool([100, 100, 100])

  init(_ edit: (inout BGPAnnouncement) -> Void = { _ in }) {
    var announcement = BGPAnnouncement(name: "web", prefixes: [vip])
    announcement.conditions = [.init(.pool("web"), healthy: .count(2))]
    announcement.upAfter = .zero
    edit(&announcement)
    bgp.announcements = [announcement]
  }

  @discardableResult mutating func judge(_ health: String, after duration: Duration = .zero) -> [AnnouncementBook.Entry]
  {
    now = now + duration
    return book.judge(bgp, world(pool, health, at: now), at: now)
  }

  var level: AnnouncementLevel { book.entries[0].level }
  var terms: BGPTerms? { book.routes(bgp)[vip]?.terms }
}

private func degrade(_ announcement: inout BGPAnnouncement) {
  var terms = announcement.terms
  terms.prepend = 3
  announcement.degrade = .init(conditions: [.init(.pool("web"), healthy: .count(1))], terms: terms)
}

@Suite struct AnnouncementTests {
  @Test func healthDecidesAndSaysWhy() {
    var site = Site()
    #expect(site.judge("uuu").map(\.reason) == ["pool web: 3 of 3 healthy"] && site.level == .announced)
    #expect(site.judge("uwd").isEmpty && site.level == .announced)
    #expect(site.judge("udd").map(\.reason) == ["pool web: 1 of 3 healthy, 2 needed"])
    #expect(site.level == .withdrawn && site.book.routes(site.bgp).isEmpty)
    site.judge("uue")
    #expect(site.level == .announced && site.terms == BGPTerms())
  }

  @Test func degradedIsBetween() {
    var site = Site(degrade)
    site.judge("uuu")
    #expect(site.terms?.prepend == 0)
    site.judge("udd")
    #expect(site.level == .degraded && site.terms?.prepend == 3)
    site.judge("ddd")
    #expect(site.level == .withdrawn && site.terms == nil)
    site.judge("udd")
    #expect(site.level == .degraded)
  }

  @Test func sharesAreRoundedUp() {
    var site = Site { $0.conditions = [.init(.pool("web"), healthy: .share(0.5))] }
    site.judge("udd")
    #expect(site.level == .withdrawn)
    site.judge("uud")
    #expect(site.level == .announced)
  }

  @Test func hysteresisWaitsAndForgets() {
    var site = Site {
      $0.upAfter = .seconds(5)
      $0.downAfter = .seconds(2)
    }
    // The first verdict counts at once.
    site.judge("uuu")
    #expect(site.level == .announced && site.book.nextDeadline == nil)
    site.judge("ddd", after: second)
    #expect(site.level == .announced && site.book.nextDeadline == site.now + .seconds(2))
    // It turns back, and the next time counts anew.
    site.judge("uuu", after: second)
    #expect(site.book.nextDeadline == nil)
    site.judge("ddd", after: second)
    site.judge("ddd", after: .milliseconds(1_999))
    #expect(site.level == .announced)
    site.judge("ddd", after: .milliseconds(1))
    #expect(site.level == .withdrawn)
    site.judge("uuu", after: second)
    site.judge("uuu", after: .milliseconds(4_999))
    #expect(site.level == .withdrawn)
    site.judge("uuu", after: .milliseconds(1))
    #expect(site.level == .announced)
  }

  @Test func worseWhileWorseKeepsTheFirstMoment() {
    var site = Site {
      degrade(&$0)
      $0.downAfter = .seconds(2)
    }
    site.judge("uuu")
    site.judge("udd", after: second)
    site.judge("ddd", after: second)
    #expect(site.level == .announced)
    site.judge("ddd", after: second)
    #expect(site.level == .withdrawn)
  }

  @Test func anOperatorsWordStandsAboveHealth() {
    var site = Site()
    site.judge("uuu")
    site.book.set(.withdraw, for: "web")
    #expect(site.judge("uuu").count == 1 && site.level == .withdrawn)
    site.book.set(.announce, for: "web")
    site.judge("ddd")
    #expect(site.level == .announced)
    site.book.set(nil, for: "web")
    site.judge("ddd")
    #expect(site.level == .withdrawn)
  }

  @Test func aLeavingNodeIsFirstLessPreferredThenGone() {
    var site = Site()
    site.bgp.drain.prepend = 2
    site.judge("uuu")
    site.book.leave(at: site.now)
    site.judge("uuu")
    #expect(site.level == .degraded && site.book.nextDeadline == site.now + .seconds(3))
    #expect(site.terms?.prepend == 2 && site.terms?.localPreference == 0)
    #expect(site.terms?.communities == [BGPTerms.gracefulShutdown])
    site.judge("uuu", after: .seconds(3))
    #expect(site.level == .withdrawn && site.book.leaving == .withdrawn)
    site.book.stay()
    site.judge("uuu")
    #expect(site.level == .announced && site.terms == BGPTerms())
  }

  @Test func theLastSiteKeepsAnnouncingAndSaysWhy() {
    var site = Site { $0.lastSite = .lastSite }
    site.book.site = "b"
    site.judge("uuu")
    site.judge("ddd")
    #expect(site.level == .announced && site.book.entries[0].isLast && !site.book.entries[0].isHealthy)
    #expect(site.book.entries[0].reason.contains("no other site"))
    // A site that is well takes over.
    site.book.elsewhere["web"] = [SiteWord(site: "c", isAnnounced: true, isHealthy: true)]
    site.judge("ddd")
    #expect(site.level == .withdrawn && !site.book.entries[0].isLast)
    // It fails too: of two sick sites, the lower name goes on.
    site.book.elsewhere["web"] = [SiteWord(site: "c", isAnnounced: true, isHealthy: false)]
    site.judge("ddd")
    #expect(site.level == .announced)
    site.book.elsewhere["web"] = [SiteWord(site: "a", isAnnounced: true, isHealthy: false)]
    site.judge("ddd")
    #expect(site.level == .withdrawn)
  }

  @Test func sickSitesSettleOnExactlyOne() {
    var random: UInt64 = 7
    func draw(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    for _ in 0..<200 {
      var sites = ["a", "b", "c"].map { name in
        var site = Site { $0.lastSite = .lastSite }
        site.book.site = name
        site.judge("uuu")
        return site
      }
      // Each hears of the others late and in any order; all are sick.
      for _ in 0..<60 {
        let who = Int(draw(3))
        sites[who].book.elsewhere["web"] = sites.indices.filter { $0 != who }.map { other in
          let entry = sites[other].book.entries[0]
          return SiteWord(
            site: sites[other].book.site, isAnnounced: entry.level != .withdrawn, isHealthy: entry.isHealthy)
        }
        sites[who].judge("ddd")
        #expect(sites.contains { $0.level != .withdrawn }, "somebody announces at every moment")
      }
      #expect(sites.filter { $0.level != .withdrawn }.map(\.book.site) == ["a"])
    }
  }

  @Test func aListenersConditionCoversItsPools() {
    var site = Site { $0.conditions = [.init(.listener("front"))] }
    var world = world(makePool([100]), "d")
    var topology = world.topology
    topology.listeners = [
      Listener(name: "front", transport: .http, binds: [], routes: [Route(match: Match(), action: .pool("web"))])
    ]
    world = World(generation: 1, topology: topology, standings: world.standings)
    _ = site.book.judge(site.bgp, world, at: epoch)
    #expect(site.level == .withdrawn && site.book.entries[0].reason == "pool web: 0 of 1 healthy, 1 needed")
  }

  @Test func aReloadForgetsWhatIsGone() {
    var site = Site()
    site.judge("uuu")
    site.book.set(.withdraw, for: "web")
    _ = site.book.judge(nil, world(makePool([100]), "u"), at: site.now)
    #expect(site.book.entries.isEmpty && site.book.words.isEmpty)
  }
}
