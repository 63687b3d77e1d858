import Reactor
import Testing
import Wire

/// A loop that sleeps exactly as long as the wheel allows, in virtual milliseconds.
private struct Sleeper: ~Copyable {
  var now: Int64
  var wheel: TimerWheel
  /// By token: when it is to fire, and when it has.
  var deadlines: [UInt64: Int64] = [:]
  var fired: [UInt64: Int64] = [:]

  init(now: Int64) {
    self.now = now
    wheel = TimerWheel(limit: 10_000, now: now)
  }

  mutating func arm(after delay: Int64) {
    let token = UInt64(deadlines.count)
    guard let timer = wheel.insert(token: token) else { return }
    deadlines[token] = now + delay
    wheel.arm(timer, by: now + delay)
  }

  mutating func sleep() -> Bool {
    guard let wait = wheel.wait(from: now) else { return false }
    now += max(wait, 1)
    wheel.advance(to: now)
    while let token = wheel.nextDue() { fired[token] = now }
    return true
  }
}

@Suite struct TimerWheelTests {
  @Test(arguments: [0, 1, 249, 252, 255, 256, 1_000_003] as [Int64])
  func `no timer fires early, and none more than two ticks late, whenever the loop goes to sleep`(start: Int64) {
    var random = Random(seed: UInt64(start) + 1)
    for _ in 0..<200 {
      var loop = Sleeper(now: start + Int64(random.below(1000)))
      for _ in 0..<3 {
        loop.arm(after: Int64(random.below([10, 300, 5_000, 100_000 as UInt32][Int(random.below(4))])))
      }
      while loop.sleep() {}
      for (token, deadline) in loop.deadlines {
        let late = (loop.fired[token] ?? .max) - deadline
        #expect((0...2 * TimerWheel.tickMilliseconds).contains(late), "armed for \(deadline), \(late) ms late")
      }
    }
  }

  @Test func `a timer that is moved back and disarmed does not fire`() {
    var wheel = TimerWheel(limit: 16, now: 0)
    guard let timer = wheel.insert(token: 7) else { return #expect(Bool(false)) }
    wheel.arm(timer, by: 1000)
    wheel.arm(timer, by: 500)
    wheel.disarm(timer)
    wheel.advance(to: 2000)
    #expect(wheel.nextDue() == nil)
    #expect(wheel.wait(from: 2000) == nil)
  }
}
