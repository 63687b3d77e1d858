import BGP
import Testing
import Wire

extension MalformedRow: CustomTestStringConvertible {
  var testDescription: String { name }
}

@Suite struct MalformedTests {
  @Test func thereAreEnoughRows() {
    let all = MalformedRow.headers + MalformedRow.opens + MalformedRow.updates
    #expect(all.count >= 150)
    #expect(Set(all.map(\.name)).count == all.count)
  }

  /// The reaction that a session in `state` shows.
  private func reaction(_ bytes: [UInt8], in state: SessionState) -> MalformedRow.Reaction {
    var rig = Rig.at(state)
    let effects = rig.on(.received(rig.outgoing, bytes))
    if let notification = effects.notification {
      #expect(effects.closed.contains(rig.outgoing), "a NOTIFICATION closes the connection")
      return .reset(notification.code, notification.subcode)
    }
    #expect(effects.closed.isEmpty && rig.session.state >= state)
    guard let issue = effects.updates.first?.issues.max(by: { $0.reaction < $1.reaction }) else { return .fine }
    if issue.reaction == .withdraw { #expect(effects.updates.allSatisfy { $0.announced.isEmpty }) }
    return issue.reaction == .withdraw ? .withdraw(issue.type) : .discard(issue.type)
  }

  @Test(arguments: MalformedRow.headers + MalformedRow.updates)
  func establishedSessionsReactAsTheRFCsSay(row: MalformedRow) {
    #expect(reaction(row.bytes, in: .established) == row.reaction)
  }

  @Test(arguments: MalformedRow.opens)
  func opensAreJudgedAsTheRFCsSay(row: MalformedRow) {
    #expect(reaction(row.bytes, in: .openSent) == row.reaction)
  }

  @Test(arguments: MalformedRow.headers + MalformedRow.updates)
  func piecesGetTheSameReaction(row: MalformedRow) {
    var rig = Rig.at(.established)
    var effects: [SessionEffect] = []
    for byte in row.bytes { effects += rig.on(.received(rig.outgoing, [byte])) }
    let found = effects.notification.map { MalformedRow.Reaction.reset($0.code, $0.subcode) }
    if case .reset = row.reaction { #expect(found == row.reaction) } else { #expect(found == nil) }
  }

  @Test func theDataOfANotificationNamesTheMistake() {
    var rig = Rig.at(.established)
    #expect(rig.on(.received(rig.outgoing, message(4, [], length: 18))).notification?.data == [0, 18])
    rig = Rig.at(.established)
    #expect(rig.on(.received(rig.outgoing, message(77, []))).notification?.data == [77])
    rig = Rig.at(.openSent)
    #expect(rig.on(.received(rig.outgoing, open(version: 3))).notification?.data == [0, 4])
    rig = Rig.at(.openSent)
    let refusal = rig.on(.received(rig.outgoing, open(parameters: capability(1, [0, 25, 0, 70])))).notification
    #expect(refusal?.data == [1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1])
    rig = Rig.at(.established)
    let unknown = attribute(0x40, 99, [1])
    #expect(rig.on(.received(rig.outgoing, update([unknown]))).notification?.data == unknown)
    rig = Rig.at(.established)
    let begin = message(5, [0, 1, 1, 1, 0])
    #expect(rig.on(.received(rig.outgoing, begin)).notification?.data == begin)
  }

  @Test func treatAsWithdrawTakesTheRoutesAndKeepsTheSession() {
    var rig = Rig.at(.established)
    let effects = rig.on(.received(rig.outgoing, update([origin, path, hop, attribute(0x80, 4, [])], nlri: net)))
    #expect(effects.updates.first?.withdrawn == [prefix("203.0.113.0/24")])
    #expect(rig.session.counters.treatedAsWithdraw == 1)
    #expect(rig.session.state == .established)
  }

  /// Damage of any kind ends in an update, a NOTIFICATION or a wait, never in a trap or a lost buffer.
  @Test func randomDamageNeverTraps() {
    var random = Random(seed: 11)
    let whole = MalformedRow.updates.map(\.bytes) + MalformedRow.opens.map(\.bytes) + captures.values.map { $0 }
    for _ in 0..<3000 {
      var bytes = whole[Int(random.below(UInt32(whole.count)))]
      for _ in 0...random.below(4) {
        let position = Int(random.below(UInt32(bytes.count)))
        switch random.below(3) {
        case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
        default: if bytes.count > 1 { bytes.remove(at: position) }
        }
      }
      if bytes.count >= 19 {
        bytes.replaceSubrange(0..<16, with: Array(repeating: 255, count: 16))
        bytes[16] = UInt8(bytes.count >> 8)
        bytes[17] = UInt8(bytes.count & 255)
      }
      for options in [CodecOptions(), CodecOptions(fourOctetAS: false, extendedNextHop: true, isInternal: true)] {
        _ = try? Message.decode(bytes.span, options: options)
      }
    }
  }
}

extension SessionState {
  static func >= (left: SessionState, right: SessionState) -> Bool {
    (allCases.firstIndex(of: left) ?? 0) >= (allCases.firstIndex(of: right) ?? 0)
  }
}
