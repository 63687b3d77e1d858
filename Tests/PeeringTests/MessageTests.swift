import Model
import Peering
import TLS
import Testing
import Wire

extension Random {
  mutating func text(_ limit: UInt32 = 40) -> String {
    String(decoding: (0..<below(limit)).map { _ in UInt8(97 + below(26)) }, as: UTF8.self)
  }

  mutating func report() -> PeerReport {
    let (name, reason, since) = (text(), text(200), next())
    switch below(6) {
    case 0:
      return .node(
        .init(
          phase: [.starting, .serving, .draining][Int(below(3))], generation: next(),
          links: (0..<below(5)).map { _ in .init(name: text(), isUp: below(2) == 0) }))
    case 1: return .pool(name, .init(up: below(9), total: below(9), inFlight: below(.max), capacity: below(.max)))
    case 2:
      var facts = PeerReport.AnnouncementFacts(
        state: [.withdrawn, .degraded, .announced][Int(below(3))], isLast: below(2) == 0, since: since, reason: reason)
      facts.wish = below(3)
      facts.promises = (0..<below(4)).map { _ in .init(node: text(), wish: below(.max)) }
      return .announcement(name, facts)
    case 3:
      return .vip(
        name,
        .init(
          state: [.stopped, .backup, .owner, .fault][Int(below(4))], priority: UInt8(below(256)), since: since))
    case 4: return .verdict(name, .init(state: [.unknown, .up, .down][Int(below(3))], since: since, reason: reason))
    default: return .other(.init(kind: 200, name: name), (0..<below(60)).map { _ in UInt8(below(256)) })
    }
  }

  mutating func message() -> Message {
    switch below(9) {
    case 0:
      return .welcome(
        .init(
          name: "n" + text(), site: text(), version: text(), boot: next(), wall: next(),
          position: .init(boot: next(), time: next())))
    case 1: return .heartbeat(.init(time: next(), echo: next(), held: below(.max)))
    case 2: return .acknowledgement(next())
    case 3:
      return .reports(
        .init(
          isWhole: below(2) == 0, isLast: below(2) == 0, reports: (0..<below(20)).map { _ in report() },
          removed: (0..<below(5)).map { _ in .init(kind: UInt8(below(256)), name: text()) }))
    case 4:
      return .registers(
        (0..<below(20)).map { _ in
          Register(
            key: RegisterKey(below(2) == 0 ? .state : .weight, pool: text(), backend: text()), value: text(),
            stamp: Stamp(time: next(), node: text()))
        })
    case 5:
      let pool = text()
      return .entries(
        .init(
          upTo: next(),
          entries: (1..<2 + below(50)).map { _ in
            PersistenceEntry(pool: pool, hash: next(), backend: "b\(below(4))", remaining: below(.max))
          }))
    case 6: return .letter(.init(id: next(), topic: text(), body: (0..<below(4_000)).map { _ in UInt8(below(256)) }))
    case 7: return .receipt(id: next(), isDelivered: below(2) == 0)
    default: return below(2) == 0 ? .farewell : .other(kind: UInt8(60 + below(2) * 140))
    }
  }
}

extension Message {
  static func read(_ bytes: [UInt8]) throws(PeeringError) -> Message { try Message(reading: bytes.span) }
}

extension Channel {
  /// Why the bytes end it; nil when they do not, or when they say anything.
  mutating func fault(_ bytes: [UInt8]) -> PeeringError? {
    var (heard, out): ([Message], [UInt8]) = ([], [])
    do throws(PeeringError) {
      try receive(bytes.span, into: &heard, out: &out)
    } catch {
      return heard.isEmpty && out.isEmpty ? error : nil
    }
    return nil
  }
}

@Suite struct MessageTests {
  @Test func whatIsWrittenIsRead() throws {
    var dice = Random(seed: 1)
    for _ in 0..<2_000 {
      let message = dice.message()
      #expect(try Message.read(message.bytes) == message)
    }
  }

  @Test func aLaterVersionMaySayMore() throws {
    let beat = Message.heartbeat(.init(time: 1, echo: 2, held: 3))
    #expect(try Message.read(beat.bytes + [9, 9]) == beat)
  }

  @Test func whatIsCutIsMalformedOrSomethingElseButNeverATrap() {
    var dice = Random(seed: 2)
    for _ in 0..<500 {
      let bytes = dice.message().bytes
      for length in [0, 1, 2, bytes.count / 2, max(0, bytes.count - 1)] where length < bytes.count {
        _ = try? Message.read(Array(bytes.prefix(length)))
      }
      var changed = bytes
      for _ in 0..<4 { changed[Int(dice.below(UInt32(changed.count)))] = UInt8(dice.below(256)) }
      _ = try? Message.read(changed)
    }
    #expect(throws: PeeringError.malformed) { try Message.read([]) }
    #expect(throws: PeeringError.malformed) { try Message.read([2, 0]) }
  }

  @Test func aTextThatIsTooLongIsCutBetweenCharacters() throws {
    let name = String(repeating: "é", count: 200)
    let report = PeerReport.verdict("x", .init(state: .up, since: 0, reason: name))
    let message = Message.reports(.init(isWhole: true, isLast: true, reports: [report], removed: []))
    guard case .reports(let batch) = try Message.read(message.bytes),
      case .verdict(_, let facts) = batch.reports.first
    else { return #expect(Bool(false)) }
    #expect(facts.reason == String(repeating: "é", count: 127))
  }

  @Test func anyPiecesGiveTheSame() throws {
    var dice = Random(seed: 3)
    for _ in 0..<60 {
      var (caller, callee) = (channel(.caller), channel(.callee))
      var (heard, out, back): ([Message], [UInt8], [UInt8]) = ([], [], [])
      try callee.receive(caller.opening.span, into: &heard, out: &out)
      try caller.receive(out.span, into: &heard, out: &back)
      #expect(back.isEmpty && heard.isEmpty)
      let messages = (0..<20).map { _ in dice.message() }
      let stream = messages.flatMap { caller.seal($0) ?? [] }
      var rest = stream[...]
      var nothing: [UInt8] = []
      while !rest.isEmpty {
        let piece = rest.prefix(1 + Int(dice.below(UInt32(min(900, rest.count)))))
        try callee.receive(Array(piece).span, into: &heard, out: &nothing)
        rest = rest.dropFirst(piece.count)
      }
      #expect(heard == messages)
    }
  }

  @Test func aCalleeSaysNothingButItsHelloToWhoDoesNotHaveTheKey() throws {
    var (caller, callee) = (channel(.caller, "another key, of sixteen"), channel(.callee))
    var (heard, out, back): ([Message], [UInt8], [UInt8]) = ([], [], [])
    try callee.receive(caller.opening.span, into: &heard, out: &out)
    #expect(out.count == 40)
    #expect(!callee.isKeyed)
    try caller.receive(out.span, into: &heard, out: &back)
    let record = caller.seal(.farewell) ?? []
    #expect(callee.fault(record) == PeeringError.forged)
    #expect(heard.isEmpty && back.isEmpty)
  }

  @Test func itsOwnHelloAndForeignProtocolsAreRefused() throws {
    var caller = channel(.caller)
    let opening = caller.opening
    #expect(caller.fault(opening) == PeeringError.forged)
    var callee = channel(.callee)
    let request = Array("GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8\r\n\r\n".utf8)
    #expect(callee.fault(request) == PeeringError.notPeering)
    var later = channel(.callee)
    var hello = caller.opening
    hello[4] = 2
    #expect(later.fault(hello) == PeeringError.version(2))
    var low = channel(.callee)
    #expect(low.fault((Array(caller.opening.prefix(8)) + [UInt8](repeating: 0, count: 32))) == PeeringError.forged)
  }

  private func channel(_ role: Channel.Role, _ key: String = "a key that all nodes share") -> Channel {
    Channel(role, keys: [Array(key.utf8)], .real)
  }
}

@Suite struct HybridClockTests {
  @Test func stampsGrowThoughTheWallClockFalls() {
    var clock = HybridClock()
    let stamps = [1_000, 1_000, 400, 1_001].map { clock.stamp(node: "a", wall: $0) }
    #expect(stamps == stamps.sorted() && Set(stamps).count == 4)
    clock.observe(Stamp(time: 5_000 << 16, node: "b"))
    #expect(clock.stamp(node: "a", wall: 1_002) > Stamp(time: 5_000 << 16, node: "b"))
  }

  @Test func theEndOfTimeStopsNobody() {
    var clock = HybridClock()
    clock.observe(Stamp(time: .max, node: "b"))
    #expect(clock.stamp(node: "a", wall: 1).time < 1 << 20)
  }

  @Test func mergingIsCommutativeAndIdempotent() {
    var dice = Random(seed: 4)
    for _ in 0..<200 {
      let words = (0..<30).map { _ in
        Register(
          key: RegisterKey(.state, pool: "p", backend: "\(dice.below(5))"), value: "\(dice.below(9))",
          stamp: Stamp(time: UInt64(dice.below(20)), node: ["a", "b"][Int(dice.below(2))]))
      }
      // A stamp names one saying: equal stamps carry equal words.
      let unique = Dictionary(words.map { ($0.stamp, $0) }, uniquingKeysWith: { first, _ in first }).values
      var (one, other) = (Registers(), Registers())
      for word in unique { one.merge(word) }
      for word in unique.reversed() + unique.shuffled(using: &dice) { other.merge(word) }
      #expect(one == other)
    }
  }
}
