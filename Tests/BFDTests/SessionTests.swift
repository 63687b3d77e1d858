import BFD
import Model
import Testing
import Wire

let epoch = Instant(nanoseconds: 1_000_000_000)

/// One session against packets that the test makes. Ours is discriminator 7, the peer's 9.
struct Rig {
  var session: Session
  var random = Random(seed: 1)
  var now = epoch

  init(
    _ settings: SessionSettings = SessionSettings(
      discriminator: 7, transmit: .milliseconds(50), receive: .milliseconds(60))
  ) {
    session = Session(settings)
  }

  @discardableResult mutating func on(_ event: Session.Event) -> [Session.Effect] {
    var effects: [Session.Effect] = []
    session.handle(event, at: now, random: &random, into: &effects)
    return effects
  }

  @discardableResult mutating func hear(_ packet: ControlPacket, ttl: UInt8 = 255) -> [Session.Effect] {
    on(.received(packet.encode(), ttl: ttl))
  }

  /// What the peer says in `state`.
  func peer(_ state: State, _ change: (inout ControlPacket) -> Void = { _ in }) -> ControlPacket {
    var packet = ControlPacket(
      state: state, multiplier: 3, myDiscriminator: 9, yourDiscriminator: state == .down || state == .adminDown ? 0 : 7,
      desiredMinTX: 100_000, requiredMinRX: 80_000)
    change(&packet)
    return packet
  }

  mutating func bring(to state: State) {
    if state == .adminDown { return }
    on(.start)
    if state == .down { return }
    hear(peer(.down))
    if state == .initializing { return }
    hear(peer(.up) { $0.final = true })
  }
}

extension [Session.Effect] {
  var packets: [ControlPacket] {
    compactMap { if case .send(let bytes) = $0 { try? decode(bytes) } else { nil } }
  }
  var change: Session.Change? {
    for case .changed(let change) in self { return change }
    return nil
  }
  var dropped: PacketError? {
    for case .dropped(let error) in self { return error }
    return nil
  }
}

@Suite struct SessionTests {
  /// RFC 5880 §6.2: rows are our state, columns what the peer says: AdminDown, Down, Init, Up.
  @Test func everyStateMeetsEveryStateOfThePeer() {
    let table: [(State, [State])] = [
      (.adminDown, [.adminDown, .adminDown, .adminDown, .adminDown]),
      (.down, [.down, .initializing, .up, .down]),
      (.initializing, [.down, .initializing, .up, .up]),
      (.up, [.down, .down, .up, .up]),
    ]
    for (ours, row) in table {
      for (theirs, expected) in zip(State.allCases, row) {
        var rig = Rig()
        rig.bring(to: ours)
        #expect(rig.session.state == ours)
        rig.hear(rig.peer(theirs))
        #expect(rig.session.state == expected, "\(ours) hears \(theirs)")
        for event in [Session.Event.timer, .start, .received([], ttl: 255), .change(rig.session.settings)] {
          rig.on(event)
          #expect(rig.session.state == (expected == .adminDown && event == .start ? .down : expected))
          if expected == .adminDown, event == .start { rig.on(.stop) }
        }
        rig.on(.stop)
        #expect(rig.session.state == .adminDown)
      }
    }
  }

  @Test func theHandshakeTakesThreePackets() {
    var rig = Rig()
    let first = rig.on(.start).packets
    #expect(first.map(\.state) == [.down] && first[0].yourDiscriminator == 0 && first[0].desiredMinTX == 1_000_000)
    let second = rig.hear(rig.peer(.down)).packets
    #expect(second.map(\.state) == [.initializing] && second[0].yourDiscriminator == 9)
    let third = rig.hear(rig.peer(.up))
    #expect(third.change?.to == .up && third.packets[0].poll && third.packets[0].desiredMinTX == 50_000)
    #expect(rig.session.transmitInterval == .milliseconds(80), "not faster than the peer can hear")
    #expect(rig.session.detectionTime == .milliseconds(300), "its multiplier, its rate")
  }

  @Test func aPollIsAnsweredAtOnceAndEndsWithAFinal() {
    var rig = Rig()
    rig.bring(to: .initializing)
    #expect(rig.hear(rig.peer(.up) { $0.poll = true }).packets.map(\.final) == [true])
    rig.now = rig.now + .milliseconds(80)
    #expect(rig.on(.timer).packets.map(\.poll) == [true])
    rig.hear(rig.peer(.up) { $0.final = true })
    rig.now = rig.now + .milliseconds(80)
    #expect(rig.on(.timer).packets.map(\.poll) == [false])
  }

  @Test func silenceIsDownAfterTheDetectionTimeAndNotBefore() {
    var rig = Rig()
    rig.bring(to: .up)
    rig.now = epoch + .microseconds(299_999)
    #expect(rig.on(.timer).change == nil)
    rig.now = epoch + .milliseconds(300)
    let effects = rig.on(.timer)
    #expect(
      effects.change == Session.Change(from: .up, to: .down, diagnostic: .detectionTimeExpired, isAdministrative: false)
    )
    #expect(effects.packets.map(\.diagnostic) == [.detectionTimeExpired] && effects.packets[0].yourDiscriminator == 0)
    #expect(rig.session.transmitInterval == .seconds(1))
  }

  @Test func aPeerThatIsTakenDownOnPurposeIsToldApart() {
    var rig = Rig()
    rig.bring(to: .up)
    #expect(rig.hear(rig.peer(.adminDown)).change?.isAdministrative == true)
    rig = Rig()
    rig.bring(to: .up)
    let down = rig.hear(rig.peer(.down)).change
    #expect(down?.isAdministrative == false && down?.diagnostic == .neighborSignaledDown)
  }

  @Test func stoppingTellsThePeerForAWhileThenIsSilent() {
    var rig = Rig()
    rig.bring(to: .up)
    #expect(rig.on(.stop).packets.map(\.state) == [.adminDown])
    var sent = 0
    while let deadline = rig.session.deadline {
      rig.now = deadline
      sent += rig.on(.timer).packets.count
    }
    #expect(rig.now - epoch == .seconds(3) && (2...5).contains(sent))
    #expect(rig.hear(rig.peer(.down)).dropped == .administrativelyDown)
    #expect(rig.on(.start).change?.to == .down)
  }

  @Test func packetsFromAfarAreDropped() {
    var rig = Rig()
    rig.bring(to: .down)
    #expect(rig.hear(rig.peer(.down), ttl: 254).dropped == .timeToLive && rig.session.state == .down)
    var multihop = Rig(SessionSettings(discriminator: 7, minimumTTL: 250))
    multihop.bring(to: .down)
    #expect(multihop.hear(multihop.peer(.down), ttl: 249).dropped == .timeToLive)
    #expect(multihop.hear(multihop.peer(.down), ttl: 250).dropped == nil)
    #expect(rig.hear(rig.peer(.up) { $0.yourDiscriminator = 8 }).dropped == .foreignDiscriminator)
  }

  @Test func aPeerThatWantsNoPacketsGetsNone() {
    var rig = Rig()
    rig.bring(to: .up)
    rig.hear(rig.peer(.up) { $0.requiredMinRX = 0 })
    #expect(rig.session.transmitInterval == nil)
    rig.hear(
      rig.peer(.up) {
        $0.demand = true; $0.final = true
      })
    rig.now = rig.now + .milliseconds(200)
    #expect(rig.on(.timer).packets.isEmpty, "demand mode of the peer (§6.8.7)")
  }

  @Test func passiveSessionsWaitForThePeer() {
    var rig = Rig(SessionSettings(discriminator: 7, passive: true))
    #expect(rig.on(.start).packets.isEmpty && rig.session.deadline == nil)
    #expect(rig.hear(rig.peer(.down)).packets.map(\.state) == [.initializing])
  }

  @Test func jitterTakesAQuarterAtMost() {
    for (multiplier, range) in [(3, 60...80), (1, 60...72)] as [(UInt8, ClosedRange<Int64>)] {
      var rig = Rig(
        SessionSettings(
          discriminator: 7, transmit: .milliseconds(80), receive: .milliseconds(60), multiplier: multiplier))
      rig.bring(to: .up)
      rig.now = rig.session.deadline ?? epoch
      rig.on(.timer)
      var gaps: Set<Int64> = []
      for _ in 0..<500 {
        rig.hear(rig.peer(.up))
        let gap = (rig.session.deadline ?? rig.now) - rig.now
        gaps.insert(gap.nanoseconds / 1_000_000)
        rig.now = rig.now + gap
        #expect(rig.on(.timer).packets.count == 1)
      }
      #expect(gaps.allSatisfy { range.contains($0) } && gaps.count > 8)
    }
  }

  @Test func slowerRatesWaitForThePeersAnswer() {
    var rig = Rig()
    rig.bring(to: .up)
    rig.hear(rig.peer(.up) { $0.final = true })
    rig.on(.change(SessionSettings(discriminator: 7, transmit: .milliseconds(500), receive: .milliseconds(20))))
    #expect(rig.session.transmitInterval == .milliseconds(80) && rig.session.detectionTime == .milliseconds(300))
    rig.now = rig.now + .milliseconds(80)
    let poll = rig.on(.timer).packets
    #expect(poll.map(\.poll) == [true] && poll[0].desiredMinTX == 500_000 && poll[0].requiredMinRX == 20_000)
    rig.hear(rig.peer(.up) { $0.final = true })
    #expect(rig.session.transmitInterval == .milliseconds(500))
  }
}
