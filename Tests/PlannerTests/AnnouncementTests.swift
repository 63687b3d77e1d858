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
    // A site that announces is asked, and promises to stay.
    site.book.elsewhere["web"] = [SiteWord(site: "c", isAnnounced: true)]
    site.judge("ddd")
    #expect(site.level == .announced && !site.book.entries[0].isLast)
    let wish = site.book.entries[0].word.wish
    site.book.elsewhere["web"] = [SiteWord(site: "c", isAnnounced: true, promises: ["b": wish])]
    site.judge("ddd")
    #expect(site.level == .withdrawn && !site.book.entries[0].isLast)
    // Silence is no evidence; another site's withdrawal is.
    site.book.elsewhere["web"] = []
    site.book.isDeaf = true
    site.judge("ddd")
    #expect(site.level == .withdrawn)
    site.book.elsewhere["web"] = [SiteWord(site: "c", isAnnounced: false)]
    site.book.isDeaf = false
    site.judge("ddd")
    #expect(site.level == .announced && site.book.entries[0].isLast)
  }

  @Test func nobodyPromisesBeforeRoutersHaveHeardOfHim() {
    var site = Site { $0.lastSite = .lastSite }
    site.book.site = "a"
    site.book.elsewhere["web"] = [SiteWord(site: "b", isAnnounced: true, wish: 4)]
    site.judge("uuu")
    #expect(site.level == .announced && site.book.entries[0].word.promises.isEmpty)
    #expect(site.book.nextDeadline == site.now + site.bgp.drain.convergence)
    site.judge("uuu", after: site.bgp.drain.convergence)
    #expect(site.book.entries[0].word.promises == ["b": 4])
  }

  @Test func aNodeThatStartsSickAmongSilentSitesDoesNotAnnounce() {
    var site = Site { $0.lastSite = .lastSite }
    site.book.isDeaf = true
    site.judge("ddd")
    #expect(site.level == .withdrawn)
  }

  @Test func anOperatorsDrainAsksNobody() {
    var site = Site { $0.lastSite = .lastSite }
    site.bgp.drain.convergence = .zero
    site.judge("ddd")
    #expect(site.level == .announced)
    site.book.leave(at: site.now)
    site.judge("ddd")
    #expect(site.level == .withdrawn && site.book.entries[0].word.promises.isEmpty)
  }

  /// Words travel late, one after the other on each link; sites fall sick and well at any moment.
  @Test func neverDoAllSitesLeave() {
    var random: UInt64 = 7
    func draw(_ bound: UInt64) -> UInt64 {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (random >> 33) % bound
    }
    for _ in 0..<500 {
      let count = Int(2 + draw(4))
      var sites = (0..<count).map { number in
        var site = Site { $0.lastSite = .lastSite }
        site.bgp.drain.convergence = .zero
        site.book.site = "s\(number)"
        site.judge("uuu")
        return site
      }
      func word(_ site: Site) -> SiteWord {
        let entry = site.book.entries[0]
        return SiteWord(
          site: site.book.site, isAnnounced: entry.level != .withdrawn, wish: entry.word.wish,
          promises: entry.word.promises)
      }
      var health = [String](repeating: "uuu", count: count)
      // On its way from one to another, and what was heard last.
      var wires = [[[SiteWord]]](repeating: .init(repeating: [], count: count), count: count)
      var heard = sites.map { own in sites.filter { $0.book.site != own.book.site }.map(word) }
      func step(_ who: Int) {
        let before = word(sites[who])
        sites[who].book.elsewhere["web"] = heard[who]
        sites[who].judge(health[who])
        let now = word(sites[who])
        guard now != before else { return }
        for other in sites.indices where other != who { wires[who][other].append(now) }
      }
      func deliver(_ from: Int, _ to: Int) {
        guard !wires[from][to].isEmpty else { return }
        let news = wires[from][to].removeFirst()
        heard[to] = heard[to].filter { $0.site != news.site } + [news]
        step(to)
      }
      for round in 0..<300 {
        // In the end all are sick.
        if draw(10) == 0 || round == 250 {
          let who = Int(draw(UInt64(count)))
          health[who] = draw(3) == 0 ? "uuu" : "ddd"
          if round >= 250 { health = health.map { _ in "ddd" } }
          for site in sites.indices where site == who || round == 250 { step(site) }
        } else {
          deliver(Int(draw(UInt64(count))), Int(draw(UInt64(count))))
        }
        #expect(sites.contains { $0.level != .withdrawn }, "somebody announces at every moment")
      }
      health = health.map { _ in "ddd" }
      for who in sites.indices { step(who) }
      while wires.contains(where: { $0.contains { !$0.isEmpty } }) {
        for from in sites.indices { for to in sites.indices { deliver(from, to) } }
        #expect(sites.contains { $0.level != .withdrawn })
      }
      #expect(sites.count { $0.level != .withdrawn } == 1, "one is left when all are sick")
    }
  }

  @Test func clientsFinishBeforeRoutesMove() {
    var site = Site()
    site.bgp.drain.finish = .seconds(2)
    site.judge("uuu")
    func go(_ milliseconds: Int, _ connections: Int) -> Doors {
      site.now = site.now + .milliseconds(milliseconds)
      _ = site.book.judge(
        site.bgp, world(makePool([100, 100, 100]), "uuu", at: site.now), connections: connections, at: site.now)
      return site.book.doors
    }
    site.book.leave(finish: .seconds(2), at: site.now)
    #expect(go(0, 3) == .parting && site.level == .announced)
    #expect(go(600, 2) == .held && site.level == .announced)
    #expect(go(250, 1) == .held && go(200, 0) == .held && site.level == .announced)
    // Nobody for a while: now the routes move, and the door stays shut until they have.
    #expect(go(100, 0) == .held && site.level == .degraded)
    #expect(go(3000, 0) == .open && site.level == .withdrawn)
    site.book.stay()
    #expect(go(0, 0) == .open && site.level == .announced)
    // Who takes too long is not waited for.
    site.book.leave(finish: .seconds(2), at: site.now)
    #expect(go(600, 1) == .held && go(1990, 1) == .held && site.level == .announced)
    #expect(go(20, 1) == .held && site.level == .degraded)
  }

  @Test func aVIPsConditionHoldsWhereTheVIPIs() {
    var site = Site { $0.conditions = [.init(.vip("front"))] }
    site.judge("uuu")
    #expect(site.level == .withdrawn && site.book.entries[0].reason == "vip front is not here")
    _ = site.book.judge(site.bgp, world(makePool([100]), "u", at: site.now), vips: ["front"], at: site.now)
    #expect(site.level == .announced && site.book.entries[0].reason == "vip front is here")
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
