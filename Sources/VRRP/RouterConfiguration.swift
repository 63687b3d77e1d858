package import Model

/// What one virtual router is told to be. Compare two to see whether a reload changed anything.
package struct RouterConfiguration: Hashable, Sendable {
  /// What the protocol does about adverts that name other addresses than this router's.
  package enum AddressCheck: Hashable, Sendable {
    /// Drop it, unless the sender owns the addresses (RFC 3768 §7.1).
    case drop
    /// Take it and say so (RFC 9568 §7.1 allows both).
    case note
  }

  package var name: String
  package var version: ProtocolVersion
  /// VRID, 1–255; unique per link and family.
  package var virtualRouter: UInt8
  /// 1–254; 255 says that this node owns the addresses and always preempts.
  package var priority: UInt8
  package var interval: AdvertInterval
  /// The addresses that are advertised, all of one family.
  package var addresses: [IPAddress]
  /// Addresses of any family that move along unadvertised.
  package var companions: [IPAddress] = []
  /// The addresses are the interface's own (an owner in the RFC's sense): never added or removed.
  package var addressesArePermanent = false
  /// Take over from a living Active router of lower priority (RFC 9568 §6.1 Preempt_Mode).
  package var preempts = true
  /// How long a living Active router of lower priority is left alone, from when it is first heard.
  package var preemptDelay = Duration.zero
  /// Take packets addressed to the virtual addresses though not their owner (Accept_Mode). A load balancer listens on
  /// them, so true, where the RFC's router says false.
  package var accepts = true
  /// Version 2 only.
  package var authentication = Advertisement.Authentication.none
  /// Only adverts with a valid trailer are taken, and sent ones carry it; version 3 only.
  package var isSealed = false
  /// Empty: multicast.
  package var peers: [IPAddress] = []
  /// 255, but lower for unicast peers beyond a router, or keepalived's IPv6 unicast (64).
  package var minimumHopLimit: UInt8 = 255
  package var checksum = ChecksumForm.pseudoHeader
  package var addressCheck: AddressCheck
  package var announcing = AnnouncementPolicy()

  package init(
    name: String, version: ProtocolVersion = .v3, virtualRouter: UInt8, priority: UInt8 = 100,
    interval: AdvertInterval = .second, addresses: [IPAddress]
  ) {
    self.name = name
    self.version = version
    self.virtualRouter = virtualRouter
    self.priority = priority
    self.interval = interval
    self.addresses = addresses
    addressCheck = version == .v2 ? .drop : .note
  }

  package var isOwner: Bool { priority == 255 }
  package var family: IPAddress.Family { addresses.first?.family ?? .v4 }

  /// Where each advert goes.
  package var destinations: [IPAddress] {
    if !peers.isEmpty { return peers }
    return [family == .v4 ? PacketHeader.groupV4 : PacketHeader.groupV6]
  }

  /// Everything that moves, sorted.
  package var movingAddresses: [IPAddress] { Set(addresses + companions).sorted() }

  /// Whether a router may go on with the other configuration as it stands.
  package func isSameRouter(as other: RouterConfiguration) -> Bool {
    version == other.version && virtualRouter == other.virtualRouter && addresses == other.addresses
      && companions == other.companions && addressesArePermanent == other.addressesArePermanent
  }

  package func advertisement(priority: UInt8) -> Advertisement {
    Advertisement(
      version: version, virtualRouter: virtualRouter, priority: priority, interval: interval, addresses: addresses,
      authentication: authentication)
  }

  /// The contradictions in it, in words; empty when it can run.
  package var problems: [String] {
    var found: [String] = []
    func refuse(_ isWrong: Bool, _ text: String) { if isWrong { found.append(text) } }
    refuse(virtualRouter == 0, "the virtual router's id must be 1–255")
    refuse(priority == 0, "priority 0 means resignation; it must be 1–255")
    refuse(addresses.isEmpty, "no address")
    refuse(addresses.count > 255, "more than 255 addresses fit no advert; move the rest along unadvertised")
    refuse(Set(addresses.map(\.family)).count > 1, "addresses of both families in one advert")
    refuse(Set(addresses).count != addresses.count, "an address twice")
    refuse(version == .v2 && family == .v6, "version 2 knows IPv4 only")
    refuse(
      AdvertInterval(centiseconds: Int(interval.centiseconds), version: version) == nil,
      "the interval must be whole seconds up to 255 in version 2, at most 40.95 s in version 3")
    refuse(version == .v3 && authentication != .none, "simple authentication is version 2's")
    refuse(version == .v2 && isSealed, "the authentication trailer is version 3's")
    refuse(peers.contains { $0.family != family }, "a unicast peer of another family than the addresses")
    refuse(preemptDelay < .zero, "a preempt delay below zero")
    refuse(isOwner && !preempts, "the owner of the addresses always preempts (RFC 9568 §6.1)")
    refuse(addressesArePermanent && !isOwner, "addresses that stay on the interface make it their owner: priority 255")
    return found
  }
}
