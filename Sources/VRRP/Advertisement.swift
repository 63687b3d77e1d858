package import Model

/// One ADVERTISEMENT, free of how it travelled.
package struct Advertisement: Hashable, Sendable {
  package enum Authentication: Hashable, Sendable {
    case none
    /// Version 2, type 1: eight bytes in the clear. Guards against a wrong configuration, not against a person.
    case simple(SimplePassword)
  }

  package var version: ProtocolVersion
  /// VRID, 1–255.
  package var virtualRouter: UInt8
  /// 255: owner of the addresses; 0: the Active router resigns.
  package var priority: UInt8
  package var interval: AdvertInterval
  /// All of one family, 1–255 of them.
  package var addresses: [IPAddress]
  package var authentication = Authentication.none

  package init(
    version: ProtocolVersion, virtualRouter: UInt8, priority: UInt8, interval: AdvertInterval, addresses: [IPAddress],
    authentication: Authentication = .none
  ) {
    self.version = version
    self.virtualRouter = virtualRouter
    self.priority = priority
    self.interval = interval
    self.addresses = addresses
    self.authentication = authentication
  }
}

/// Version 2's authentication data: up to eight bytes, padded with zeros (RFC 2338 §5.3.6).
package struct SimplePassword: Hashable, Sendable {
  package let bits: UInt64

  /// nil when it is longer than eight bytes.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count <= 8 else { return nil }
    bits = (bytes + [UInt8](repeating: 0, count: 8 - bytes.count)).reduce(0) { $0 << 8 | UInt64($1) }
  }

  init(bits: UInt64) { self.bits = bits }
}

/// What the IP header of a received or a sent advert says.
package struct PacketHeader: Hashable, Sendable {
  package static let protocolNumber: UInt8 = 112
  package static let groupV4 = IPAddress(224, 0, 0, 18)
  /// ff02::12
  package static let groupV6 = IPAddress(v6: 0xff02_0000_0000_0000, 0x12)

  package var source: IPAddress
  package var destination: IPAddress
  /// TTL or hop limit.
  package var hopLimit: UInt8

  package init(source: IPAddress, destination: IPAddress, hopLimit: UInt8 = 255) {
    self.source = source
    self.destination = destination
    self.hopLimit = hopLimit
  }
}

/// What a version 3 checksum over IPv4 covers, since implementations differ.
///
/// RFC 9568 §5.2.8 sums the VRRP message alone over IPv4. RFC 5798 could be read to include a pseudo-header as over
/// IPv6, which keepalived 2.2 does and checks. So: the pseudo-header is what is sent by default, and both are taken
/// (what an error slips through grows from 1 to 2 in 65,536). Over IPv6 the pseudo-header is always there; in
/// version 2 never.
package enum ChecksumForm: Hashable, Sendable {
  case pseudoHeader
  case plain
}
