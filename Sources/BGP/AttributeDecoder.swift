import Model
import Wire

/// Walks the path attributes of an UPDATE; each error takes its step on RFC 7606's ladder.
struct AttributeDecoder {
  let options: CodecOptions
  var attributes = PathAttributes()
  var nextHop: NextHop?
  var unreachable: [IPPrefix] = []
  var reachable: Update.Reachable?
  /// An MP_REACH_NLRI was there, of a family that we know or not.
  var hasReach = false
  var endOfRIB: FamilyCode?
  private(set) var issues: [AttributeIssue] = []

  private var seen: Set<UInt8> = []
  private var as4Path: ASPath?
  private var as4Aggregator: Aggregator?

  init(options: CodecOptions) { self.options = options }

  var worst: AttributeIssue? { issues.first { $0.reaction == .withdraw } ?? issues.first }

  func hasIssue(_ type: AttributeType) -> Bool { issues.contains { $0.type == type.rawValue } }

  /// flags, 1 | type, 1 | length, 1 or (flag 0x10) 2 | value
  mutating func decode(_ bytes: Span<UInt8>) throws(Notification) {
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      let start = reader.position
      guard let flags = reader.u8(), let type = reader.u8(),
        let length = flags & 0x10 != 0 ? reader.u16().map(Int.init) : reader.u8().map(Int.init),
        let value = reader.take(length)
      else {
        // RFC 7606 §4: the list is cut short; where the NLRI begins is known all the same.
        let type = start + 1 < bytes.count ? bytes[start + 1] : 0
        // But not when what was cut carries prefixes of its own (§5.3).
        if type == AttributeType.mpReach.rawValue || type == AttributeType.mpUnreach.rawValue {
          throw .malformedAttributeList
        }
        issues.append(AttributeIssue(type: type, reaction: .withdraw, notification: .malformedAttributeList))
        break
      }
      let whole = bytes.extracting(start..<reader.position)
      guard seen.insert(type).inserted else {
        // RFC 7606 §3 g: the first stands, except for the attributes that carry prefixes.
        if type == AttributeType.mpReach.rawValue || type == AttributeType.mpUnreach.rawValue {
          throw .malformedAttributeList
        }
        issues.append(AttributeIssue(type: type, reaction: .discard, notification: .malformedAttributeList))
        continue
      }
      guard let known = AttributeType(rawValue: type) else {
        try keepUnknown(flags: flags, type: type, value, whole: whole)
        continue
      }
      if flags & 0xc0 != known.flags { note(known, 4, whole, .withdraw) }
      try decode(known, value, whole: whole)
    }
    mergeFourOctet()
  }

  private mutating func keepUnknown(
    flags: UInt8, type: UInt8, _ value: Span<UInt8>, whole: Span<UInt8>
  ) throws(Notification) {
    // §6.3: a well-known attribute is one that everybody must know.
    guard flags & 0x80 != 0 else { throw Notification(.update, 2, Message.copy(whole)) }
    attributes.unknown.append(UnknownAttribute(flags: flags & 0xe0, type: type, value: Message.copy(value)))
  }

  private mutating func decode(
    _ type: AttributeType, _ value: Span<UInt8>, whole: Span<UInt8>
  ) throws(Notification) {
    var reader = ByteReader(value)
    switch type {
    case .origin:
      guard value.count == 1 else { return note(type, 5, whole, .withdraw) }
      guard let origin = Origin(rawValue: value[0]) else { return note(type, 6, whole, .withdraw) }
      attributes.origin = origin
    case .asPath:
      guard let path = ASPath.decode(value, fourOctetAS: options.fourOctetAS) else {
        issues.append(AttributeIssue(type: 2, reaction: .withdraw, notification: Notification(.update, 11)))
        return
      }
      attributes.asPath = path
    case .nextHop:
      guard value.count == 4, let bits = reader.u32() else { return note(type, 5, whole, .withdraw) }
      // §6.3: an address that can be no host. 0/8, 127/8, and all above unicast.
      guard bits >> 24 != 0, bits >> 24 != 127, bits >> 24 < 224 else { return note(type, 8, whole, .withdraw) }
      nextHop = NextHop(IPAddress(v4: bits))
    case .med:
      guard value.count == 4 else { return note(type, 5, whole, .withdraw) }
      attributes.med = reader.u32()
    case .localPreference:
      // RFC 7606 §7.5: from an external peer it means nothing, well formed or not.
      guard options.isInternal else { return note(type, 5, whole, .discard) }
      guard value.count == 4 else { return note(type, 5, whole, .withdraw) }
      attributes.localPreference = reader.u32()
    case .atomicAggregate:
      guard value.isEmpty else { return note(type, 5, whole, .discard) }
      attributes.atomicAggregate = true
    case .aggregator:
      guard value.count == (options.fourOctetAS ? 8 : 6),
        let number = options.fourOctetAS ? reader.u32() : reader.u16().map(UInt32.init), number != 0,
        let identifier = reader.u32()
      else { return note(type, 5, whole, .discard) }
      attributes.aggregator = Aggregator(autonomousSystem: number, identifier: identifier)
    case .communities:
      guard value.count % 4 == 0, !value.isEmpty else { return note(type, 5, whole, .withdraw) }
      while let value = reader.u32() { attributes.communities.append(Community(value)) }
    case .extendedCommunities:
      guard value.count % 8 == 0, !value.isEmpty else { return note(type, 5, whole, .withdraw) }
      while let value = reader.u64() { attributes.extendedCommunities.append(ExtendedCommunity(value)) }
    case .largeCommunities:
      guard value.count % 12 == 0, !value.isEmpty else { return note(type, 5, whole, .withdraw) }
      while let administrator = reader.u32(), let first = reader.u32(), let second = reader.u32() {
        attributes.largeCommunities.append(LargeCommunity(administrator, first, second))
      }
    case .originatorID:
      guard options.isInternal else { return note(type, 5, whole, .discard) }
      guard value.count == 4 else { return note(type, 5, whole, .withdraw) }
      attributes.originatorID = reader.u32()
    case .clusterList:
      guard options.isInternal else { return note(type, 5, whole, .discard) }
      guard value.count % 4 == 0, !value.isEmpty else { return note(type, 5, whole, .withdraw) }
      while let cluster = reader.u32() { attributes.clusterList.append(cluster) }
    case .as4Path:
      // RFC 6793 §4.1 and §6: pointless between four-octet speakers, dropped when broken.
      guard !options.fourOctetAS, let path = ASPath.decode(value, fourOctetAS: true), path.length > 0 else {
        return note(type, 9, whole, .discard)
      }
      as4Path = path
    case .as4Aggregator:
      guard !options.fourOctetAS, value.count == 8, let number = reader.u32(), number != 0,
        let identifier = reader.u32()
      else { return note(type, 9, whole, .discard) }
      as4Aggregator = Aggregator(autonomousSystem: number, identifier: identifier)
    case .mpReach: try decodeReach(value, whole: whole)
    case .mpUnreach: try decodeUnreach(value, whole: whole)
    }
  }

  /// AFI, 2 | SAFI, 1 | next hop length, 1 | next hop | reserved, 1 | NLRI (RFC 4760 §3).
  private mutating func decodeReach(_ value: Span<UInt8>, whole: Span<UInt8>) throws(Notification) {
    hasReach = true
    var reader = ByteReader(value)
    // RFC 7606 §7.11: what cannot be parsed may hide prefixes.
    guard let afi = reader.u16(), let safi = reader.u8(), let length = reader.u8(),
      let hop = reader.take(Int(length)), reader.skip(1)
    else { throw Notification(.update, 9, Message.copy(whole)) }
    let code = FamilyCode(afi: afi, safi: safi)
    guard let family = code.unicast, options.families.contains(code) else {
      // Not agreed upon: nothing of ours, so nothing to withdraw (RFC 4760 §6).
      return note(.mpReach, 9, whole, .discard)
    }
    guard let nextHop = decodeNextHop(hop, family: family), let rest = reader.take(reader.remaining),
      let prefixes = Prefixes.decode(rest, family: family)
    else { throw Notification(.update, 9, Message.copy(whole)) }
    reachable = Update.Reachable(nextHop, prefixes)
    if nextHop.address.isUnspecified || nextHop.address.isLoopback || isMulticast(nextHop.address) {
      note(.mpReach, 8, whole, .withdraw)
    }
  }

  private func decodeNextHop(_ bytes: Span<UInt8>, family: IPAddress.Family) -> NextHop? {
    switch (bytes.count, family) {
    case (4, .v4): return IPAddress(bytes: Message.copy(bytes)).map { NextHop($0) }
    case (16, .v6), (32, .v6), (16, .v4), (32, .v4):
      guard family == .v6 || options.extendedNextHop,
        let address = IPAddress(bytes: Message.copy(bytes.extracting(0..<16)))
      else { return nil }
      guard bytes.count == 32 else { return NextHop(address) }
      return NextHop(address, linkLocal: IPAddress(bytes: Message.copy(bytes.extracting(16..<32))))
    default: return nil
    }
  }

  private func isMulticast(_ address: IPAddress) -> Bool {
    address.family == .v4 ? address.low >> 28 >= 14 : address.high >> 56 == 0xff
  }

  /// AFI, 2 | SAFI, 1 | withdrawn (RFC 4760 §4).
  private mutating func decodeUnreach(_ value: Span<UInt8>, whole: Span<UInt8>) throws(Notification) {
    var reader = ByteReader(value)
    guard let afi = reader.u16(), let safi = reader.u8() else { throw Notification(.update, 9, Message.copy(whole)) }
    let code = FamilyCode(afi: afi, safi: safi)
    guard let family = code.unicast, options.families.contains(code) else {
      return note(.mpUnreach, 9, whole, .discard)
    }
    guard let rest = reader.take(reader.remaining), let prefixes = Prefixes.decode(rest, family: family) else {
      throw Notification(.update, 9, Message.copy(whole))
    }
    unreachable = prefixes
    if prefixes.isEmpty { endOfRIB = code }
  }

  /// RFC 6793 §4.2.3.
  private mutating func mergeFourOctet() {
    if let as4Aggregator, let aggregator = attributes.aggregator {
      guard aggregator.autonomousSystem == UInt32(Open.asTrans) else { return }
      attributes.aggregator = as4Aggregator
    }
    if let as4Path { attributes.asPath = attributes.asPath.merged(with: as4Path) }
  }

  /// RFC 7606 §3 d: routes need ORIGIN and AS_PATH.
  mutating func requireMandatory() {
    for type in [AttributeType.origin, .asPath] where !seen.contains(type.rawValue) { missing(type) }
  }

  mutating func missing(_ type: AttributeType) {
    let notification = Notification(.update, 3, [type.rawValue])
    issues.append(AttributeIssue(type: type.rawValue, reaction: .withdraw, notification: notification))
  }

  private mutating func note(
    _ type: AttributeType, _ subcode: UInt8, _ whole: Span<UInt8>, _ reaction: AttributeIssue.Reaction
  ) {
    let notification = Notification(.update, subcode, Message.copy(whole))
    issues.append(AttributeIssue(type: type.rawValue, reaction: reaction, notification: notification))
  }
}
