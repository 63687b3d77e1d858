package import Model

/// What both OPENs together allow.
package struct Negotiated: Hashable, Sendable {
  package var peerAS: UInt32
  package var peerIdentifier: UInt32
  package var isInternal: Bool
  /// Seconds; 0: neither keepalives nor a hold timer.
  package var holdTime: UInt16
  package var families: [IPAddress.Family]
  package var fourOctetAS: Bool
  package var extendedNextHop: Bool
  package var extendedMessage: Bool
  package var routeRefresh: Bool
  package var enhancedRouteRefresh: Bool
  /// The peer's word on graceful restart.
  package var peerRestart: GracefulRestart?
  /// RFC 8538: a plain NOTIFICATION would leave our routes in place.
  package var restartsOnNotification: Bool
  package var peerCapabilities: [Capability]

  package var codec: CodecOptions {
    CodecOptions(
      fourOctetAS: fourOctetAS, families: Set(families.map(FamilyCode.init)), extendedNextHop: extendedNextHop,
      isInternal: isInternal, sendLimit: extendedMessage ? Message.extendedLimit : Message.classicLimit)
  }

  /// Judges the peer's OPEN against what we are and offered (§6.2).
  package init(_ peer: Open, _ settings: SessionSettings, bare: Bool = false) throws(Notification) {
    peerAS = peer.autonomousSystem
    peerIdentifier = peer.identifier
    isInternal = peerAS == settings.localAS
    switch settings.peerAS {
    case .exactly(let number): guard number == peerAS else { throw .badPeerAS }
    case .external: guard !isInternal else { throw .badPeerAS }
    case .internal: guard isInternal else { throw .badPeerAS }
    }
    // RFC 6286 §2.1: within one AS an identifier names one speaker.
    guard !isInternal || peerIdentifier != settings.identifier else { throw .badIdentifier }

    let ours = bare ? [] : settings.capabilities
    let theirs = Set(peer.capabilities)
    let offered = settings.families.map(FamilyCode.init).filter { !bare || $0 == .v4 }
    let common = Set(offered).intersection(peer.families)
    families = [IPAddress.Family.v4, .v6].filter { common.contains(FamilyCode($0)) }
    guard !families.isEmpty else {
      throw .unsupportedCapability(settings.families.map { .multiprotocol(FamilyCode($0)) })
    }

    holdTime = min(settings.holdTime, peer.holdTime)
    fourOctetAS = !bare && peer.fourOctetAS != nil
    let hop = Capability.NextHopEncoding(.v4, nextHopAFI: 2)
    extendedNextHop =
      !bare && settings.extendedNextHop
      && theirs.contains { if case .extendedNextHop(let encodings) = $0 { encodings.contains(hop) } else { false } }
    extendedMessage = !bare && theirs.contains(.extendedMessage)
    routeRefresh = !bare && theirs.contains(.routeRefresh)
    enhancedRouteRefresh = !bare && theirs.contains(.enhancedRouteRefresh)
    peerRestart = peer.gracefulRestart
    let own = ours.contains { if case .gracefulRestart(let restart) = $0 { restart.notification } else { false } }
    restartsOnNotification = own && peerRestart?.notification == true
    peerCapabilities = peer.capabilities
  }
}
