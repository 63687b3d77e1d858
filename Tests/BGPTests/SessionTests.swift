import BGP
import Model
import Testing
import Wire

@Suite struct SessionTests {
  private func settings(_ change: (inout SessionSettings) -> Void) -> SessionSettings {
    var settings = Rig.settings
    change(&settings)
    return settings
  }

  private func peer(_ change: (inout Open) -> Void) -> Open {
    var open = Rig.peerOpen
    change(&open)
    return open
  }

  @Test func theHandshakeIsOpenKeepaliveEstablished() {
    var rig = Rig()
    #expect(rig.on(.start) == [.connect(rig.outgoing), .state(.connect)])
    let opened = rig.on(.connected(rig.outgoing))
    #expect(opened == [.send(rig.outgoing, Rig.settings.open().encode()), .state(.openSent)])
    let confirmed = rig.on(.received(rig.outgoing, Rig.peerOpen.encode()))
    #expect(confirmed == [.send(rig.outgoing, Message.keepaliveBytes), .state(.openConfirm)])
    let negotiated = rig.on(.received(rig.outgoing, Message.keepaliveBytes)).negotiated
    #expect(negotiated?.peerAS == 65002 && negotiated?.families == [.v4, .v6] && negotiated?.fourOctetAS == true)
    #expect(negotiated?.extendedMessage == true && negotiated?.isInternal == false)
  }

  @Test func theSmallerHoldTimeRules() {
    for (ours, theirs, result) in [(90, 30, 30), (9, 90, 9), (0, 90, 0), (90, 0, 0), (3, 3, 3)]
      as [(UInt16, UInt16, UInt16)]
    {
      let rig = Rig.at(.established, settings { $0.holdTime = ours }, open: peer { $0.holdTime = theirs })
      #expect(rig.session.established?.negotiated.holdTime == result)
      #expect((rig.session.deadline == nil) == (result == 0))
    }
    #expect(settings { $0.holdTime = 0 }.holdTime == 0)
    #expect(SessionSettings(localAS: 1, identifier: 1, peerAS: .external, holdTime: 2).holdTime == 3)
  }

  @Test func keepalivesGoOutAtAThirdOfTheHoldTimeWithJitter() {
    var rig = Rig.at(.established, settings { $0.holdTime = 9 })
    var sent = 0
    let end = epoch + .seconds(90)
    var longest = Duration.zero
    var last = rig.now
    while let deadline = rig.session.deadline, deadline < end {
      rig.now = deadline
      let keepalives = rig.on(.timer).messages.count
      rig.on(.received(rig.outgoing, Message.keepaliveBytes))
      if keepalives > 0 {
        longest = max(longest, rig.now - last)
        last = rig.now
      }
      sent += keepalives
    }
    #expect((30...40).contains(sent) && longest <= .seconds(3))
    #expect(rig.session.state == .established)
  }

  @Test func silenceEndsTheSessionAtTheHoldTime() {
    var rig = Rig.at(.established, settings { $0.holdTime = 9 })
    rig.now = epoch + .milliseconds(8999)
    #expect(rig.on(.timer).notification == nil)
    rig.now = epoch + .seconds(9)
    let effects = rig.on(.timer)
    #expect(effects.notification == .holdTimerExpired && effects.contains(.ended(.sent(.holdTimerExpired))))
    #expect(rig.session.state == .idle)
  }

  @Test func failuresInARowPauseLongerAndLongerUpToTheMaximum() {
    var rig = Rig()
    rig.on(.start)
    var pauses: [Duration] = []
    for _ in 0..<9 {
      let id = ConnectionID(.outgoing, UInt64(pauses.count + 1))
      rig.on(.connected(id))
      rig.on(.received(id, open(version: 3)))
      guard let deadline = rig.session.deadline else { break }
      pauses.append(deadline - rig.now)
      rig.now = deadline
      rig.on(.timer)
    }
    #expect(pauses.count == 9)
    for (index, pause) in pauses.enumerated() {
      let whole = min(Duration.seconds(1 << index), .seconds(60))
      #expect(pause <= whole && pause >= whole * 3 / 4, "\(index): \(pause)")
    }
  }

  @Test func aSessionThatLivedStartsAfresh() {
    var rig = Rig.at(.established, settings { $0.holdTime = 0 })
    rig.after(.seconds(61), .failed(rig.outgoing))
    #expect(rig.session.failures == 1)
    #expect((rig.session.deadline ?? rig.now) - rig.now <= .seconds(1))
  }

  @Test func delayOpenLetsThePeerSpeakFirst() {
    var rig = Rig(settings { $0.delayOpen = .seconds(5) })
    rig.on(.start)
    #expect(rig.on(.connected(rig.outgoing)).messages.isEmpty && rig.session.state == .connect)
    #expect(rig.on(.received(rig.outgoing, Rig.peerOpen.encode())).messages.count == 2)
    #expect(rig.session.state == .openConfirm)
    rig = Rig(settings { $0.delayOpen = .seconds(5) })
    rig.on(.start)
    rig.on(.connected(rig.outgoing))
    #expect(rig.after(.seconds(5)).messages.count == 1 && rig.session.state == .openSent)
  }

  @Test func passiveSessionsOnlyListen() {
    var rig = Rig(settings { $0.passive = true })
    #expect(rig.on(.start) == [.state(.active)] && rig.session.deadline == nil)
    #expect(rig.on(.accepted(rig.incoming)).messages.count == 1)
    rig.on(.received(rig.incoming, Rig.peerOpen.encode() + Message.keepaliveBytes))
    #expect(rig.session.state == .established)
  }

  @Test func theConnectRetryTimerTriesAgain() {
    var rig = Rig.at(.active)
    #expect((rig.session.deadline ?? epoch) - epoch >= .milliseconds(22_500))
    #expect(rig.after(.seconds(30)).connects == 1)
    // A connect that neither succeeds nor fails is replaced.
    let again = rig.after(.seconds(30))
    #expect(again.connects == 1 && again.closed == [ConnectionID(.outgoing, 2)])
  }

  // MARK: Collisions (§6.8)

  /// Both connections in OpenSent; the peer's OPEN arrives on `first`, then on the other.
  private func collide(peerID: UInt32, first: ConnectionID.Origin, peerAS: UInt32 = 65002) -> (Rig, [SessionEffect]) {
    var rig = Rig(settings { $0.peerAS = .exactly(peerAS) })
    rig.on(.start)
    rig.on(.accepted(rig.incoming))
    rig.on(.connected(rig.outgoing))
    let open = Open(
      autonomousSystem: peerAS, holdTime: 90, identifier: peerID, capabilities: [.fourOctetAS(peerAS)])
    let ids = first == .incoming ? [rig.incoming, rig.outgoing] : [rig.outgoing, rig.incoming]
    rig.on(.received(ids[0], open.encode()))
    return (rig, rig.on(.received(ids[1], open.encode())))
  }

  @Test func theConnectionOfTheHigherIdentifierStays() {
    for first in [ConnectionID.Origin.incoming, .outgoing] {
      var (rig, effects) = collide(peerID: 0x0a00_0002, first: first)
      #expect(effects.closed == [rig.outgoing] && effects.notification == Notification(.collision))
      (rig, effects) = collide(peerID: 0x0900_0002, first: first)
      #expect(effects.closed == [rig.incoming] && effects.notification == Notification(.collision))
      #expect(rig.session.state == .openConfirm && rig.session.failures == 0)
      // RFC 6286: equal identifiers in two ASes, then the higher AS.
      (rig, effects) = collide(peerID: 0x0a00_0001, first: first)
      #expect(effects.closed == [rig.outgoing])
      (rig, effects) = collide(peerID: 0x0a00_0001, first: first, peerAS: 64999)
      #expect(effects.closed == [rig.incoming])
    }
  }

  @Test func anEstablishedSessionIsKept() {
    var rig = Rig.at(.established)
    rig.after(.seconds(1), .accepted(rig.incoming))
    let effects = rig.on(.received(rig.incoming, Rig.peerOpen.encode()))
    #expect(effects.closed == [rig.incoming] && effects.notification == Notification(.collision))
    #expect(rig.session.state == .established)
  }

  @Test func aRestartedPeerReplacesItsSession() {
    let open = peer { $0.capabilities.append(.gracefulRestart(GracefulRestart(seconds: 60, families: []))) }
    var rig = Rig.at(.established, open: open)
    rig.after(.seconds(1), .accepted(rig.incoming))
    let effects = rig.on(.received(rig.incoming, open.encode()))
    #expect(effects.closed == [rig.outgoing] && effects.contains(.ended(.peerRestarted)))
    #expect(rig.session.state == .openConfirm)
    #expect(rig.on(.received(rig.incoming, Message.keepaliveBytes)).negotiated != nil)
  }

  // MARK: Who the peer is

  @Test func peerASRules() {
    let internalOpen = peer {
      $0 = Open(autonomousSystem: 65001, holdTime: 90, identifier: 7, capabilities: [.fourOctetAS(65001)])
    }
    #expect(Rig.at(.openConfirm, settings { $0.peerAS = .external }).session.state == .openConfirm)
    #expect(Rig.at(.openConfirm, settings { $0.peerAS = .external }, open: internalOpen).session.state == .idle)
    #expect(Rig.at(.openConfirm, settings { $0.peerAS = .internal }, open: internalOpen).session.state == .openConfirm)
    #expect(Rig.at(.openConfirm, settings { $0.peerAS = .internal }).session.state == .idle)
    // One identifier, one speaker within an AS; between ASes it may repeat (RFC 6286).
    let twin = Open(autonomousSystem: 65001, holdTime: 90, identifier: Rig.settings.identifier, capabilities: [])
    var rig = Rig.at(.openSent, settings { $0.peerAS = .internal })
    #expect(rig.on(.received(rig.outgoing, twin.encode())).notification == .badIdentifier)
    #expect(Rig.at(.openConfirm, open: peer { $0.identifier = Rig.settings.identifier }).session.state == .openConfirm)
  }

  @Test func aPeerThatRefusesCapabilitiesGetsAnOpenWithout() {
    var rig = Rig.at(.openSent)
    rig.on(.received(rig.outgoing, Message.encode(.unsupportedOptionalParameter)))
    rig.after(.seconds(1))
    let second = ConnectionID(.outgoing, 2)
    let effects = rig.on(.connected(second))
    #expect(effects.messages == [.open(Rig.settings.open(bare: true))])
    let old = Open(autonomousSystem: 65002, holdTime: 90, identifier: 5, capabilities: [])
    rig.on(.received(second, old.encode() + Message.keepaliveBytes))
    #expect(rig.session.established?.negotiated.families == [.v4])
    #expect(rig.session.established?.negotiated.fourOctetAS == false)
  }

  @Test func extendedNextHopNeedsBoth() {
    let hop = Capability.extendedNextHop([Capability.NextHopEncoding(.v4, nextHopAFI: 2)])
    let with = peer { $0.capabilities.append(hop) }
    #expect(Rig.at(.established, open: with).session.established?.negotiated.extendedNextHop == false)
    let both = Rig.at(.established, settings { $0.extendedNextHop = true }, open: with)
    #expect(both.session.established?.negotiated.extendedNextHop == true)
  }

  // MARK: Ending it

  @Test func aShutdownTellsWhy() {
    var rig = Rig.at(.established)
    let effects = rig.on(.stop(.shutdown("maintenance")))
    #expect(effects.notification?.shutdownMessage == "maintenance")
    #expect(effects.contains(.ended(.stopped(.shutdown("maintenance")))) && rig.session.deadline == nil)
    #expect(rig.on(.accepted(rig.incoming)) == [.close(rig.incoming)], "a stopped session takes no connection")
  }

  @Test func aPlannedRestartSaysNothing() {
    var rig = Rig.at(.established)
    #expect(rig.on(.stop(.restart)) == [.close(rig.outgoing), .ended(.stopped(.restart)), .state(.idle)])
  }

  @Test func endingsThatMustTakeTheRoutesAreHardResets() {
    let restart = Capability.gracefulRestart(GracefulRestart(notification: true, seconds: 60, families: []))
    var rig = Rig.at(
      .established, settings { $0.gracefulRestart = GracefulRestart(notification: true, seconds: 60, families: []) },
      open: peer { $0.capabilities.append(restart) })
    let notification = rig.on(.stop(.shutdown("gone"))).notification
    #expect(notification?.cease == .hardReset && notification?.unwrapped.shutdownMessage == "gone")
  }

  // MARK: BFD

  @Test func bfdDownEndsTheSessionAtOnce() {
    var rig = Rig.at(.established)
    rig.on(.bfd(.up))
    let effects = rig.after(.seconds(3), .bfd(.down))
    #expect(effects.notification == Notification(.bfdDown) && rig.session.state == .idle)
  }

  @Test func bfdThatFlapsRightAfterEstablishedIsForgiven() {
    var rig = Rig.at(.openConfirm)
    rig.on(.bfd(.up))
    rig.on(.received(rig.outgoing, Message.keepaliveBytes))
    rig.after(.milliseconds(100), .bfd(.down))
    #expect(rig.session.state == .established)
    rig.after(.milliseconds(700), .bfd(.up))
    rig.after(.seconds(10))
    #expect(rig.session.state == .established)
    // But not one that stays down.
    rig = Rig.at(.established)
    rig.on(.bfd(.up))
    rig.after(.milliseconds(100), .bfd(.down))
    #expect(rig.after(.milliseconds(1900)).notification == Notification(.bfdDown))
  }

  @Test func bfdThatWasNeverUpOrIsAdministrativelyDownSaysNothing() {
    var rig = Rig.at(.established)
    rig.after(.seconds(5), .bfd(.down))
    rig.after(.seconds(5), .bfd(.up))
    rig.after(.seconds(5), .bfd(.administrativelyDown))
    rig.after(.seconds(5), .bfd(.down))
    #expect(rig.session.state == .established)
  }

  @Test func aMegabyteOfMessagesLeavesNoBuffer() {
    var rig = Rig.at(.established)
    let chunk = (0..<50).flatMap { _ in update(required, nlri: net) }
    var updates = 0
    for _ in 0..<40 { updates += rig.on(.received(rig.outgoing, chunk)).updates.count }
    #expect(updates == 2000 && rig.session.counters.updatesReceived == 2000)
  }
}
