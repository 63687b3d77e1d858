package import Model
import Wire

/// Writes UPDATEs that fit the peer's message limit: prefixes are spread over as many as it takes.
package struct UpdateEncoder: Sendable {
  package let options: CodecOptions

  package init(options: CodecOptions) { self.options = options }

  /// Whether prefixes of `family` may point to `nextHop` in this session.
  package func carries(_ family: IPAddress.Family, _ nextHop: NextHop) -> Bool {
    guard options.families.contains(FamilyCode(family)) else { return false }
    switch (family, nextHop.address.family) {
    case (.v4, .v4), (.v6, .v6): return true
    case (.v4, .v6): return options.extendedNextHop
    case (.v6, .v4): return false
    }
  }

  /// Messages that announce `prefixes` (all of one family, which `carries` the next hop);
  /// nil when the attributes alone leave no room for a prefix.
  package func announce(
    _ prefixes: [IPPrefix], nextHop: NextHop, attributes: PathAttributes
  ) -> [[UInt8]]? {
    guard let family = prefixes.first?.address.family else { return [] }
    let classic = family == .v4 && nextHop.address.family == .v4
    let common = encode(attributes, nextHop: classic ? nextHop.address : nil)
    // Header and both lengths; MP_REACH_NLRI with a two-octet length, next hop and reserved octet.
    let hop = nextHop.address.bytes + (nextHop.linkLocal?.bytes ?? [])
    let overhead = Message.headerLength + 4 + common.count + (classic ? 0 : 4 + 5 + hop.count)
    return split(prefixes, room: options.sendLimit - overhead)?.map { part in
      Message.build(.update) { writer in
        writer.u16(0)
        guard !classic else {
          writer.u16(UInt16(common.count))
          writer.append(common)
          for prefix in part { Prefixes.encode(prefix, into: &writer) }
          return
        }
        let size = 5 + hop.count + part.reduce(0) { $0 + Prefixes.size($1) }
        writer.u16(UInt16(4 + size + common.count))
        // RFC 7606 §5.1: first of all attributes, so that an error behind it cannot hide the prefixes.
        header(.mpReach, size, extended: true, into: &writer)
        writer.u16(FamilyCode(family).afi)
        writer.u8(FamilyCode(family).safi)
        writer.u8(UInt8(hop.count))
        writer.append(hop)
        writer.u8(0)
        for prefix in part { Prefixes.encode(prefix, into: &writer) }
        writer.append(common)
      }
    }
  }

  /// Messages that withdraw `prefixes`, all of one family.
  package func withdraw(_ prefixes: [IPPrefix]) -> [[UInt8]] {
    guard let family = prefixes.first?.address.family else { return [] }
    let overhead = Message.headerLength + 4 + (family == .v4 ? 0 : 4 + 3)
    return (split(prefixes, room: options.sendLimit - overhead) ?? []).map { part in
      Message.build(.update) { writer in
        let size = part.reduce(0) { $0 + Prefixes.size($1) }
        if family == .v4 {
          writer.u16(UInt16(size))
          for prefix in part { Prefixes.encode(prefix, into: &writer) }
          writer.u16(0)
        } else {
          writer.u16(0)
          writer.u16(UInt16(4 + 3 + size))
          header(.mpUnreach, 3 + size, extended: true, into: &writer)
          writer.u16(FamilyCode.v6.afi)
          writer.u8(FamilyCode.v6.safi)
          for prefix in part { Prefixes.encode(prefix, into: &writer) }
        }
      }
    }
  }

  /// RFC 4724 §2.
  package static func endOfRIB(_ family: IPAddress.Family) -> [UInt8] {
    Message.build(.update) { writer in
      writer.u16(0)
      guard family == .v6 else { return writer.u16(0) }
      writer.u16(6)
      writer.append([0x80, AttributeType.mpUnreach.rawValue, 3, 0, 2, 1])
    }
  }

  private func split(_ prefixes: [IPPrefix], room: Int) -> [[IPPrefix]]? {
    guard room >= (prefixes.map(Prefixes.size).max() ?? 0) else { return nil }
    var parts: [[IPPrefix]] = []
    var part: [IPPrefix] = []
    var left = room
    for prefix in prefixes {
      let size = Prefixes.size(prefix)
      if size > left {
        parts.append(part)
        part = []
        left = room
      }
      part.append(prefix)
      left -= size
    }
    if !part.isEmpty { parts.append(part) }
    return parts
  }

  private func header(_ type: AttributeType, _ count: Int, extended: Bool = false, into writer: inout ByteWriter) {
    if extended || count > 255 {
      writer.u8(type.flags | 0x10)
      writer.u8(type.rawValue)
      writer.u16(UInt16(truncatingIfNeeded: count))
    } else {
      writer.u8(type.flags)
      writer.u8(type.rawValue)
      writer.u8(UInt8(count))
    }
  }

  /// All attributes but the MP ones, in the order of their codes (§5).
  func encode(_ attributes: PathAttributes, nextHop: IPAddress?) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    func put(_ type: AttributeType, _ body: (inout ByteWriter) -> Void) {
      var value = ByteWriter()
      body(&value)
      header(type, value.count, into: &writer)
      writer.append(value.bytes)
    }
    put(.origin) { $0.u8(attributes.origin.rawValue) }
    put(.asPath) { attributes.asPath.encode(fourOctetAS: options.fourOctetAS, into: &$0) }
    if let nextHop { put(.nextHop) { $0.append(nextHop.bytes) } }
    if let med = attributes.med { put(.med) { $0.u32(med) } }
    if let preference = attributes.localPreference, options.isInternal { put(.localPreference) { $0.u32(preference) } }
    if attributes.atomicAggregate { put(.atomicAggregate) { _ in } }
    if let aggregator = attributes.aggregator {
      put(.aggregator) { value in
        if options.fourOctetAS {
          value.u32(aggregator.autonomousSystem)
        } else {
          value.u16(UInt16(exactly: aggregator.autonomousSystem) ?? Open.asTrans)
        }
        value.u32(aggregator.identifier)
      }
    }
    if !attributes.communities.isEmpty {
      put(.communities) { for community in attributes.communities { $0.u32(community.value) } }
    }
    if options.isInternal {
      if let originator = attributes.originatorID { put(.originatorID) { $0.u32(originator) } }
      if !attributes.clusterList.isEmpty {
        put(.clusterList) { for cluster in attributes.clusterList { $0.u32(cluster) } }
      }
    }
    if !attributes.extendedCommunities.isEmpty {
      put(.extendedCommunities) { for community in attributes.extendedCommunities { $0.u64(community.value) } }
    }
    if !options.fourOctetAS { encodeFourOctet(attributes, put) }
    if !attributes.largeCommunities.isEmpty {
      put(.largeCommunities) { value in
        for community in attributes.largeCommunities {
          value.u32(community.administrator)
          value.u32(community.first)
          value.u32(community.second)
        }
      }
    }
    for unknown in attributes.unknown {
      let long = unknown.value.count > 255
      writer.u8(unknown.flags & 0xe0 | (long ? 0x10 : 0))
      writer.u8(unknown.type)
      if long {
        writer.u16(UInt16(truncatingIfNeeded: unknown.value.count))
      } else {
        writer.u8(UInt8(unknown.value.count))
      }
      writer.append(unknown.value)
    }
    return writer.bytes
  }

  /// RFC 6793 §4.2.2: what AS_TRANS hides from a two-octet peer rides along.
  private func encodeFourOctet(_ attributes: PathAttributes, _ put: (AttributeType, (inout ByteWriter) -> Void) -> Void)
  {
    if attributes.asPath.segments.contains(where: { $0.numbers.contains { $0 > 0xffff } }) {
      put(.as4Path) { attributes.asPath.encode(fourOctetAS: true, into: &$0) }
    }
    if let aggregator = attributes.aggregator, aggregator.autonomousSystem > 0xffff {
      put(.as4Aggregator) { value in
        value.u32(aggregator.autonomousSystem)
        value.u32(aggregator.identifier)
      }
    }
  }
}
