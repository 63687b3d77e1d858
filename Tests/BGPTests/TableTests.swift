import BGP
import Model
import Testing
import Wire

/// The peer's view of what we send: the updates applied to an empty table.
private struct Mirror {
  var table = AdjRIBIn(limit: 100_000)
  var ends: [FamilyCode] = []
  var borders: [RouteRefresh] = []
  var options = CodecOptions()

  mutating func apply(_ messages: [[UInt8]]) throws {
    for bytes in messages {
      switch try Message.decode(bytes.span, options: options) {
      case .update(let update):
        #expect(update.issues.isEmpty)
        try table.apply(update)
        if let end = update.endOfRIB { ends.append(end) }
      case .routeRefresh(let refresh): borders.append(refresh)
      default: #expect(Bool(false), "only updates and borders")
      }
    }
  }
}

private let here = SelfAddresses(v4: address("192.0.2.1"), v6: address("2001:db8::1"))

private func negotiated(_ change: (inout Open) -> Void = { _ in }, _ settings: SessionSettings = Rig.settings) throws
  -> Negotiated
{
  var open = Rig.peerOpen
  change(&open)
  return try Negotiated(open, settings)
}

@Suite struct TableTests {
  private let vip = prefix("203.0.113.1/32")
  private let vip6 = prefix("2001:db8:ffff::1/128")

  @Test func aSessionBeginsWithTheSetAndEndOfRIB() throws {
    var table = AdjRIBOut()
    #expect(table.announce([vip: AnnouncementTerms(), vip6: AnnouncementTerms()]).isEmpty)
    var mirror = Mirror()
    try mirror.apply(table.begin(try negotiated(), localAS: 65001, addresses: here))
    #expect(mirror.ends == [.v4, .v6] && mirror.table.routes.map(\.prefix) == [vip, vip6])
    #expect(mirror.table.route(vip)?.nextHop == NextHop(address("192.0.2.1")))
    #expect(mirror.table.route(vip6)?.nextHop == NextHop(address("2001:db8::1")))
    #expect(mirror.table.route(vip)?.attributes == PathAttributes(asPath: ASPath(sequence: [65001])))
  }

  @Test func onlyDifferencesAreSent() throws {
    var table = AdjRIBOut()
    _ = table.announce([:])
    _ = table.begin(try negotiated(), localAS: 65001, addresses: here)
    #expect(table.announce([vip: AnnouncementTerms()]).count == 1)
    #expect(table.announce([vip: AnnouncementTerms()]).isEmpty)
    var worse = AnnouncementTerms(prepend: 3, med: 100)
    worse.communities = [.gracefulShutdown]
    var mirror = Mirror()
    try mirror.apply(table.announce([vip: worse]))
    #expect(mirror.table.route(vip)?.attributes.asPath.length == 4)
    #expect(mirror.table.route(vip)?.attributes.communities == [.gracefulShutdown])
    #expect(table.announce([vip6: AnnouncementTerms()]).count == 2)
    #expect(table.announce([:]).count == 1 && table.count == 0)
    table.end()
    #expect(table.announce([vip: worse]).isEmpty && !table.isAnnounced(vip))
  }

  /// A peer that kept our routes through a restart must not hear of their end before we know (RFC 4724 §4.1).
  @Test func beforeTheFirstSetNothingIsSaid() throws {
    var table = AdjRIBOut()
    #expect(table.begin(try negotiated(), localAS: 65001, addresses: here).isEmpty)
    #expect(table.refresh(.v4).isEmpty)
    var mirror = Mirror()
    try mirror.apply(table.announce([vip: AnnouncementTerms()]))
    #expect(mirror.ends == [.v4, .v6] && mirror.table.routes.map(\.prefix) == [vip])
    #expect(table.announce([vip: AnnouncementTerms()]).isEmpty)
  }

  @Test func withdrawalsGoFirst() throws {
    var table = AdjRIBOut()
    _ = table.begin(try negotiated(), localAS: 65001, addresses: here)
    _ = table.announce([vip: AnnouncementTerms()])
    let messages = table.announce([prefix("198.51.100.0/24"): AnnouncementTerms()])
    #expect(try decode(messages[0]) == .update(Update(withdrawn: [vip])))
  }

  @Test func internalPeersGetLocalPreferenceAndNoPath() throws {
    let settings = SessionSettings(localAS: 65002, identifier: 1, peerAS: .internal)
    var table = AdjRIBOut()
    _ = table.announce([vip: AnnouncementTerms(prepend: 2)])
    var mirror = Mirror(options: CodecOptions(isInternal: true))
    try mirror.apply(table.begin(try negotiated({ _ in }, settings), localAS: 65002, addresses: here))
    #expect(mirror.table.route(vip)?.attributes == PathAttributes(localPreference: 100))
  }

  @Test func ipv4OverIPv6NextHop() throws {
    let hop = Capability.extendedNextHop([Capability.NextHopEncoding(.v4, nextHopAFI: 2)])
    var settings = Rig.settings
    settings.extendedNextHop = true
    var table = AdjRIBOut()
    _ = table.announce([vip: AnnouncementTerms()])
    let only6 = SelfAddresses(v6: address("2001:db8::1"), linkLocal: address("fe80::1"))
    var mirror = Mirror(options: CodecOptions(extendedNextHop: true))
    try mirror.apply(
      table.begin(try negotiated({ $0.capabilities.append(hop) }, settings), localAS: 65001, addresses: only6))
    #expect(mirror.table.route(vip)?.nextHop == NextHop(address("2001:db8::1"), linkLocal: address("fe80::1")))
    // Without the agreement it stays unsaid, and is shown as such.
    _ = table.begin(try negotiated(), localAS: 65001, addresses: only6)
    #expect(table.unsayable == [vip] && table.count == 0)
  }

  @Test func familiesThatAreNotAgreedOnStayUnsaid() throws {
    var table = AdjRIBOut()
    _ = table.announce([vip: AnnouncementTerms(), vip6: AnnouncementTerms()])
    let onlyV4 = try negotiated { $0.capabilities = [.fourOctetAS(65002), .multiprotocol(.v4)] }
    var mirror = Mirror()
    try mirror.apply(table.begin(onlyV4, localAS: 65001, addresses: here))
    #expect(mirror.ends == [.v4] && mirror.table.routes.map(\.prefix) == [vip] && table.unsayable == [vip6])
  }

  @Test func aRefreshSendsTheFamilyAgainBetweenBorders() throws {
    var table = AdjRIBOut()
    _ = table.announce([vip: AnnouncementTerms(), vip6: AnnouncementTerms()])
    _ = table.begin(try negotiated(), localAS: 65001, addresses: here)
    var mirror = Mirror()
    try mirror.apply(table.refresh(.v4))
    #expect(mirror.borders == [RouteRefresh(.v4, .begin), RouteRefresh(.v4, .end)])
    #expect(mirror.table.routes.map(\.prefix) == [vip])
    #expect(table.refresh(FamilyCode(afi: 25, safi: 70)).isEmpty)
  }

  @Test func anySequenceOfSetsLeavesThePeerWithTheLast() throws {
    var random = Random(seed: 31)
    var table = AdjRIBOut()
    var mirror = Mirror()
    try mirror.apply(table.begin(try negotiated(), localAS: 65001, addresses: here))
    let pool = (0..<40).map { index in
      index % 2 == 0
        ? IPPrefix(host: IPAddress(v4: 0x0a00_0000 + UInt32(index)))
        : IPPrefix(host: IPAddress(v6: 1 << 61, UInt64(index)))
    }
    for _ in 0..<300 {
      var wanted: [IPPrefix: AnnouncementTerms] = [:]
      for prefix in pool where random.below(2) == 0 {
        wanted[prefix] = AnnouncementTerms(prepend: Int(random.below(2)), med: random.below(3))
      }
      try mirror.apply(table.announce(wanted))
      #expect(Set(mirror.table.routes.map(\.prefix)) == Set(wanted.keys))
      #expect(mirror.table.routes.allSatisfy { $0.route.attributes.med == wanted[$0.prefix]?.med })
    }
  }

  @Test func theLimitHoldsPerFamily() throws {
    var table = AdjRIBIn(limit: 2)
    let hop = NextHop(address("192.0.2.2"))
    func announce(_ texts: [String]) -> Update { Update(announced: [Update.Reachable(hop, texts.map(prefix))]) }
    try table.apply(announce(["10.0.0.0/8", "11.0.0.0/8"]))
    try table.apply(announce(["10.0.0.0/8", "2001:db8::/32"]))
    #expect(throws: Notification(.prefixLimit, [0, 1, 1, 0, 0, 0, 2])) { try table.apply(announce(["12.0.0.0/8"])) }
    try table.apply(Update(withdrawn: [prefix("10.0.0.0/8")]))
    try table.apply(announce(["12.0.0.0/8"]))
    #expect(table.count(.v4) == 2 && table.count(.v6) == 1)
  }
}

@Suite struct SpeakerTests {
  private func established(limit: Int = 100) -> (Speaker, [SessionEffect]) {
    var speaker = Speaker(Rig.settings, prefixLimit: limit, addresses: here)
    var random = Random(seed: 1)
    var effects: [SessionEffect] = []
    speaker.announce([prefix("203.0.113.1/32"): AnnouncementTerms()], at: epoch, random: &random, into: &effects)
    for event in [
      SessionEvent.start, .connected(ConnectionID(.outgoing, 1)),
      .received(ConnectionID(.outgoing, 1), Rig.peerOpen.encode() + Message.keepaliveBytes),
    ] { speaker.handle(event, at: epoch, random: &random, into: &effects) }
    return (speaker, effects)
  }

  @Test func whatIsWantedIsSaidWhenTheSessionComesUp() {
    let (speaker, effects) = established()
    let updates = effects.messages.compactMap { if case .update(let update) = $0 { update } else { nil } }
    #expect(updates.first?.announced.first?.prefixes == [prefix("203.0.113.1/32")])
    #expect(updates.compactMap(\.endOfRIB) == [.v4, .v6])
    #expect(speaker.announced.count == 1)
  }

  @Test func aFloodEndsAtTheLimitWithCease() {
    var (speaker, _) = established(limit: 1000)
    var random = Random(seed: 2)
    var effects: [SessionEffect] = []
    var prefixes: [IPPrefix] = []
    for index in 0..<5000 { prefixes.append(IPPrefix(host: IPAddress(v4: 0x0a00_0000 + UInt32(index)))) }
    let messages = UpdateEncoder(options: CodecOptions()).announce(
      prefixes, nextHop: NextHop(address("192.0.2.2")), attributes: PathAttributes())
    for bytes in messages ?? [] {
      speaker.handle(.received(ConnectionID(.outgoing, 1), bytes), at: epoch, random: &random, into: &effects)
      #expect(speaker.received.count(.v4) <= 1000)
    }
    #expect(effects.notification == Notification(.prefixLimit, [0, 1, 1, 0, 0, 3, 232]))
    #expect(speaker.session.state == .idle && speaker.received.count(.v4) == 0 && speaker.announced.count == 0)
  }

  @Test func aRefreshRequestIsAnswered() {
    var (speaker, _) = established()
    var random = Random(seed: 3)
    var effects: [SessionEffect] = []
    let request = RouteRefresh(.v4).encode()
    speaker.handle(.received(ConnectionID(.outgoing, 1), request), at: epoch, random: &random, into: &effects)
    #expect(effects.messages.count == 3)
    #expect(speaker.requestRefresh(.v6, at: epoch, random: &random, into: &effects))
    #expect(effects.messages.last == .routeRefresh(RouteRefresh(.v6)))
  }
}
