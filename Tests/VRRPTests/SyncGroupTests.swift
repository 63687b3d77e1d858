import Model
import Testing
import VRRP

@Suite struct SyncGroupTests {
  static let outside = RouterConfiguration.example(priority: 120)
  static var inside: RouterConfiguration {
    var configuration = RouterConfiguration.example(priority: 110)
    configuration.name = "inside"
    configuration.virtualRouter = 52
    configuration.addresses = [address("10.0.0.100")]
    return configuration
  }

  struct Bench {
    var group: SyncGroup
    var now = at(0)

    init(insideAddress: IPAddress? = address("10.0.0.5")) {
      group = SyncGroup(
        name: "both",
        [
          (SyncGroupTests.outside, VRRPTests.Bench.tracks, primaryAddress: address("192.0.2.5")),
          (SyncGroupTests.inside, Tracks(), primaryAddress: insideAddress),
        ])
    }

    var states: [RouterState] { group.members.map(\.state) }

    mutating func tell(_ event: VirtualRouter.Event, _ member: Int? = nil) -> [String] {
      var effects: [SyncGroup.MemberEffect] = []
      if let member {
        group.handle(event, member: member, at: now, into: &effects)
      } else {
        group.handle(event, at: now, into: &effects)
      }
      return effects.compactMap { effect in effect.effect.short.map { "\(effect.member): \($0)" } }
    }

    mutating func run(_ milliseconds: Int64) -> [String] {
      let end = now + .milliseconds(milliseconds)
      var result: [String] = []
      while let deadline = group.deadline, deadline <= end {
        now = max(now, deadline)
        result += tell(.tick)
      }
      now = end
      return result
    }

    mutating func activate() {
      _ = tell(.start)
      _ = run(400)
    }
  }

  let higherOutside = outside.advert(200, from: "192.0.2.1")
  let higherInside = inside.advert(200, from: "10.0.0.1")

  @Test func allBecomeActiveTogetherWithTheLowestPriority() {
    var bench = Bench()
    let started = bench.tell(.start)
    #expect(started == ["0: hold 0", "1: hold 0"])
    let taken = bench.run(360)
    #expect(
      taken == ["0: send 110", "0: hold 1", "0: announce 3", "1: send 110", "1: hold 1", "1: announce 3"])
    #expect(bench.group.isActive)
  }

  @Test func whoGoesOnForAnEarlierProcessIsActiveAtOnceAndLetsGoOfNoAddress() {
    var bench = Bench()
    #expect(
      bench.tell(.resume) == [
        "0: send 110", "0: hold 1", "0: announce 3", "1: send 110", "1: hold 1", "1: announce 3",
      ])
    #expect(bench.group.isActive)
    #expect(bench.tell(.resume).isEmpty)
  }

  @Test func whoCannotGoOnStartsAsAnyOther() {
    var bench = Bench(insideAddress: nil)
    _ = bench.tell(.resume)
    #expect(bench.states == [.initialize, .initialize])
    _ = bench.tell(.primaryAddress(address("10.0.0.5")), 1)
    #expect(bench.states == [.backup, .backup])
  }

  @Test func aMemberThatHearsItsActiveRouterKeepsAllInBackup() {
    var bench = Bench()
    _ = bench.tell(.start)
    for _ in 0..<50 {
      _ = bench.run(100)
      _ = bench.tell(higherInside, 1)
    }
    #expect(bench.states == [.backup, .backup])
    // The silent link waits for the other one, without a timer that fires for ever.
    #expect(bench.group.members[0].deadline == nil)
    _ = bench.run(400)
    #expect(bench.group.isActive)
  }

  @Test func readinessEndsWhenTheActiveRouterIsHeardAgain() {
    var bench = Bench()
    _ = bench.tell(.start)
    for _ in 0..<5 {
      _ = bench.run(100)
      _ = bench.tell(higherInside, 1)
    }
    // Now the other link falls silent: it is ready when this one is no longer.
    for _ in 0..<2 {
      _ = bench.tell(higherOutside, 0)
      _ = bench.run(200)
    }
    #expect(bench.states == [.backup, .backup])
  }

  @Test func whoIsOutrankedTakesTheOthersAlongWhichResign() {
    var bench = Bench()
    bench.activate()
    let effects = bench.tell(higherInside, 1)
    #expect(effects == ["1: send 110", "1: hold 0", "0: send 0", "0: hold 0"])
    #expect(bench.states == [.backup, .backup])
  }

  @Test func oneFaultIsTheGroups() {
    var bench = Bench()
    bench.activate()
    let fault = bench.tell(.primaryAddress(nil), 1)
    #expect(fault == ["1: hold 0", "0: send 0", "0: hold 0"])
    #expect(bench.states == [.initialize, .initialize])
    #expect(bench.group.deadline == nil)
    _ = bench.tell(.primaryAddress(address("10.0.0.5")), 1)
    #expect(bench.states == [.backup, .backup])
    _ = bench.run(400)
    #expect(bench.group.isActive)
  }

  @Test func aGroupThatStartsWithAFaultWaits() {
    var bench = Bench(insideAddress: nil)
    _ = bench.tell(.start)
    _ = bench.run(1000)
    #expect(bench.states == [.initialize, .initialize])
    _ = bench.tell(.primaryAddress(address("10.0.0.5")), 1)
    _ = bench.run(400)
    #expect(bench.group.isActive)
  }

  @Test func aWeightOfOneMemberIsAdvertisedByAll() {
    var bench = Bench()
    bench.activate()
    let effects = bench.tell(.track("pool", isWell: false), 0)
    #expect(effects == ["0: send 90", "1: send 90"])
  }

  @Test func aCleanStopResignsOnEveryLink() {
    var bench = Bench()
    bench.activate()
    let effects = bench.tell(.shutdown)
    #expect(effects == ["0: send 0", "0: hold 0", "1: send 0", "1: hold 0"])
    #expect(bench.states == [.initialize, .initialize])
  }

  @Test func aReleaseMovesAllMembers() {
    var bench = Bench()
    bench.activate()
    let lowered = bench.tell(.handover(.release))
    #expect(lowered.sorted() == ["0: send 1", "1: send 1"])
    let resigned = bench.run(520)
    #expect(resigned.contains("0: send 0") && resigned.contains("1: send 0"))
    #expect(bench.states == [.backup, .backup])
  }

  @Test func noSuchMemberIsNoEvent() {
    var bench = Bench()
    bench.activate()
    let effects = bench.tell(.tick, 2) + bench.tell(.tick, -1)
    #expect(effects.isEmpty)
  }
}
