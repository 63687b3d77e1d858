package import Model

/// What is said of a prefix, in an operator's words; what it becomes on the wire depends on the session.
package struct AnnouncementTerms: Hashable, Sendable {
  /// nil: this end of the session.
  package var nextHop: IPAddress?
  package var origin: Origin
  /// Our AS so many times more than the one that an external peer gets anyway.
  package var prepend: Int
  package var med: UInt32?
  /// To internal peers only; 100 by default, as RFC 4271 §5.1.5 wants it always said.
  package var localPreference: UInt32
  package var communities: Set<Community>
  package var extendedCommunities: Set<ExtendedCommunity>
  package var largeCommunities: Set<LargeCommunity>

  package init(
    nextHop: IPAddress? = nil, origin: Origin = .igp, prepend: Int = 0, med: UInt32? = nil,
    localPreference: UInt32 = 100, communities: Set<Community> = [], extendedCommunities: Set<ExtendedCommunity> = [],
    largeCommunities: Set<LargeCommunity> = []
  ) {
    self.nextHop = nextHop
    self.origin = origin
    self.prepend = max(0, prepend)
    self.med = med
    self.localPreference = localPreference
    self.communities = communities
    self.extendedCommunities = extendedCommunities
    self.largeCommunities = largeCommunities
  }

  /// The attributes for a peer of the given AS. Communities are sorted, so that equal sets are equal bytes.
  package func attributes(localAS: UInt32, isInternal: Bool) -> PathAttributes {
    // Inside the AS our number is not on the path (§5.1.2 b), so there is nothing to repeat.
    var path = ASPath()
    if !isInternal { path.prepend(localAS, times: 1 + min(prepend, 64)) }
    return PathAttributes(
      origin: origin, asPath: path, med: med, localPreference: isInternal ? localPreference : nil,
      communities: communities.sorted(), extendedCommunities: extendedCommunities.sorted(),
      largeCommunities: largeCommunities.sorted())
  }
}

/// Our own addresses on a session: what "next hop self" means in each family.
package struct SelfAddresses: Hashable, Sendable {
  package var v4: IPAddress?
  package var v6: IPAddress?
  package var linkLocal: IPAddress?

  package init(v4: IPAddress? = nil, v6: IPAddress? = nil, linkLocal: IPAddress? = nil) {
    self.v4 = v4
    self.v6 = v6
    self.linkLocal = linkLocal
  }

  /// The next hop for prefixes of `family`; an IPv6 address serves IPv4 where the session allows it (RFC 8950).
  func nextHop(_ family: IPAddress.Family, given: IPAddress?, extended: Bool) -> NextHop? {
    if let given { return NextHop(given) }
    if family == .v4, let v4 { return NextHop(v4) }
    guard family == .v6 || extended else { return nil }
    if let v6 { return NextHop(v6, linkLocal: linkLocal) }
    return linkLocal.map { NextHop($0) }
  }
}
