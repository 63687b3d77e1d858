import Health
import Model
import Testing

let epoch = Instant(nanoseconds: 1_000_000_000)

func settings(
  rise: Int = 2, fall: Int = 3, initial: Probe.Initial = .down, slowStart: Duration = .zero,
  outlier: OutlierPolicy? = nil
) -> BackendHealth.Settings {
  var probe = Probe(kind: .tcp(send: [], expect: nil))
  probe.rise = rise
  probe.fall = fall
  probe.initial = initial
  var settings = BackendHealth.Settings()
  settings.probe = probe
  settings.slowStart = slowStart
  settings.outlier = outlier
  return settings
}

/// Plays events one second apart: "+" a success, "-" a failure; gives a letter per state after each.
func play(_ events: String, _ machine: inout BackendHealth, from start: Instant = epoch) -> String {
  var effects: [BackendHealth.Effect] = []
  var states = ""
  for (second, event) in events.enumerated() {
    let outcome = event == "+" ? ProbeOutcome.success : .failure("connect: refused")
    machine.handle(.probe(outcome), at: start + .seconds(second), into: &effects)
    states += machine.verdict.state.rawValue.prefix(1)
  }
  return states
}

@Suite struct BackendHealthTests {
  @Test(
    arguments: [
      // rise 2, fall 3: the first success is enough, then it takes two.
      (.down, "+", "u"),
      (.down, "---+", "dddd"),
      (.down, "-++", "ddu"),
      (.down, "+---", "uuud"),
      (.down, "+--+--+", "uuuuuuu"),
      (.down, "+---+-++", "uuuddddu"),
      (.down, "+---+++---", "uuudduuuud"),
      (.up, "---", "uud"),
      (.up, "-+--", "uuuu"),
      (.up, "---++", "uuddu"),
    ] as [(Probe.Initial, String, String)])
  func riseAndFall(initial: Probe.Initial, events: String, expected: String) {
    var machine = BackendHealth(settings(initial: initial), cold: false, at: epoch)
    #expect(play(events, &machine) == expected)
  }

  @Test func theVerdictSaysWhyAndSinceWhen() {
    var machine = BackendHealth(settings(fall: 1), cold: false, at: epoch)
    #expect(machine.verdict == Verdict(.down, reason: "not probed yet", since: epoch))
    var effects: [BackendHealth.Effect] = []
    machine.handle(.probe(.status(503, expected: [200...399])), at: epoch + .seconds(1), into: &effects)
    let refused = Verdict(.down, reason: "HTTP 503, expected 200-399", since: epoch)
    #expect(effects == [.restated(refused)])
    effects = []
    machine.handle(.probe(.status(204, expected: [200...299, 304...304])), at: epoch + .seconds(2), into: &effects)
    machine.handle(.probe(.success), at: epoch + .seconds(3), into: &effects)
    let up = Verdict(.up, reason: "probe succeeded", since: epoch + .seconds(3))
    #expect(effects == [.changed(from: refused, to: up)])
    effects = []
    machine.handle(.probe(.success), at: epoch + .seconds(4), into: &effects)
    #expect(effects.isEmpty)
    #expect(ProbeOutcome.status(500, expected: [200...200, 300...399]) == .failure("HTTP 500, expected 200, 300-399"))
    #expect(ProbeOutcome.timeout(.seconds(1), in: "connect") == .failure("timeout after 1s in connect"))
    #expect(ProbeOutcome.timeout(.milliseconds(1500)) == .failure("timeout after 1500ms"))
  }

  @Test func withoutAProbeABackendIsUp() {
    var machine = BackendHealth(BackendHealth.Settings(), cold: false, at: epoch)
    #expect(machine.verdict == Verdict(.up, reason: "no probe", since: epoch))
    #expect(play("---", &machine) == "uuu")
    #expect(machine.nextTimer == nil)
  }

  @Test func slowStartWarmsUpWhoeverComesBackButNotANodesFirstVerdict() {
    var machine = BackendHealth(settings(slowStart: .seconds(10)), cold: false, at: epoch)
    #expect(play("+---++", &machine) == "uuuddw")
    let risen = epoch + .seconds(5)
    #expect(machine.nextTimer == risen + .milliseconds(500))
    var effects: [BackendHealth.Effect] = []
    var steps = 0
    while let timer = machine.nextTimer {
      machine.handle(.tick, at: timer, into: &effects)
      steps += 1
      guard steps < 100 else { break }
    }
    #expect(steps == 20)
    #expect(effects.count { $0 == .warmed } == 20)
    #expect(machine.verdict == Verdict(.up, reason: "probe succeeded", since: risen + .seconds(10)))
  }

  @Test func aNewcomerToARunningPoolWarmsUp() {
    var probed = BackendHealth(settings(slowStart: .seconds(10)), cold: true, at: epoch)
    #expect(play("+", &probed) == "w")
    var unprobed = BackendHealth.Settings()
    unprobed.slowStart = .seconds(10)
    #expect(BackendHealth(unprobed, cold: true, at: epoch).verdict.state == .warming)
    #expect(BackendHealth(unprobed, cold: false, at: epoch).verdict.state == .up)
  }

  @Test func aBackendThatWasDownAtTheStartWarmsUp() {
    var machine = BackendHealth(settings(slowStart: .seconds(10)), cold: false, at: epoch)
    #expect(play("-++", &machine) == "ddw")
  }

  @Test func failingWhileWarmingGoesDown() {
    var machine = BackendHealth(settings(fall: 2, slowStart: .seconds(100)), cold: true, at: epoch)
    #expect(play("+--++", &machine) == "wwddw")
    #expect(machine.verdict.since == epoch + .seconds(4))
  }

  @Test func ejectionsDoubleAndForgetAfterQuiet() {
    var outlier = OutlierPolicy()
    outlier.baseEjection = .seconds(10)
    outlier.maxEjection = .seconds(60)
    var machine = BackendHealth(settings(outlier: outlier), cold: false, at: epoch)
    #expect(play("+", &machine) == "u")
    var effects: [BackendHealth.Effect] = []
    var now = epoch + .seconds(1)
    var lengths: [Duration] = []
    func eject(after quiet: Duration) {
      now = now + quiet
      machine.handle(.trip(failures: 5, reason: "reset before a response"), at: now, into: &effects)
      #expect(machine.verdict.state == .ejected)
      #expect(machine.verdict.reason == "5 consecutive failures: reset before a response")
      guard let until = machine.nextTimer else { return }
      // Not a moment sooner.
      machine.handle(.tick, at: Instant(nanoseconds: until.nanoseconds - 1), into: &effects)
      #expect(machine.verdict.state == .ejected)
      machine.handle(.tick, at: until, into: &effects)
      #expect(machine.verdict.state == .up)
      lengths.append(until - now)
      now = until
    }
    for quiet in [1, 1, 1, 1, 1, 59, 61, 200, 1000] { eject(after: .seconds(quiet)) }
    #expect(lengths.map { $0.milliseconds / 1000 } == [10, 20, 40, 60, 60, 60, 40, 10, 10])
  }

  @Test func ejectedAndDownMeet() {
    var machine = BackendHealth(
      settings(fall: 2, slowStart: .seconds(5), outlier: OutlierPolicy()), cold: false, at: epoch)
    var effects: [BackendHealth.Effect] = []
    #expect(play("+", &machine) == "u")
    machine.handle(.trip(failures: 5, reason: "HTTP 500"), at: epoch + .seconds(1), into: &effects)
    #expect(machine.verdict.state == .ejected)
    // A second trip from another worker does not double.
    let until = machine.nextTimer
    machine.handle(.trip(failures: 5, reason: "HTTP 500"), at: epoch + .seconds(2), into: &effects)
    #expect(machine.nextTimer == until)
    #expect(play("+--", &machine, from: epoch + .seconds(3)) == "eed")
    machine.handle(.tick, at: epoch + .seconds(20), into: &effects)
    #expect(machine.verdict.state == .down)
    #expect(play("++", &machine, from: epoch + .seconds(21)) == "dw")
    machine.handle(.trip(failures: 5, reason: "HTTP 500"), at: epoch + .seconds(23), into: &effects)
    #expect(machine.verdict.state == .ejected)
    machine.handle(.tick, at: epoch + .seconds(43), into: &effects)
    #expect(machine.verdict.state == .warming)
  }

  @Test func withoutAPolicyTripsDoNothing() {
    var machine = BackendHealth(settings(), cold: false, at: epoch)
    #expect(play("+", &machine) == "u")
    var effects: [BackendHealth.Effect] = []
    machine.handle(.trip(failures: 5, reason: "x"), at: epoch, into: &effects)
    #expect(effects.isEmpty && machine.verdict.state == .up)
  }

  @Test func aReloadKeepsTheVerdict() {
    var machine = BackendHealth(settings(), cold: false, at: epoch)
    #expect(play("+--", &machine) == "uuu")
    var effects: [BackendHealth.Effect] = []
    // The same probe: even the count goes on.
    machine.reconfigure(settings(), at: epoch + .seconds(3), into: &effects)
    #expect(machine.isChanging)
    // Another probe: up stays up, the count starts anew.
    machine.reconfigure(settings(fall: 2), at: epoch + .seconds(3), into: &effects)
    #expect(effects.isEmpty && machine.verdict.state == .up)
    #expect(play("-+--", &machine, from: epoch + .seconds(4)) == "uuud")
    machine.reconfigure(settings(rise: 3), at: epoch + .seconds(9), into: &effects)
    #expect(machine.verdict.state == .down)
    #expect(play("+++", &machine, from: epoch + .seconds(10)) == "ddu")
    // The probe is gone: nothing says down any more.
    #expect(play("---", &machine, from: epoch + .seconds(20)) == "uud")
    machine.reconfigure(BackendHealth.Settings(), at: epoch + .seconds(30), into: &effects)
    #expect(machine.verdict == Verdict(.up, reason: "no probe", since: epoch + .seconds(30)))
    // And back: it serves until the probe proves otherwise.
    machine.reconfigure(settings(), at: epoch + .seconds(40), into: &effects)
    #expect(machine.verdict.state == .up && machine.verdict.since == epoch + .seconds(30))
    #expect(play("---", &machine, from: epoch + .seconds(41)) == "uud")
  }

  @Test func backFromMaintenanceWhatWasKnownIsOld() {
    var machine = BackendHealth(settings(slowStart: .seconds(10)), cold: false, at: epoch)
    #expect(play("+", &machine) == "u")
    var effects: [BackendHealth.Effect] = []
    machine.handle(.resume, at: epoch + .seconds(5), into: &effects)
    #expect(machine.verdict.state == .down)
    #expect(play("+", &machine, from: epoch + .seconds(6)) == "w")
  }

  @Test func randomTracesKeepTheInvariants() {
    var random = TraceRandom(state: 99)
    for _ in 0..<300 {
      var outlier = OutlierPolicy()
      outlier.baseEjection = .seconds(Int(random.next(5)))
      var machine = BackendHealth(
        settings(
          rise: 1 + Int(random.next(3)), fall: 1 + Int(random.next(3)), slowStart: .seconds(Int(random.next(4))),
          outlier: outlier),
        cold: random.next(2) == 0, at: epoch)
      var now = epoch
      var effects: [BackendHealth.Effect] = []
      var last = machine.verdict
      for _ in 0..<100 {
        now = now + .milliseconds(Int(random.next(1500)))
        effects = []
        switch random.next(6) {
        case 0, 1: machine.handle(.probe(.success), at: now, into: &effects)
        case 2: machine.handle(.probe(.failure("f")), at: now, into: &effects)
        case 3: machine.handle(.trip(failures: 5, reason: "t"), at: now, into: &effects)
        case 4: machine.handle(.tick, at: now, into: &effects)
        default:
          machine.reconfigure(
            settings(slowStart: .seconds(Int(random.next(3))), outlier: random.next(4) == 0 ? nil : outlier), at: now,
            into: &effects)
        }
        // What changed is what was said to have changed, in order, with its time.
        for case .changed(let from, let to) in effects {
          #expect(from.state == last.state && to.state != from.state && to.since == now)
          last = to
        }
        for case .restated(let verdict) in effects { last = verdict }
        #expect(machine.verdict == last)
        #expect(!machine.verdict.reason.isEmpty)
        if machine.isEjected { #expect(machine.nextTimer != nil) }
        if machine.verdict.state == .warming { #expect(machine.nextTimer != nil) }
      }
    }
  }
}

/// A tiny seeded generator, so that traces repeat.
struct TraceRandom {
  var state: UInt64
  mutating func next(_ bound: UInt64) -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) % bound
  }
}
