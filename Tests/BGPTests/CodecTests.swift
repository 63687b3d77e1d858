import BGP
import Model
import Testing
import Wire

private func captured(_ name: String, _ options: CodecOptions = CodecOptions()) throws -> Message {
  try decode(try #require(captures[name]), options)
}

/// What real routers sent, byte for byte.
@Suite struct CaptureTests {
  @Test func opensOfFRRAndBIRD() throws {
    guard case .open(let frr) = try captured("frr-open") else { return #expect(Bool(false)) }
    #expect(frr.autonomousSystem == 4_200_000_001 && frr.shortAS == 23456 && frr.holdTime == 9)
    #expect(frr.identifier == 0xc000_0201)
    #expect(frr.capabilities.contains(.multiprotocol(.v4)))
    #expect(frr.capabilities.contains(.unknown(code: 128, value: [])), "route refresh as Cisco once had it")
    #expect(frr.capabilities.contains(.addPath([Capability.AddPath(.v4, mode: 1)])))
    #expect(
      frr.gracefulRestart
        == GracefulRestart(
          restarted: true, notification: true, seconds: 120,
          families: [
            GracefulRestart.Family(.v4, preserved: false)
          ]) || frr.gracefulRestart?.seconds == 120)
    guard case .open(let bird) = try captured("bird-open-ipv6") else { return #expect(Bool(false)) }
    #expect(bird.autonomousSystem == 65002 && bird.families == [.v4, .v6])
    #expect(bird.capabilities.contains(.extendedNextHop([Capability.NextHopEncoding(.v4, nextHopAFI: 2)])))
    #expect(bird.capabilities.contains(.enhancedRouteRefresh))
    guard case .open(let other) = try captured("bird-open-ipv4") else { return #expect(Bool(false)) }
    #expect(other.capabilities.contains(.extendedMessage))
  }

  @Test func updatesOfFRRAndBIRD() throws {
    guard case .update(let frr) = try captured("frr-update-communities") else { return #expect(Bool(false)) }
    #expect(frr.issues.isEmpty)
    #expect(
      frr.announced == [
        Update.Reachable(NextHop(address("192.0.2.1")), [prefix("203.0.113.0/25"), prefix("203.0.113.1/32")])
      ])
    #expect(frr.attributes.asPath.description == "4200000001 4200000001 4200000001")
    #expect(frr.attributes.med == 50)
    #expect(frr.attributes.communities == [Community(65001 << 16 | 100), .gracefulShutdown])
    #expect(frr.attributes.largeCommunities == [LargeCommunity(4_200_000_001, 1, 2)])
    #expect(frr.attributes.extendedCommunities.map(\.description) == ["rt:65001:7"])

    guard case .update(let bird) = try captured("bird-update-communities") else { return #expect(Bool(false)) }
    #expect(bird.attributes.asPath.description == "65002 4200000009")
    #expect(bird.attributes.communities.map(\.description) == ["65002:100"])

    guard case .update(let v6) = try captured("frr-update-ipv6") else { return #expect(Bool(false)) }
    let hop = NextHop(address("2001:db8:1::1"), linkLocal: v6.announced.first?.nextHop.linkLocal)
    #expect(v6.announced == [Update.Reachable(hop, [prefix("2001:db8:ffff::1/128")])])
    #expect(hop.linkLocal?.description.hasPrefix("fe80::") == true)
  }

  @Test func withdrawalsAndEndOfRIB() throws {
    guard case .update(let frr) = try captured("frr-withdraw-ipv4") else { return #expect(Bool(false)) }
    #expect(frr == Update(withdrawn: [prefix("203.0.113.0/25")]))
    for name in ["frr-withdraw-ipv6", "bird-withdraw-ipv6"] {
      guard case .update(let update) = try captured(name) else { return #expect(Bool(false)) }
      #expect(update == Update(withdrawn: [prefix("2001:db8:fffe::1/128")]))
    }
    #expect(try captured("frr-end-of-rib-ipv4") == .update(Update(endOfRIB: .v4)))
    #expect(try captured("frr-end-of-rib-ipv6") == .update(Update(endOfRIB: .v6)))
  }

  @Test func refreshesAndNotifications() throws {
    #expect(try captured("frr-refresh-request") == .routeRefresh(RouteRefresh(.v4)))
    #expect(try captured("bird-refresh-begin") == .routeRefresh(RouteRefresh(.v4, .begin)))
    #expect(try captured("bird-refresh-end") == .routeRefresh(RouteRefresh(.v4, .end)))
    #expect(try captured("keepalive") == .keepalive)
    guard case .notification(let frr) = try captured("frr-shutdown-message"),
      case .notification(let bird) = try captured("bird-shutdown-message")
    else { return #expect(Bool(false)) }
    #expect(frr.cease == .administrativeShutdown && frr.shutdownMessage == "planned work")
    #expect(frr.description == "Cease: administrative shutdown (6/2): \"planned work\"")
    #expect(bird.cease == .administrativeShutdown && bird.shutdownMessage == "bye")
  }

  /// What they wrote in our order of attributes we write in the same bytes.
  @Test func weWriteWhatTheyWrote() throws {
    for name in ["frr-end-of-rib-ipv4", "frr-refresh-request", "bird-refresh-end", "keepalive", "frr-shutdown-message"]
    {
      let message = try captured(name)
      let bytes: [UInt8]? =
        switch message {
        case .update: UpdateEncoder.endOfRIB(.v4)
        case .routeRefresh(let refresh): refresh.encode()
        case .keepalive: Message.keepaliveBytes
        case .notification(let notification): Message.encode(notification)
        case .open: nil
        }
      #expect(bytes == captures[name], "\(name)")
    }
    for name in ["bird-update-ipv6", "bird-update-communities"] {
      guard case .update(let update) = try captured(name), let reach = update.announced.first else { continue }
      let written = UpdateEncoder(options: CodecOptions()).announce(
        reach.prefixes, nextHop: reach.nextHop, attributes: update.attributes)
      #expect(try decode(try #require(written?.first)) == .update(update), "\(name)")
    }
  }
}

@Suite struct CodecTests {
  @Test func anOpenHasTheSpecifiedLayout() {
    let open = Open(
      autonomousSystem: 4_200_000_001, holdTime: 90, identifier: 0x0a00_0001,
      capabilities: [.multiprotocol(.v6), .fourOctetAS(4_200_000_001)])
    #expect(open.encode() == message(1, hex("04 5ba0 005a 0a000001 10 02 06 01 04 0002 00 01 02 06 41 04 fa56ea01")))
  }

  @Test func anUpdateHasTheSpecifiedLayout() {
    let attributes = PathAttributes(asPath: ASPath(sequence: [65001]), med: 5, communities: [.gracefulShutdown])
    let encoder = UpdateEncoder(options: CodecOptions())
    let v4 = encoder.announce(
      [prefix("203.0.113.1/32")], nextHop: NextHop(address("192.0.2.1")), attributes: attributes)
    let common = "40 01 01 00  40 02 06 02 01 0000fde9"
    let tail = "80 04 04 00000005  c0 08 04 ffff0000"
    #expect(v4 == [message(2, hex("0000 0022 \(common) 40 03 04 c0000201 \(tail) 20 cb007101"))])
    let v6 = encoder.announce(
      [prefix("2001:db8::/32")], nextHop: NextHop(address("2001:db8::1")), attributes: attributes)
    let reach = "90 0e 001a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8"
    #expect(v6 == [message(2, hex("0000 0039 \(reach) \(common) \(tail)"))])
    #expect(encoder.withdraw([prefix("203.0.113.0/25")]) == [message(2, hex("0005 19 cb007100 0000"))])
  }

  @Test func twoOctetPeersGetBothPaths() throws {
    let old = CodecOptions(fourOctetAS: false)
    let attributes = PathAttributes(
      asPath: ASPath(sequence: [65001, 4_200_000_001]), aggregator: Aggregator(autonomousSystem: 70000, identifier: 1))
    let bytes = try #require(
      UpdateEncoder(options: old).announce(
        [prefix("10.0.0.0/8")], nextHop: NextHop(address("192.0.2.1")), attributes: attributes))
    guard case .update(let plain) = try decode(bytes[0], old) else { return #expect(Bool(false)) }
    #expect(plain.attributes == attributes && plain.issues.isEmpty)
  }

  @Test(
    arguments: [
      ([65001, 23456], [4_200_000_001], [65001, 4_200_000_001]), ([23456], [65001, 4_200_000_001], [23456]),
      ([1, 2, 3], [], [1, 2, 3]), ([23456, 23456], [70000, 70001], [70000, 70001]),
    ] as [([UInt32], [UInt32], [UInt32])])
  func as4PathsAreMerged(short: [UInt32], long: [UInt32], result: [UInt32]) {
    #expect(ASPath(sequence: short).merged(with: ASPath(sequence: long)) == ASPath(sequence: result))
  }

  @Test func largeSetsAreSpreadOverMessages() throws {
    var prefixes: [IPPrefix] = []
    for index in 0..<5000 { prefixes.append(IPPrefix(host: IPAddress(v4: 0x0a00_0000 + UInt32(index)))) }
    for (limit, count) in [(4096, 7), (65535, 1)] {
      let encoder = UpdateEncoder(options: CodecOptions(sendLimit: limit))
      let messages = try #require(
        encoder.announce(prefixes, nextHop: NextHop(address("192.0.2.1")), attributes: PathAttributes()))
      #expect(messages.count == count && messages.allSatisfy { $0.count <= limit })
      let found = try messages.flatMap { bytes -> [IPPrefix] in
        guard case .update(let update) = try decode(bytes) else { return [] }
        return update.announced.flatMap(\.prefixes)
      }
      #expect(found == prefixes)
      #expect(encoder.withdraw(prefixes).allSatisfy { $0.count <= limit })
    }
  }

  @Test func attributesThatFillAMessageAreNotSent() {
    let many = PathAttributes(communities: (0..<1100).map { Community($0) })
    let encoder = UpdateEncoder(options: CodecOptions())
    #expect(encoder.announce([prefix("10.0.0.0/8")], nextHop: NextHop(address("192.0.2.1")), attributes: many) == nil)
  }

  @Test func openAndCapabilitiesSurvive() throws {
    var random = Random(seed: 21)
    for _ in 0..<500 {
      let open = random.open()
      guard case .open(let again) = try decode(open.encode()) else { return #expect(Bool(false)) }
      #expect(again == open)
    }
  }

  @Test func manyCapabilitiesUseLongParameters() throws {
    let open = Open(
      autonomousSystem: 65002, holdTime: 90, identifier: 1,
      capabilities: (100..<110).map { .unknown(code: $0, value: Array(repeating: $0, count: 200)) })
    #expect(try decode(open.encode()) == .open(open))
  }

  @Test func updatesSurvive() throws {
    var random = Random(seed: 22)
    for round in 0..<1500 {
      let options = CodecOptions(
        fourOctetAS: random.below(2) == 0, extendedNextHop: true, isInternal: random.below(2) == 0)
      let attributes = random.attributes(options)
      let family: IPAddress.Family = random.below(2) == 0 ? .v4 : .v6
      let prefixes = (0...random.below(20)).map { _ in random.prefix(family) }
      let hop = random.nextHop(family)
      let encoder = UpdateEncoder(options: options)
      let messages = try #require(encoder.announce(prefixes, nextHop: hop, attributes: attributes))
      guard case .update(let update) = try decode(messages[0], options) else { return #expect(Bool(false)) }
      #expect(update == Update(announced: [Update.Reachable(hop, prefixes)], attributes: attributes), "round \(round)")
      guard case .update(let gone) = try decode(encoder.withdraw(prefixes)[0], options) else {
        return #expect(Bool(false))
      }
      #expect(gone == Update(withdrawn: prefixes))
    }
  }

  @Test func wordsOfCommunities() {
    for text in ["65001:100", "graceful-shutdown", "no-export", "0:0"] { #expect(Community(text)?.description == text) }
    for text in ["4200000000:1:2", "0:0:0"] { #expect(LargeCommunity(text)?.description == text) }
    for text in ["rt:65001:100", "ro:1:4200000000", "rt:4200000001:7", "4300000000000001"] {
      #expect(ExtendedCommunity(text)?.description == text)
    }
    for text in ["65536:1", "1", "1:2:3", ":1", "1:", "-1:2", "01:2", "a:b", "", "1:65536"] {
      #expect(Community(text) == nil)
    }
    #expect(LargeCommunity("1:2") == nil && LargeCommunity("4294967296:1:1") == nil)
    #expect(ExtendedCommunity("rt:1") == nil && ExtendedCommunity("rt:70000:70000") == nil)
  }

  @Test func shutdownMessagesAreCutBetweenCharacters() {
    let long = String(repeating: "é", count: 200)
    let notification = Notification(.administrativeShutdown, message: long)
    #expect(notification.data.count == 255 && notification.shutdownMessage == String(repeating: "é", count: 127))
    #expect(Notification(.administrativeShutdown, [5, 65]).shutdownMessage == nil)
    #expect(Notification(.administrativeShutdown, [2, 0xff, 0xfe]).shutdownMessage == nil)
    #expect(Notification(.administrativeReset, message: "a\u{1b}b").shutdownMessage == "a b")
    #expect(Notification(.administrativeShutdown, message: "x").asHardReset.unwrapped.shutdownMessage == "x")
  }
}

extension Random {
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
  mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: next()) }

  mutating func prefix(_ family: IPAddress.Family) -> IPPrefix {
    let any = family == .v4 ? IPAddress(v4: word()) : IPAddress(v6: next(), next())
    return IPPrefix(any, length: Int(below(UInt32(any.width + 1)))) ?? IPPrefix(host: any)
  }

  mutating func nextHop(_ family: IPAddress.Family) -> NextHop {
    if family == .v4, below(2) == 0 { return NextHop(IPAddress(v4: 0x0a00_0000 | word() >> 8)) }
    let global = IPAddress(v6: 0x2001_0db8_0000_0000 | next() >> 32, next())
    return NextHop(global, linkLocal: below(2) == 0 ? nil : IPAddress(v6: 0xfe80_0000_0000_0000, next()))
  }

  mutating func open() -> Open {
    let number = below(2) == 0 ? 1 + below(60000) : 70000 + below(1000)
    var capabilities: [Capability] = [.fourOctetAS(number)]
    let family = FamilyCode(afi: UInt16(1 + below(30)), safi: UInt8(1 + below(130)))
    if below(2) == 0 { capabilities.append(.multiprotocol(family)) }
    if below(2) == 0 { capabilities.append(.routeRefresh) }
    if below(2) == 0 { capabilities.append(.extendedMessage) }
    if below(2) == 0 { capabilities.append(.enhancedRouteRefresh) }
    if below(2) == 0 { capabilities.append(.addPath([Capability.AddPath(family, mode: UInt8(below(4)))])) }
    if below(2) == 0 { capabilities.append(.extendedNextHop([Capability.NextHopEncoding(family, nextHopAFI: 2)])) }
    if below(2) == 0 {
      capabilities.append(
        .gracefulRestart(
          GracefulRestart(
            restarted: below(2) == 0, notification: below(2) == 0, seconds: UInt16(below(4096)),
            families: [GracefulRestart.Family(family, preserved: below(2) == 0)])))
    }
    if below(2) == 0 { capabilities.append(.unknown(code: 200, value: bytes(Int(below(100))))) }
    return Open(
      autonomousSystem: number, holdTime: below(3) == 0 ? 0 : UInt16(3 + below(60000)), identifier: 1 + below(1 << 31),
      capabilities: capabilities)
  }

  mutating func attributes(_ options: CodecOptions) -> PathAttributes {
    func some<T>(_ random: inout Random, _ make: (inout Random) -> T) -> [T] {
      random.below(2) == 0 ? [] : (0...random.below(70)).map { _ in make(&random) }
    }
    // AS_TRANS itself is left out: from a two-octet path it cannot be told from a stand-in.
    var segments: [ASPath.Segment] = []
    for index in 0..<below(3) {
      let kind: ASPath.Kind = index % 2 == 0 ? .sequence : .set
      segments.append(
        ASPath.Segment(kind, (0...below(5)).map { _ in below(2) == 0 ? 1 + below(20000) : 70000 + below(1000) }))
    }
    return PathAttributes(
      origin: Origin(rawValue: UInt8(below(3))) ?? .igp, asPath: ASPath(segments),
      med: below(2) == 0 ? word() : nil, localPreference: options.isInternal && below(2) == 0 ? word() : nil,
      atomicAggregate: below(2) == 0,
      aggregator: below(2) == 0 ? Aggregator(autonomousSystem: 70000 + below(9), identifier: word()) : nil,
      communities: some(&self) { Community($0.word()) },
      extendedCommunities: some(&self) { ExtendedCommunity($0.next()) },
      largeCommunities: some(&self) { LargeCommunity($0.word(), $0.word(), $0.word()) },
      originatorID: options.isInternal && below(2) == 0 ? word() : nil,
      clusterList: options.isInternal ? some(&self) { $0.word() } : [],
      unknown: below(2) == 0 ? [UnknownAttribute(flags: 0xc0, type: 99, value: bytes(Int(below(400))))] : [])
  }
}
