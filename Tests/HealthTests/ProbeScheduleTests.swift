import Health
import Model
import Testing

@Suite struct ProbeScheduleTests {
  func pace(_ every: Int = 2000, fast: Int? = nil, jitter: Double = 0) -> ProbeSchedule.Pace {
    ProbeSchedule.Pace(every: .milliseconds(every), fast: fast.map { .milliseconds($0) }, jitter: jitter)
  }

  /// Runs until `end`; every probe takes 1 ms. Gives the starts of each.
  func run(_ schedule: inout ProbeSchedule, until end: Instant, changing: Set<Int> = []) -> [Int: [Instant]] {
    var starts: [Int: [Instant]] = [:]
    while let due = schedule.nextDue, due <= end {
      while let id = schedule.popDue(at: due) {
        starts[id, default: []].append(due)
        schedule.finished(id, changing: changing.contains(id), at: due + .milliseconds(1))
      }
    }
    return starts
  }

  @Test func firstProbesComeAtOnce() {
    var schedule = ProbeSchedule(seed: 1)
    for id in 0..<3 { schedule.set(id, pace: pace(), at: epoch) }
    #expect(schedule.nextDue == epoch)
    #expect(schedule.popDue(at: epoch + .milliseconds(1)) == 0)
    #expect(schedule.popDue(at: epoch + .milliseconds(1)) == 1)
    #expect(schedule.popDue(at: epoch + .milliseconds(1)) == 2)
    #expect(schedule.popDue(at: epoch + .milliseconds(1)) == nil)
    #expect(schedule.nextDue == nil)
  }

  @Test func twoThousandBackendsAreSpreadOverTheInterval() {
    var schedule = ProbeSchedule(seed: 1)
    for id in 0..<2000 { schedule.set(id, pace: pace(jitter: 0.1), at: epoch) }
    let starts = run(&schedule, until: epoch + .seconds(20))
    #expect(starts.count == 2000)
    #expect(starts.values.allSatisfy { ($0.first ?? epoch) < epoch + .milliseconds(1001) })
    // From the fourth second on, every 100 ms sees its twentieth of the probes, give or take.
    var buckets = Array(repeating: 0, count: 200)
    for start in starts.values.joined() { buckets[min(199, Int((start - epoch).milliseconds / 100))] += 1 }
    #expect(buckets[40..<195].allSatisfy { (40...180).contains($0) }, "\(buckets)")
    #expect(starts.values.allSatisfy { (9...12).contains($0.count) })
  }

  @Test func intervalsVaryByTheJitterOnly() {
    var schedule = ProbeSchedule(seed: 7)
    for id in 0..<20 { schedule.set(id, pace: pace(1000, jitter: 0.2), at: epoch) }
    for times in run(&schedule, until: epoch + .seconds(60)).values {
      for (one, next) in zip(times.dropFirst(), times.dropFirst(2)) {
        #expect((800...1200).contains((next - one).milliseconds))
      }
    }
  }

  @Test func aChangingVerdictIsProbedFaster() {
    var schedule = ProbeSchedule(seed: 1)
    schedule.set(1, pace: pace(2000, fast: 200), at: epoch)
    schedule.set(2, pace: pace(2000, fast: 200), at: epoch)
    let starts = run(&schedule, until: epoch + .seconds(10), changing: [1])
    #expect((starts[1]?.count ?? 0) > 45 && (starts[2]?.count ?? 0) < 8)
  }

  @Test func wordOfAChangeMovesTheWaitThatRuns() {
    var schedule = ProbeSchedule(seed: 1)
    schedule.set(1, pace: pace(2000, fast: 200), at: epoch)
    let starts = run(&schedule, until: epoch + .seconds(5))[1] ?? []
    let last = starts.last ?? epoch
    schedule.setChanging(1, true, at: last + .milliseconds(2))
    #expect(schedule.nextDue == last + .milliseconds(200))
    schedule.setChanging(1, true, at: last + .milliseconds(3))
    #expect(schedule.nextDue == last + .milliseconds(200))
    #expect(schedule.popDue(at: last + .milliseconds(200)) == 1)
    // It goes on without being said again, until the opposite is said.
    schedule.finished(1, at: last + .milliseconds(201))
    #expect(schedule.nextDue == last + .milliseconds(400))
    schedule.setChanging(1, false, at: last + .milliseconds(202))
    #expect(schedule.nextDue == last + .milliseconds(2200))
  }

  @Test func wordOfAChangeBeforeTheFirstProbeMovesNothing() {
    var schedule = ProbeSchedule(seed: 1)
    for id in 0..<2 { schedule.set(id, pace: pace(2000, fast: 200), at: epoch) }
    schedule.setChanging(1, true, at: epoch)
    schedule.setChanging(7, true, at: epoch)
    #expect(schedule.popDue(at: epoch) == 0)
    #expect(schedule.nextDue == epoch + .microseconds(500))
    #expect(schedule.popDue(at: epoch + .microseconds(500)) == 1)
    schedule.setChanging(1, false, at: epoch + .milliseconds(1))
    #expect(schedule.nextDue == nil)
  }

  @Test func aProbeIsNeverStartedTwiceAtOnce() {
    var schedule = ProbeSchedule(seed: 1)
    schedule.set(1, pace: pace(10), at: epoch)
    #expect(schedule.popDue(at: epoch) == 1)
    schedule.hasten(1, at: epoch + .seconds(1))
    schedule.set(1, pace: pace(20), at: epoch + .seconds(1))
    #expect(schedule.popDue(at: epoch + .seconds(5)) == nil)
    // It took longer than its interval: the next one comes now.
    schedule.finished(1, changing: false, at: epoch + .seconds(5))
    #expect(schedule.nextDue == epoch + .seconds(5))
    schedule.finished(1, changing: false, at: epoch + .seconds(6))
    #expect(schedule.nextDue == epoch + .seconds(5))
  }

  @Test func removedAndHastenedTargets() {
    var schedule = ProbeSchedule(seed: 1)
    for id in 0..<4 { schedule.set(id, pace: pace(), at: epoch) }
    _ = run(&schedule, until: epoch + .milliseconds(10))
    for id in 0..<3 { schedule.remove(id) }
    #expect(schedule.count == 1)
    schedule.hasten(3, at: epoch + .milliseconds(20))
    #expect(schedule.nextDue == epoch + .milliseconds(20))
    #expect(schedule.popDue(at: epoch + .milliseconds(20)) == 3)
    schedule.remove(3)
    schedule.finished(3, changing: false, at: epoch + .milliseconds(30))
    #expect(schedule.nextDue == nil && schedule.count == 0)
  }

  @Test func aSoonerPaceTakesEffectAtOnceAndALaterOneAfterTheTurn() {
    var schedule = ProbeSchedule(seed: 1)
    schedule.set(1, pace: pace(60_000), at: epoch)
    _ = run(&schedule, until: epoch + .seconds(1))
    schedule.set(1, pace: pace(500), at: epoch + .seconds(1))
    #expect(schedule.nextDue == epoch + .milliseconds(1500))
    schedule.set(1, pace: pace(60_000), at: epoch + .seconds(1))
    #expect(schedule.nextDue == epoch + .milliseconds(1500))
  }

  @Test func theSameSeedGivesTheSameTimes() {
    var one = ProbeSchedule(seed: 9), other = ProbeSchedule(seed: 9)
    for id in 0..<50 {
      one.set(id, pace: pace(jitter: 0.5), at: epoch)
      other.set(id, pace: pace(jitter: 0.5), at: epoch)
    }
    #expect(run(&one, until: epoch + .seconds(30)) == run(&other, until: epoch + .seconds(30)))
  }
}
