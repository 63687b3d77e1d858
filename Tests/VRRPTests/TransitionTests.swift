import Model
import Testing
import VRRP

/// Every state × every event: where it leads, and what is to be done.
struct Transition: Sendable, CustomTestStringConvertible {
  var from: RouterState
  var what: String
  var event: VirtualRouter.Event
  var to: RouterState
  /// The effects in short: "send 100", "hold 1", "hold 0", "announce 3", "verify"; reports are left out.
  var effects: [String]
  /// The event comes this long after the state was reached, in milliseconds.
  var after: Int64 = 10
  var testDescription: String { "\(from), \(what)" }

  init(
    _ from: RouterState, _ what: String, _ event: VirtualRouter.Event, _ to: RouterState, _ effects: [String] = [],
    after: Int64 = 10
  ) {
    (self.from, self.what, self.event, self.to, self.effects, self.after) = (from, what, event, to, effects, after)
  }

  static let configuration = RouterConfiguration.example(priority: 100)
  private static func advert(_ priority: UInt8, _ source: String = "192.0.2.1") -> VirtualRouter.Event {
    configuration.advert(priority, from: source)
  }

  /// This node is 192.0.2.5, priority 100, interval 100 ms: skew 60.9 ms, down 360.9 ms.
  static let rows: [Transition] = [
    Transition(.initialize, "start", .start, .backup, ["hold 0"]),
    Transition(.initialize, "shutdown", .shutdown, .initialize),
    Transition(.initialize, "tick", .tick, .initialize, after: 10_000),
    Transition(.initialize, "a higher advert", advert(200), .initialize),
    Transition(.initialize, "a resignation", advert(0), .initialize),
    Transition(.initialize, "address gone", .primaryAddress(nil), .initialize),
    Transition(.initialize, "address back", .primaryAddress(address("192.0.2.5")), .initialize),
    Transition(.initialize, "a fault", .track("link", isWell: false), .initialize),
    Transition(.initialize, "a weight", .track("pool", isWell: false), .initialize),
    Transition(.initialize, "release", .handover(.release), .initialize),
    Transition(.initialize, "claim", .handover(.claim), .initialize),
    Transition(.initialize, "verified", .verified(answeredElsewhere: []), .initialize),
    Transition(.initialize, "reassert", .reassert, .initialize),

    Transition(.backup, "start again", .start, .backup),
    Transition(.backup, "shutdown", .shutdown, .initialize),
    Transition(.backup, "an early tick", .tick, .backup, after: 360),
    Transition(.backup, "the timer", .tick, .active, ["send 100", "hold 1", "announce 3"], after: 361),
    Transition(.backup, "a higher advert", advert(200), .backup),
    Transition(.backup, "an equal advert", advert(100), .backup),
    Transition(.backup, "a lower advert", advert(99), .backup),
    Transition(.backup, "a resignation", advert(0), .backup),
    Transition(.backup, "address gone", .primaryAddress(nil), .initialize),
    Transition(.backup, "a fault", .track("link", isWell: false), .initialize),
    Transition(.backup, "a weight", .track("pool", isWell: false), .backup),
    Transition(.backup, "an unknown thing", .track("moon", isWell: false), .backup),
    Transition(.backup, "release", .handover(.release), .backup),
    Transition(.backup, "claim", .handover(.claim), .backup),
    Transition(.backup, "verified", .verified(answeredElsewhere: []), .backup),
    Transition(.backup, "reassert", .reassert, .backup, ["hold 0"]),

    Transition(.active, "start again", .start, .active),
    Transition(.active, "shutdown", .shutdown, .initialize, ["send 0", "hold 0"]),
    Transition(.active, "an early tick", .tick, .active, after: 99),
    Transition(.active, "the timer", .tick, .active, ["send 100"], after: 100),
    Transition(.active, "a higher advert", advert(101), .backup, ["send 100", "hold 0"]),
    Transition(
      .active, "an equal advert of a greater address", advert(100, "192.0.2.6"), .backup, ["send 100", "hold 0"]),
    Transition(.active, "an equal advert of a lesser address", advert(100), .active, ["send 100", "announce 1"]),
    Transition(.active, "a lower advert", advert(99, "192.0.2.6"), .active, ["send 100", "announce 1"]),
    Transition(.active, "a lower advert just after ours", advert(99), .active, ["announce 1"], after: 9),
    Transition(.active, "a resignation", advert(0), .active, ["send 100"]),
    Transition(.active, "address gone", .primaryAddress(nil), .initialize, ["hold 0"]),
    Transition(.active, "another address", .primaryAddress(address("192.0.2.7")), .active),
    Transition(.active, "a fault", .track("link", isWell: false), .initialize, ["send 0", "hold 0"]),
    Transition(.active, "a weight", .track("pool", isWell: false), .active, ["send 70"]),
    Transition(.active, "release", .handover(.release), .active, ["send 1"]),
    Transition(.active, "claim", .handover(.claim), .active, ["send 254"]),
    Transition(.active, "verified alone", .verified(answeredElsewhere: []), .active),
    Transition(
      .active, "answered elsewhere", .verified(answeredElsewhere: [address("192.0.2.100")]), .active, ["announce 3"]),
    Transition(.active, "somebody else's address", .verified(answeredElsewhere: [address("192.0.2.1")]), .active),
    Transition(.active, "reassert", .reassert, .active, ["hold 1", "announce 3"]),
  ]
}

extension Effect {
  var short: String? {
    switch self {
    case .send(let advert): "send \(advert.priority)"
    case .hold(let order): "hold \(order.addresses.count)"
    case .announce(_, let count): "announce \(count)"
    case .verifyAlone: "verify"
    case .report: nil
    }
  }

  var report: Report? { if case .report(let report) = self { report } else { nil } }
}

/// A router with its clock, for tests that read like traces.
struct Bench {
  var router: VirtualRouter
  var now = at(0)

  init(
    _ configuration: RouterConfiguration = .example(), _ tracks: Tracks = Bench.tracks,
    in state: RouterState = .initialize
  ) {
    router = VirtualRouter(configuration, tracks: tracks, primaryAddress: address("192.0.2.5"))
    guard state != .initialize else { return }
    _ = tell(.start)
    guard state == .active else { return }
    if let deadline = router.deadline, router.state == .backup { now = deadline }
    _ = tell(.tick)
  }

  static var tracks: Tracks {
    var tracks = Tracks()
    tracks.add("link", .fault)
    tracks.add("pool", .weight(-30))
    return tracks
  }

  mutating func tell(_ event: VirtualRouter.Event, after milliseconds: Int64 = 0) -> [Effect] {
    now = now + .milliseconds(milliseconds)
    var effects: [Effect] = []
    router.handle(event, at: now, into: &effects)
    return effects
  }

  /// Runs the timers for so long.
  mutating func run(_ milliseconds: Int64) -> [Effect] {
    let end = now + .milliseconds(milliseconds)
    var effects: [Effect] = []
    while let deadline = router.deadline, deadline <= end {
      now = max(now, deadline)
      router.handle(.tick, at: now, into: &effects)
    }
    now = end
    return effects
  }
}

@Suite struct TransitionTests {
  @Test(arguments: Transition.rows)
  func leadsWhereItShould(row: Transition) {
    var bench = Bench(Transition.configuration, in: row.from)
    #expect(bench.router.state == row.from)
    let effects = bench.tell(row.event, after: row.after)
    #expect(bench.router.state == row.to)
    #expect(effects.compactMap(\.short) == row.effects)
    let isReported = effects.compactMap(\.report).contains {
      if case .changed(row.from, row.to, _) = $0 { true } else { false }
    }
    #expect(isReported == (row.from != row.to), "each change of state is told, with its reason")
  }

  @Test func everyStateMeetsEveryEvent() {
    func kind(_ event: VirtualRouter.Event) -> String { String("\(event)".prefix { $0 != "(" }) }
    let kinds = Set(Transition.rows.map { kind($0.event) })
    #expect(kinds.count == 9)
    for state in RouterState.allCases {
      #expect(Set(Transition.rows.filter { $0.from == state }.map { kind($0.event) }) == kinds)
    }
  }

  /// Active_Down_Interval after an advert, by who sent it.
  @Test func advertsSetTheTimerByTheirInterval() throws {
    let configuration = RouterConfiguration.example(priority: 128)
    let rows: [(VirtualRouter.Event, Int64)] = [
      (configuration.advert(200, from: "192.0.2.1"), 350),
      (configuration.advert(200, from: "192.0.2.1", centiseconds: 100), 3500),
      (configuration.advert(128, from: "192.0.2.1", centiseconds: 1), 35),
      (configuration.advert(0, from: "192.0.2.1"), 50),
    ]
    for (event, milliseconds) in rows {
      var bench = Bench(configuration, in: .backup)
      _ = bench.tell(event, after: 10)
      #expect(bench.router.deadline == bench.now + .milliseconds(milliseconds))
    }
    var bench = Bench(configuration, in: .backup)
    _ = bench.tell(configuration.advert(1, from: "192.0.2.1"), after: 10)
    #expect(bench.router.deadline == at(350), "a lower advert is discarded")
  }

  @Test func aFloodOfResignationsDelaysNothing() {
    var bench = Bench(.example(), in: .backup)
    for _ in 0..<50 where bench.router.state == .backup {
      _ = bench.tell(Transition.configuration.advert(0, from: "192.0.2.1"), after: 10)
      if let deadline = bench.router.deadline, deadline <= bench.now { _ = bench.tell(.tick) }
    }
    #expect(bench.router.activeSince == at(80))
  }

  @Test func aFloodOfLowerAdvertsIsAnsweredTenTimesAnInterval() {
    var bench = Bench(.example(), in: .active)
    var sent = 0
    for _ in 0..<1000 {
      sent += bench.tell(Transition.configuration.advert(9, from: "192.0.2.1"), after: 1).count {
        if case .send = $0 { true } else { false }
      }
    }
    #expect(sent == 100)
  }
}
