package import Model

/// An AFI and SAFI as they stand on the wire, known to us or not (RFC 4760 §3).
package struct FamilyCode: Hashable, Sendable, BitwiseCopyable {
  package let afi: UInt16
  package let safi: UInt8

  package init(afi: UInt16, safi: UInt8) {
    self.afi = afi
    self.safi = safi
  }

  /// Unicast of an address family: the only SAFI that Sluice speaks.
  package init(_ family: IPAddress.Family) { self.init(afi: family == .v4 ? 1 : 2, safi: 1) }

  package static let v4 = FamilyCode(.v4)
  package static let v6 = FamilyCode(.v6)

  /// nil when it is not IPv4 or IPv6 unicast.
  package var unicast: IPAddress.Family? { self == .v4 ? .v4 : self == .v6 ? .v6 : nil }
}
