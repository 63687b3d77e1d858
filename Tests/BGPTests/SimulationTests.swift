import BGP
import Model
import Testing
import Wire

/// Two sessions and a network that delays, loses and cuts; whatever happens, they end Established.
private struct Pair {
  struct Delivery {
    var at: Instant
    var side: Int
    var event: SessionEvent
  }

  /// A connection, named by the end that opened it, and where its bytes come from.
  struct Direction: Hashable {
    var from: Int
    var opened: ConnectionID
    var by: Int
  }

  var random: Random
  var now = epoch
  var sessions: [Session]
  /// Bytes in flight; per connection and direction in order, as TCP keeps them.
  var flight: [Delivery] = []
  /// Both ends of each connection that lives: [side: id] by number.
  var ends: [[ConnectionID]] = []
  var lastArrival: [Direction: Instant] = [:]
  var accepted: UInt64 = 0
  let isCalmAfter: Instant
  /// No hold timer, and a peer that never connects: a silent loss would be nobody's to see (RFC 4271 §4.2
  /// leaves it to TCP), so here every loss is seen.
  var isDeaf: Bool { sessions[1].settings.passive && sessions.contains { $0.settings.holdTime == 0 } }

  init(seed: UInt64) {
    var random = Random(seed: seed)
    var settings: [SessionSettings] = []
    let isInternal = random.below(4) == 0
    for side in 0..<2 {
      settings.append(
        SessionSettings(
          localAS: isInternal ? 65001 : UInt32(65001 + side), identifier: UInt32(10 + side),
          peerAS: .exactly(isInternal ? 65001 : UInt32(65002 - side)), passive: side == 1 && random.below(4) == 0,
          holdTime: [0, 3, 9, 90][Int(random.below(4))], connectRetry: .seconds(2),
          delayOpen: random.below(4) == 0 ? .seconds(1) : .zero, openHold: .seconds(6), idleHoldMaximum: .seconds(4),
          gracefulRestart: random.below(3) == 0 ? GracefulRestart(seconds: 60, families: []) : nil))
    }
    sessions = settings.map { Session($0) }
    self.random = random
    isCalmAfter = epoch + .seconds(8)
  }

  var isEstablished: Bool {
    guard let first = sessions[0].established?.id, let second = sessions[1].established?.id else { return false }
    return ends.contains { $0 == [first, second] }
  }

  var isChaotic: Bool { now < isCalmAfter }

  mutating func deliver(_ side: Int, _ event: SessionEvent, key: Direction) {
    // Simultaneous by choice: many delays are equal.
    let delay = Duration.milliseconds([1, 1, 1, 20, 200][Int(random.below(isChaotic ? 5 : 2))])
    var at = now + delay
    if let last = lastArrival[key], last > at { at = last }
    lastArrival[key] = at
    flight.append(Delivery(at: at, side: side, event: event))
  }

  mutating func run(_ side: Int, _ event: SessionEvent) {
    var effects: [SessionEffect] = []
    sessions[side].handle(event, at: now, random: &random, into: &effects)
    for effect in effects {
      switch effect {
      case .connect(let id):
        if isChaotic, random.below(3) == 0 {
          if random.below(2) == 0 { deliver(side, .failed(id), key: Direction(from: 1 - side, opened: id, by: side)) }
          continue
        }
        accepted += 1
        let there = ConnectionID(.incoming, accepted)
        ends.append(side == 0 ? [id, there] : [there, id])
        deliver(1 - side, .accepted(there), key: Direction(from: side, opened: id, by: side))
        deliver(side, .connected(id), key: Direction(from: 1 - side, opened: id, by: side))
      case .send(let id, let bytes):
        guard let pair = ends.first(where: { $0[side] == id }) else { continue }
        // A lost segment is a broken connection, or silence until a timer ends it.
        if isChaotic, random.below(40) == 0 {
          if isDeaf || random.below(2) == 0 { cut(pair) } else { ends.removeAll { $0 == pair } }
          continue
        }
        deliver(1 - side, .received(pair[1 - side], bytes), key: key(side, pair))
      case .close(let id):
        guard let pair = ends.first(where: { $0[side] == id }) else { continue }
        deliver(1 - side, .failed(pair[1 - side]), key: key(side, pair))
        ends.removeAll { $0 == pair }
      default: break
      }
    }
  }

  func key(_ side: Int, _ pair: [ConnectionID]) -> Direction {
    let opener = pair[0].origin == .outgoing ? 0 : 1
    return Direction(from: side, opened: pair[opener], by: opener)
  }

  mutating func cut(_ pair: [ConnectionID]) {
    ends.removeAll { $0 == pair }
    for side in 0..<2 { deliver(side, .failed(pair[side]), key: key(1 - side, pair)) }
  }

  /// True when both are Established with each other in calm weather.
  mutating func settles() -> Bool {
    run(0, .start)
    run(1, .start)
    for _ in 0..<4000 {
      if !isChaotic, isEstablished { return true }
      let timers = sessions.compactMap(\.deadline)
      guard let next = (flight.map(\.at) + timers + (isChaotic ? [isCalmAfter] : [])).min() else { return false }
      now = max(now, next)
      // The earliest, and among equals any: reordered between connections.
      let due = flight.indices.filter { flight[$0].at <= now }
      if let index = due.first(where: { _ in random.below(2) == 0 }) ?? due.first {
        // Within one direction of a connection the order holds.
        let chosen = flight[index]
        let first =
          flight.firstIndex { $0.side == chosen.side && $0.event.connection == chosen.event.connection } ?? index
        let delivery = flight.remove(at: first)
        run(delivery.side, delivery.event)
      } else {
        for side in 0..<2 { run(side, .timer) }
        if isChaotic, random.below(200) == 0, let pair = ends.first { cut(pair) }
        if isChaotic, random.below(300) == 0 { run(Int(random.below(2)), .stop(.reset("again"))) }
      }
    }
    return false
  }
}

extension SessionEvent {
  fileprivate var connection: ConnectionID? {
    switch self {
    case .accepted(let id), .connected(let id), .failed(let id), .received(let id, _): id
    default: nil
    }
  }
}

@Suite struct SimulationTests {
  @Test func tenThousandPairsAlwaysEndEstablished() async {
    let stuck = await withTaskGroup(of: [UInt64].self) { group in
      for part in 0..<4 as Range<UInt64> {
        group.addTask {
          (0..<2500).map { part * 2500 + $0 }.filter { seed in
            var pair = Pair(seed: seed)
            return !pair.settles()
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(stuck.isEmpty, "seeds \(stuck.sorted().prefix(10)) of \(stuck.count)")
  }
}
