import Model
import Wire

extension Advertisement {
  /// The IP payload, or nil where the values fit no advert of this version: no or over 255 addresses, a mixture of
  /// families or not the header's, version 2 over IPv6, an interval or an authentication of the other version.
  ///
  /// The checksum of version 3 depends on source and destination: each unicast peer gets its own bytes.
  package func encode(in header: PacketHeader, checksum form: ChecksumForm = .pseudoHeader) -> [UInt8]? {
    guard var writer = message(for: header) else { return nil }
    writer.seal(version, header, form)
    return writer.bytes
  }

  /// The same with Sluice's authentication trailer; version 3 only. nil as above, or when the key is unknown.
  package func encode(
    in header: PacketHeader, checksum form: ChecksumForm = .pseudoHeader, sealedBy sealer: inout AdvertSealer,
    with code: MessageCode
  ) -> [UInt8]? {
    guard version == .v3, var writer = message(for: header), sealer.append(to: &writer, header, code) else {
      return nil
    }
    writer.seal(version, header, form)
    return writer.bytes
  }

  /// Everything up to the trailer, with a checksum of zero.
  private func message(for header: PacketHeader) -> ByteWriter? {
    let family = header.source.family
    guard header.destination.family == family, version == .v3 || family == .v4, virtualRouter != 0,
      (1...255).contains(addresses.count), addresses.allSatisfy({ $0.family == family }),
      AdvertInterval(centiseconds: Int(interval.centiseconds), version: version) != nil,
      version == .v2 || authentication == .none
    else { return nil }
    var writer = ByteWriter(capacity: 8 + addresses.count * family.size + AuthenticationTrailer.length)
    writer.u8(version.rawValue << 4 | 1)
    writer.u8(virtualRouter)
    writer.u8(priority)
    writer.u8(UInt8(addresses.count))
    var password: UInt64 = 0
    switch (version, authentication) {
    case (.v3, _): writer.u16(interval.centiseconds)
    case (.v2, .none): writer.u16(interval.centiseconds / 100)
    case (.v2, .simple(let simple)):
      writer.u16(1 << 8 | interval.centiseconds / 100)
      password = simple.bits
    }
    writer.u16(0)
    for address in addresses {
      if family == .v6 {
        writer.u64(address.high)
        writer.u64(address.low)
      } else {
        writer.u32(UInt32(truncatingIfNeeded: address.low))
      }
    }
    if version == .v2 { writer.u64(password) }
    return writer
  }
}

extension IPAddress.Family {
  /// The size of an address in bytes.
  var size: Int { self == .v4 ? 4 : 16 }
}

extension ByteWriter {
  static let checksumOffset = 6

  mutating func seal(_ version: ProtocolVersion, _ header: PacketHeader, _ form: ChecksumForm) {
    let covers = version == .v3 && (header.source.family == .v6 || form == .pseudoHeader)
    patch16(at: ByteWriter.checksumOffset, bytes.span.checksum(covers ? header : nil))
  }
}
