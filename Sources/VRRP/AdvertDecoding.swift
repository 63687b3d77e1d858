import Model
import Wire

/// An advert as it was read, before anybody asked whether it is wanted.
///
///      0                   1                   2                   3
///     +-------+-------+---------------+---------------+---------------+
///     |Version| Type=1|      VRID     |    Priority   |  Addr Count   |
///     +-------+-------+---------------+---------------+---------------+
///  v3 | Rsvd  | Adver Int, centisec.  |            Checksum           |
///  v2 |   Auth Type   | Adver Int, s  |            Checksum           |
///     +-------+-----------------------+-------------------------------+
///     |               addresses, 4 or 16 bytes each                   |
///     |  v2: Authentication Data, 8 bytes | v3: Sluice's trailer, 32  |
///     +---------------------------------------------------------------+
package struct DecodedAdvert: Hashable, Sendable {
  package var advertisement: Advertisement
  package var trailer: AuthenticationTrailer?
  /// Which sum fitted; nil in version 2.
  package var checksum: ChecksumForm?

  /// Reads an IP payload. The checks come in the order of RFC 9568 §7.1.
  ///
  /// - Parameter minimumHopLimit: 255, but for unicast peers: keepalived 2.2 sends IPv6 unicast with 64.
  package init(_ payload: Span<UInt8>, in header: PacketHeader, minimumHopLimit: UInt8 = 255) throws(AdvertError) {
    guard header.source.family == header.destination.family else { throw .family }
    guard header.hopLimit >= minimumHopLimit else { throw .hopLimit }
    var reader = ByteReader(payload)
    guard let first = reader.u8(), let virtualRouter = reader.u8(), let priority = reader.u8(), let count = reader.u8(),
      let word = reader.u16(), reader.u16() != nil
    else { throw .length }
    guard let version = ProtocolVersion(rawValue: first >> 4) else { throw .version }
    guard first & 15 == 1 else { throw .type }
    guard version == .v3 || header.source.family == .v4 else { throw .family }
    guard virtualRouter != 0 else { throw .virtualRouter }
    guard count != 0 else { throw .count }

    let size = header.source.family == .v4 ? 4 : 16
    let tail = reader.remaining - Int(count) * size
    switch version {
    case .v2: guard tail == 8 else { throw .length }
    case .v3: guard tail == 0 || tail == AuthenticationTrailer.length else { throw .length }
    }
    checksum = try DecodedAdvert.verify(payload, header, version)

    var addresses: [IPAddress] = []
    addresses.reserveCapacity(Int(count))
    for _ in 0..<count {
      guard let address = reader.address(header.source.family) else { throw .length }
      addresses.append(address)
    }
    let centiseconds = version == .v3 ? Int(word & 0x0fff) : Int(word & 0xff) * 100
    guard let interval = AdvertInterval(centiseconds: centiseconds, version: version) else { throw .interval }
    var authentication = Advertisement.Authentication.none
    if version == .v2 {
      guard let bits = reader.u64() else { throw .length }
      switch word >> 8 {
      case 0: break  // the data is ignored (RFC 3768 §5.3.10)
      case 1: authentication = .simple(SimplePassword(bits: bits))
      default: throw .authenticationType
      }
    }
    if version == .v3, tail > 0 {
      guard let trailer = AuthenticationTrailer(reading: &reader) else { throw .length }
      self.trailer = trailer
    }
    advertisement = Advertisement(
      version: version, virtualRouter: virtualRouter, priority: priority, interval: interval, addresses: addresses,
      authentication: authentication)
  }

  /// The VRID, for the driver to find the router; nil when there is none to read.
  package static func virtualRouter(peekedFrom payload: Span<UInt8>) -> UInt8? {
    payload.count >= 8 ? payload[1] : nil
  }

  private static func verify(
    _ payload: Span<UInt8>, _ header: PacketHeader, _ version: ProtocolVersion
  ) throws(AdvertError) -> ChecksumForm? {
    let isPlain = payload.checksum(nil) == 0
    guard version == .v3 else {
      guard isPlain else { throw .checksum }
      return nil
    }
    if payload.checksum(header) == 0 { return .pseudoHeader }
    guard header.source.family == .v4, isPlain else { throw .checksum }
    return .plain
  }
}

extension ByteReader {
  @_lifetime(self: copy self)
  mutating func address(_ family: IPAddress.Family) -> IPAddress? {
    switch family {
    case .v4: return u32().map { IPAddress(v4: $0) }
    case .v6:
      guard remaining >= 16, let high = u64(), let low = u64() else { return nil }
      return IPAddress(v6: high, low)
    }
  }
}

extension Span<UInt8> {
  /// The Internet checksum, with the pseudo-header of RFC 8200 §8.1 (or RFC 9293 §3.1 over IPv4) if there is one.
  func checksum(_ header: PacketHeader?) -> UInt16 {
    var sum = InternetChecksum()
    if let header {
      sum.update(header.source)
      sum.update(header.destination)
      sum.update(word: UInt16(truncatingIfNeeded: count))
      sum.update(word: UInt16(PacketHeader.protocolNumber))
    }
    sum.update(self)
    return sum.finish()
  }
}

extension InternetChecksum {
  mutating func update(_ address: IPAddress) {
    if address.family == .v6 {
      for shift in stride(from: UInt64(0), to: 64, by: 16) {
        update(word: UInt16(truncatingIfNeeded: address.high >> shift))
      }
      for shift in stride(from: UInt64(0), to: 64, by: 16) {
        update(word: UInt16(truncatingIfNeeded: address.low >> shift))
      }
    } else {
      update(word: UInt16(truncatingIfNeeded: address.low >> 16))
      update(word: UInt16(truncatingIfNeeded: address.low))
    }
  }
}
