/// Why an advert is dropped. Each reason has a counter; none changes a state.
package enum AdvertError: UInt8, Error, Hashable, Sendable, CaseIterable {
  /// Below the least TTL or hop limit that this router takes: a packet from beyond the link (RFC 9568 §5.1.1.3).
  case hopLimit
  /// Source and destination of different families, or a version 2 advert over IPv6.
  case family
  /// Shorter or longer than its count of addresses says.
  case length
  /// Neither 2 nor 3, or not this router's.
  case version
  /// Not ADVERTISEMENT (1), the only type there is.
  case type
  case checksum
  /// Zero, or a virtual router that nobody here runs.
  case virtualRouter
  /// No address.
  case count
  /// Zero; or, in version 2, other than this router's (RFC 3768 §7.1).
  case interval
  /// Version 2: a type other than this router's, or one that is not spoken here.
  case authenticationType
  /// Version 2: another password.
  case authenticationString
  /// Other addresses than this router's.
  case addressList
  /// With unicast peers: a sender that is none of them.
  case unknownPeer
  /// This node's own packet, reflected by the network or forged.
  case ownAddress
  /// Authentication is on here and the advert has no trailer.
  case missingTrailer
  /// A trailer that this router did not ask for.
  case unexpectedTrailer
  case unknownKey
  /// The trailer's code is not the message's.
  case code
  /// A sequence number that was seen, or is too old to tell.
  case replay
}

/// Adverts that were taken, and those that were dropped by reason.
package struct AdvertCounters: Hashable, Sendable {
  package private(set) var accepted: UInt64 = 0
  private var dropped = [UInt64](repeating: 0, count: AdvertError.allCases.count)

  package init() {}

  package subscript(reason: AdvertError) -> UInt64 { dropped[Int(reason.rawValue)] }
  package var totalDropped: UInt64 { dropped.reduce(0, &+) }

  package mutating func accept() { accepted &+= 1 }
  package mutating func drop(_ reason: AdvertError) { dropped[Int(reason.rawValue)] &+= 1 }
}
