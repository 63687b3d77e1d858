import Model
import Testing
import VRRP

@Suite struct RouterTests {
  @Test func theOwnerIsActiveAtOnceAndItsOwnAddressesStay() {
    var configuration = RouterConfiguration.example(priority: 255)
    configuration.addressesArePermanent = true
    var bench = Bench(configuration)
    let effects = bench.tell(.start)
    #expect(bench.router.state == .active)
    #expect(effects.compactMap(\.short) == ["send 255", "announce 3"])
    let seen1 = bench.tell(.track("pool", isWell: false))
    #expect(seen1.isEmpty, "weights don't reach an owner")
    let seen2 = bench.tell(.handover(.release))
    #expect(seen2.compactMap(\.report) == [.handoverRefused])
    let seen3 = bench.tell(.shutdown)
    #expect(seen3.compactMap(\.short) == ["send 0"])
  }

  @Test func withoutPreemptionALowerActiveRouterIsLeftAlone() {
    var configuration = RouterConfiguration.example()
    configuration.preempts = false
    var bench = Bench(configuration, in: .backup)
    for _ in 0..<50 {
      _ = bench.tell(configuration.advert(5, from: "192.0.2.1"), after: 100)
      _ = bench.tell(.tick)
    }
    #expect(bench.router.state == .backup)
    _ = bench.tell(.handover(.claim))
    for _ in 0..<3 { _ = bench.tell(configuration.advert(5, from: "192.0.2.1"), after: 100) }
    _ = bench.run(20)
    #expect(bench.router.state == .active, "a claim preempts all the same")
  }

  @Test func aPreemptDelayLeavesItAloneForSoLong() {
    var configuration = RouterConfiguration.example()
    configuration.preemptDelay = .seconds(2)
    var bench = Bench(configuration, in: .backup)
    var tookOverAt: Int64?
    for _ in 0..<40 where bench.router.state == .backup {
      _ = bench.run(100)
      if bench.router.state == .backup { _ = bench.tell(configuration.advert(5, from: "192.0.2.1")) }
      tookOverAt = bench.router.activeSince.map { $0.nanoseconds / 1_000_000 }
    }
    // First heard at 100 ms, so until 2,100 ms; the last advert that counted came at 2,000 ms.
    #expect(tookOverAt == 2360)
  }

  @Test func aDeadActiveRouterIsReplacedInSpiteOfAPreemptDelay() {
    var configuration = RouterConfiguration.example()
    configuration.preemptDelay = .seconds(60)
    var bench = Bench(configuration, in: .backup)
    _ = bench.tell(configuration.advert(5, from: "192.0.2.1"), after: 100)
    _ = bench.run(361)
    #expect(bench.router.state == .active)
  }

  @Test func announcementsAreRepeatedAndRefreshed() {
    var configuration = RouterConfiguration.example()
    configuration.announcing = AnnouncementPolicy(count: 2, delay: .seconds(5), refresh: .seconds(10))
    var bench = Bench(configuration, in: .active)
    func bursts(_ effects: [Effect]) -> [String] { effects.compactMap(\.short).filter { $0.hasPrefix("announce") } }
    let burst4 = bursts(bench.run(4_999))
    #expect(burst4 == [])
    let burst5 = bursts(bench.run(2))
    #expect(burst5 == ["announce 2"])
    let burst6 = bursts(bench.run(25_000))
    #expect(burst6 == ["announce 1", "announce 1", "announce 1"])
  }

  @Test func advertsKeepTheirBeatInSpiteOfLateTicks() {
    var bench = Bench(.example(), in: .active)
    let start = bench.now
    var sent = 0
    for step in 1...100 {
      bench.now = start + .milliseconds(Int64(step) * 100 + 3)
      sent += bench.tell(.tick).count
    }
    #expect(sent == 100)
    #expect(bench.router.deadline == start + .milliseconds(10_100))
  }

  @Test func weightsMoveThePriorityAndFaultsTakeTheAddressAway() {
    var tracks = Tracks()
    tracks.add("pool", .weight(-60))
    tracks.add("bgp", .weight(40), isWell: false)
    tracks.add("eth1", .fault)
    tracks.add("huge", .weight(.min))
    #expect(tracks.priority(from: 100) == 100)
    let seen7 = tracks.set("bgp", isWell: true)
    #expect(seen7)
    let seen8 = tracks.set("bgp", isWell: true)
    #expect(!seen8, "no change")
    #expect(tracks.priority(from: 100) == 140)
    let seen9 = tracks.set("pool", isWell: false)
    #expect(seen9)
    #expect(tracks.priority(from: 100) == 80)
    #expect(tracks.priority(from: 30) == 10)
    let seen10 = tracks.set("huge", isWell: false)
    #expect(seen10)
    #expect(tracks.priority(from: 100) == 1)
    #expect(tracks.priority(from: 255) == 255)
    #expect(tracks.faults == [])
    let seen11 = tracks.set("eth1", isWell: false)
    #expect(seen11)
    #expect(tracks.faults == ["eth1"])

    var bench = Bench(.example(), in: .active)
    let fault = bench.tell(.track("link", isWell: false))
    #expect(fault.compactMap(\.report) == [.changed(from: .active, to: .initialize, .fault(["link"]))])
    #expect(bench.router.deadline == nil)
    let recovery = bench.tell(.track("link", isWell: true))
    #expect(recovery.compactMap(\.report) == [.changed(from: .initialize, to: .backup, .recovered)])
  }

  @Test func aChangedPriorityChangesTheSkewOfARunningTimer() {
    var bench = Bench(.example(), in: .backup)
    let before = bench.router.deadline
    _ = bench.tell(.track("pool", isWell: false))
    // 30/256 of 100 ms.
    #expect(bench.router.deadline == before.map { $0 + .nanoseconds(11_718_750) })
  }

  @Test func aReleaseWaitsForAPeerThatPreempts() {
    var bench = Bench(.example(), in: .active)
    let seen12 = bench.tell(.handover(.release))
    #expect(seen12.compactMap(\.short) == ["send 1"])
    let seen13 = bench.run(300)
    #expect(seen13.compactMap(\.short) == ["send 1", "send 1", "send 1"], "it serves meanwhile")
    let taken = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"))
    #expect(taken.compactMap(\.short) == ["send 1", "hold 0"])
    #expect(bench.router.state == .backup)
  }

  @Test func whoHasBeenDrainedResignsWithoutAWait() {
    var bench = Bench(.example(), in: .active)
    _ = bench.tell(.handover(.resign))
    let effects = bench.run(1)
    #expect(effects.compactMap(\.short) == ["send 0", "hold 0"])
    #expect(bench.router.state == .backup)
    #expect(bench.router.effectivePriority == 1, "the last choice until it is taken back")
  }

  @Test func aReleaseThatNobodyTakesUpResignsAndAtLastComesBack() {
    var bench = Bench(.example(), in: .active)
    _ = bench.tell(.handover(.release))
    let effects = bench.run(520)
    #expect(effects.compactMap(\.short).suffix(2) == ["send 0", "hold 0"])
    #expect(bench.router.state == .backup)
    let back = bench.run(5000)
    #expect(bench.router.state == .active, "an address without a node is worse than the wrong node")
    #expect(!back.compactMap(\.short).contains("send 0"))
    let seen14 = bench.tell(.handover(nil))
    #expect(seen14.compactMap(\.short) == ["send 100"])
  }

  @Test func differencesOfTheActiveRouterAreReportedOnce() {
    var bench = Bench(.example(), in: .backup)
    let configuration = RouterConfiguration.example()
    var reports: [Report] = []
    for _ in 0..<3 {
      reports += bench.tell(configuration.advert(200, from: "192.0.2.1", centiseconds: 20), after: 5).compactMap(
        \.report)
    }
    #expect(reports == [.learntInterval(every(20), from: address("192.0.2.1"))])
    reports = []
    for _ in 0..<3 {
      let advert = AdmittedAdvert(
        configuration.advertisement(priority: 200), from: address("192.0.2.1"), namesOtherAddresses: true)
      reports += bench.tell(.advert(advert), after: 5).compactMap(\.report)
    }
    #expect(reports.contains(.otherAddresses(from: address("192.0.2.1"))))
    #expect(reports.count == 2)
  }

  @Test func contradictionsAreNamed() throws {
    #expect(RouterConfiguration.example().problems == [])
    func problems(_ edit: (inout RouterConfiguration) -> Void) -> Int {
      var configuration = RouterConfiguration.example()
      edit(&configuration)
      return configuration.problems.count
    }
    #expect(problems { $0.virtualRouter = 0 } == 1)
    #expect(problems { $0.priority = 0 } == 1)
    #expect(problems { $0.addresses = [] } == 1)
    #expect(problems { $0.addresses.append(address("2001:db8::1")) } == 1)
    #expect(problems { $0.addresses.append($0.addresses[0]) } == 1)
    #expect(problems { $0.version = .v2 } == 1, "10 cs")
    #expect(problems { $0.peers = [address("fe80::1")] } == 1)
    #expect(problems { $0.addressesArePermanent = true } == 1)
    #expect(
      problems {
        $0.priority = 255
        $0.preempts = false
      } == 1)
    #expect(
      problems {
        $0.version = .v2
        $0.interval = .second
        $0.isSealed = true
      } == 1)
  }
}

@Suite struct DualActiveTests {
  let vip = address("192.0.2.100")

  @Test func theWinnerAnnouncesAgainAndVerifiesWhenItIsOver() {
    var bench = Bench(.example(), in: .active)
    let rival = address("192.0.2.1")
    var first: [Effect] = []
    for step in 0..<5 {
      let effects = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"), after: 90)
      if step == 1 { first = effects }
    }
    #expect(first.compactMap(\.report) == [.dualActiveBegan(rival: rival)])
    let rest = bench.run(400)
    #expect(rest.compactMap(\.report) == [.dualActiveEnded(rival: rival, lasted: .milliseconds(270))])
    #expect(rest.contains(.announce([vip], count: 3)))
    #expect(rest.contains(.verifyAlone([vip])))
    let seen15 = bench.tell(.verified(answeredElsewhere: []))
    #expect(seen15.compactMap(\.report) == [.ownsAlone])
    let seen16 = bench.tell(.verified(answeredElsewhere: []))
    #expect(seen16.isEmpty, "told once")
  }

  @Test func aRivalThatResignsEndsItAtOnce() {
    var bench = Bench(.example(), in: .active)
    _ = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"), after: 150)
    let effects = bench.tell(Transition.configuration.advert(0, from: "192.0.2.1"), after: 20)
    #expect(effects.compactMap(\.short) == ["send 100", "announce 3", "verify"])
  }

  @Test func theLastAdvertOfAReplacedRouterIsNoRival() {
    var bench = Bench(.example(), in: .active)
    let effects = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"), after: 100)
    #expect(effects.compactMap(\.short) == ["send 100", "announce 1"])
    #expect(effects.compactMap(\.report).isEmpty)
    let later = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"), after: 1)
    #expect(later.compactMap(\.report) == [.dualActiveBegan(rival: address("192.0.2.1"))])
  }

  @Test func whoResignsOutOfNowhereHadTheAddresses() {
    var bench = Bench(.example(), in: .active)
    let effects = bench.tell(Transition.configuration.advert(0, from: "192.0.2.1"), after: 500)
    #expect(effects.compactMap(\.short) == ["send 100", "announce 3", "verify"])
  }

  @Test func whoStillAnswersIsReportedAndAskedAgainWithGrowingPatience() {
    var bench = Bench(.example(), in: .active)
    _ = bench.tell(Transition.configuration.advert(50, from: "192.0.2.1"), after: 150)
    _ = bench.tell(Transition.configuration.advert(0, from: "192.0.2.1"), after: 20)
    var attempts: [Int] = []
    var asked = 0
    for _ in 0..<8 {
      for report in bench.tell(.verified(answeredElsewhere: [vip])).compactMap(\.report) {
        if case .answeredElsewhere(_, let attempt) = report { attempts.append(attempt) }
      }
      let more = bench.run(10_000).compactMap(\.short).filter { $0 == "verify" }.count
      asked += more
      if more == 0 { break }
    }
    #expect(attempts == [1, 2, 3, 4, 5])
    #expect(asked == 4)
  }

  @Test func theLoserGivesTheAddressUpAtOnce() {
    var bench = Bench(.example(), in: .active)
    let effects = bench.tell(Transition.configuration.advert(150, from: "192.0.2.1"), after: 50)
    #expect(effects.compactMap(\.short) == ["send 100", "hold 0"], "its last advert tells the winner of the two")
    #expect(
      effects.compactMap(\.report) == [
        .changed(from: .active, to: .backup, .outranked(by: address("192.0.2.1"), priority: 150))
      ])
  }
}

@Suite struct ReconfigurationTests {
  @Test(arguments: [RouterState.backup, .active])
  func anotherPriorityKeepsTheState(state: RouterState) {
    var bench = Bench(.example(priority: 100), in: state)
    var effects: [Effect] = []
    bench.router.reconfigure(.example(priority: 150), tracks: Bench.tracks, at: bench.now, into: &effects)
    #expect(bench.router.state == state)
    #expect(bench.router.effectivePriority == 150)
    #expect(effects.compactMap(\.short) == (state == .active ? ["send 150"] : []))
    #expect(effects.compactMap(\.report) == [.priority(from: 100, to: 150)])
  }

  @Test func aTrackThatFailsComesByTheSameWay() {
    var bench = Bench(.example(), in: .active)
    var tracks = Bench.tracks
    _ = tracks.set("link", isWell: false)
    var effects: [Effect] = []
    bench.router.reconfigure(.example(), tracks: tracks, at: bench.now, into: &effects)
    #expect(effects.compactMap(\.short) == ["send 0", "hold 0"])
    #expect(bench.router.state == .initialize)
  }

  @Test func aShorterIntervalIsAdvertisedAtOnce() {
    var bench = Bench(.example(), in: .active)
    var faster = RouterConfiguration.example()
    faster.interval = every(1)
    var effects: [Effect] = []
    bench.router.reconfigure(faster, tracks: Bench.tracks, at: bench.now, into: &effects)
    #expect(effects == [.send(faster.advertisement(priority: 100))])
    #expect(bench.router.deadline == bench.now + .milliseconds(10))
  }

  @Test func otherAddressesAreAnotherRouter() {
    let router = RouterConfiguration.example()
    var other = router
    other.priority = 7
    other.peers = [address("192.0.2.9")]
    #expect(other.isSameRouter(as: router))
    other.addresses = [address("192.0.2.101")]
    #expect(!other.isSameRouter(as: router))
  }
}

@Suite struct FailoverBudgetTests {
  @Test(arguments: [
    (10, ProtocolVersion.v3, 100 as UInt8, 361, 61), (10, .v3, 200, 322, 22), (1, .v3, 100, 36, 6),
    (100, .v3, 254, 3008, 8), (100, .v2, 100, 3609, 609), (500, .v2, 100, 15609, 609), (4095, .v3, 1, 163640, 40790),
  ])
  func theFormulaGivesTheSum(
    centiseconds: Int, version: ProtocolVersion, priority: UInt8, crash: Int64, clean: Int64
  ) {
    let interval = every(centiseconds, version)
    func rounded(_ budget: FailoverBudget) -> Int64 { (budget.total.nanoseconds + 500_000) / 1_000_000 }
    #expect(
      rounded(.crash(interval: interval, version: version, backupPriority: priority, announcement: .zero)) == crash)
    #expect(
      rounded(.cleanStop(interval: interval, version: version, backupPriority: priority, announcement: .zero)) == clean)
  }

  @Test func itReadsAsASum() {
    let budget = FailoverBudget.crash(
      interval: every(10), version: .v3, backupPriority: 200, announcement: .milliseconds(5))
    #expect(budget.description == "300 ms detection + 22 ms skew + 5 ms announcement = 327 ms")
  }
}
