import BFD
import Model
import Testing
import Wire

/// Two sessions over a path that loses packets.
private struct Pair {
  struct Delivery {
    var at: Instant
    var side: Int
    var bytes: [UInt8]
  }

  var random: Random
  var now = epoch
  var sessions: [Session]
  var flight: [Delivery] = []
  var sent = [0, 0]
  /// Losses in a row, per direction, and the most that are allowed.
  var lost = [0, 0]
  var mostLost = 0
  var share: UInt32 = 0
  var isCut = false
  var downs = 0
  let delay: Duration

  init(seed: UInt64, delay: Duration = .microseconds(200), _ change: (Int, inout SessionSettings) -> Void = { _, _ in })
  {
    random = Random(seed: seed)
    self.delay = delay
    sessions = (0..<2).map { side in
      var settings = SessionSettings(
        discriminator: UInt32(side + 1), transmit: .milliseconds(50), receive: .milliseconds(50), multiplier: 3)
      change(side, &settings)
      return Session(settings)
    }
  }

  var areUp: Bool { sessions.allSatisfy { $0.state == .up } }

  mutating func run(_ side: Int, _ event: Session.Event) {
    var effects: [Session.Effect] = []
    sessions[side].handle(event, at: now, random: &random, into: &effects)
    for effect in effects {
      switch effect {
      case .changed(let change): if change.from == .up { downs += 1 }
      case .dropped: break
      case .send(let bytes):
        sent[side] += 1
        if isCut || lost[side] < mostLost && random.below(100) < share {
          lost[side] += 1
          continue
        }
        lost[side] = 0
        flight.append(Delivery(at: now + delay, side: 1 - side, bytes: bytes))
      }
    }
  }

  mutating func run(for duration: Duration, until stop: (Pair) -> Bool = { _ in false }) {
    let end = now + duration
    while !stop(self) {
      guard let next = (flight.map(\.at) + sessions.compactMap(\.deadline)).min(), next <= end else { break }
      now = max(now, next)
      // What has arrived is read before time is told, as the driver does.
      if let index = flight.firstIndex(where: { $0.at <= now }) {
        let delivery = flight.remove(at: index)
        run(delivery.side, .received(delivery.bytes, ttl: 255))
      } else {
        for side in 0..<2 { run(side, .timer) }
      }
    }
    if !stop(self) { now = end }
  }

  mutating func start() {
    run(0, .start)
    run(1, .start)
  }
}

@Suite struct SimulationTests {
  @Test func lossesBelowTheMultiplierNeverFlap() {
    for seed in 0..<100 as Range<UInt64> {
      var pair = Pair(seed: seed) { $1.multiplier = UInt8(3 + seed % 3) }
      pair.start()
      pair.run(for: .seconds(5)) { $0.areUp }
      pair.run(for: .seconds(1))
      #expect(pair.areUp && pair.downs == 0)
      pair.share = 60
      pair.mostLost = Int(2 + seed % 3)
      pair.run(for: .seconds(10))
      #expect(pair.areUp && pair.downs == 0, "seed \(seed)")
    }
  }

  @Test func aCutPathIsSeenByBothWithinTheDetectionTime() {
    for seed in 0..<100 as Range<UInt64> {
      var pair = Pair(seed: seed)
      pair.start()
      pair.run(for: .seconds(10))
      #expect(pair.areUp)
      pair.isCut = true
      let cut = pair.now
      pair.run(for: .seconds(2)) { $0.downs == 2 }
      #expect(pair.downs == 2 && pair.now - cut <= .milliseconds(151))
      pair.isCut = false
      pair.run(for: .seconds(5)) { $0.areUp }
      #expect(pair.areUp, "seed \(seed)")
    }
  }

  @Test func ratesAreNegotiated() {
    // Each sends at the slower of its own wish and what the other can hear.
    var pair = Pair(seed: 1) { side, settings in
      settings.transmit = side == 0 ? .milliseconds(20) : .milliseconds(100)
      settings.receive = side == 0 ? .milliseconds(200) : .milliseconds(40)
      settings.multiplier = side == 0 ? 3 : 5
    }
    pair.start()
    pair.run(for: .seconds(5))
    #expect(pair.sessions.map(\.transmitInterval) == [.milliseconds(40), .milliseconds(200)])
    #expect(pair.sessions.map(\.detectionTime) == [.milliseconds(1000), .milliseconds(120)])
    pair.sent = [0, 0]
    pair.run(for: .seconds(20))
    #expect((500...670).contains(pair.sent[0]) && (100...135).contains(pair.sent[1]), "\(pair.sent)")
  }

  @Test func ratesChangeWithoutAFlap() {
    for seed in 0..<60 as Range<UInt64> {
      var pair = Pair(seed: seed)
      pair.start()
      pair.run(for: .seconds(5))
      pair.share = 30
      pair.mostLost = 2
      for _ in 0..<20 {
        let side = Int(pair.random.below(2))
        var settings = pair.sessions[side].settings
        settings.transmit = .milliseconds([20, 50, 200, 1000][Int(pair.random.below(4))])
        settings.receive = .milliseconds([20, 50, 200, 1000][Int(pair.random.below(4))])
        pair.run(side, .change(settings))
        pair.run(for: .milliseconds(Int64(pair.random.below(3000))))
      }
      pair.run(for: .seconds(8))
      #expect(pair.areUp && pair.downs == 0, "seed \(seed)")
      let wanted = (0..<2).map { max(pair.sessions[$0].settings.transmit, pair.sessions[1 - $0].settings.receive) }
      #expect(pair.sessions.map(\.transmitInterval) == wanted)
    }
  }

  @Test func anyStartsAndStopsEndUpAgain() {
    for seed in 0..<300 as Range<UInt64> {
      var pair = Pair(seed: seed) { side, settings in settings.passive = side == 1 && seed % 3 == 0 }
      pair.start()
      pair.share = 40
      pair.mostLost = 1000
      for _ in 0..<10 {
        pair.run(Int(pair.random.below(2)), pair.random.below(2) == 0 ? .stop : .start)
        pair.run(for: .milliseconds(Int64(pair.random.below(2000))))
      }
      pair.share = 0
      pair.start()
      pair.run(for: .seconds(15)) { $0.areUp }
      #expect(pair.areUp, "seed \(seed)")
    }
  }
}
