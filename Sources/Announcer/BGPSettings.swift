internal import BGP
internal import Kernel
internal import Model

/// From an operator's words to the protocol's.
extension SessionSettings {
  init(_ speaker: BGPSpeaker, _ topology: BGPTopology, justStarted: Bool) {
    let localAS = speaker.localAS ?? topology.localAS
    let peerAS: PeerAS =
      switch speaker.peerAS {
      case .exactly(let number): .exactly(number)
      case .external: .external
      case .internal: .internal
      }
    var isPassive = speaker.passive
    if case .range = speaker.peer { isPassive = true }
    self.init(
      localAS: localAS, identifier: topology.identifier, peerAS: peerAS, families: speaker.families,
      extendedNextHop: speaker.extendedNextHop, passive: isPassive,
      holdTime: UInt16(clamping: speaker.holdTime.nanoseconds / 1_000_000_000), connectRetry: speaker.connectRetry,
      delayOpen: speaker.delayOpen)
    guard let restart = topology.gracefulRestart else { return }
    // F: the announced addresses stay where they are whenever a session ends, and packets to them arrive.
    // No N bit: whatever we or the peer say at the end of a session takes the routes with it (RFC 8538 §2).
    gracefulRestart = GracefulRestart(
      restarted: justStarted, seconds: UInt16(clamping: restart.nanoseconds / 1_000_000_000),
      families: speaker.families.map { GracefulRestart.Family(FamilyCode($0), preserved: true) })
  }
}

extension BGPSpeaker {
  /// `isExternal`: as the two ASes tell, where the peer's is known.
  func socketOptions(_ nodeAS: UInt32) -> PeerSocket.Options {
    let key = Array((password ?? "").utf8)
    // RFC 4271 §5.1.3: an external peer is a neighbour unless said otherwise; an internal one may be anywhere.
    switch distance ?? (isInternal(nodeAS) ? .multihop(64) : .direct) {
    case .direct: return PeerSocket.Options(ttl: 1, key: key)
    case .secured(let hops): return PeerSocket.Options(ttl: 255, minimumTTL: UInt8(clamping: 256 - hops), key: key)
    case .multihop(let hops): return PeerSocket.Options(ttl: UInt8(clamping: hops), key: key)
    }
  }

  var isMultihop: Bool { if case .multihop = distance { true } else { false } }
}

extension AnnouncementTerms {
  init(_ terms: BGPTerms, _ family: IPAddress.Family) {
    self.init(
      nextHop: terms.nextHop.first { $0.family == family }, origin: Origin(rawValue: terms.origin.rawValue) ?? .igp,
      prepend: terms.prepend, med: terms.med, localPreference: terms.localPreference,
      communities: Set(terms.communities.map { Community($0) }),
      extendedCommunities: Set(terms.extendedCommunities.map { ExtendedCommunity($0) }),
      largeCommunities: Set(terms.largeCommunities.map { LargeCommunity($0.administrator, $0.first, $0.second) }))
  }
}

extension BGPRouteView {
  init(_ prefix: IPPrefix, _ hop: NextHop, _ attributes: PathAttributes) {
    self.init(
      prefix: prefix, nextHop: hop.address, path: "\(attributes.asPath)", origin: "\(attributes.origin)",
      med: attributes.med, localPreference: attributes.localPreference,
      communities: attributes.communities.map(\.description) + attributes.largeCommunities.map(\.description)
        + attributes.extendedCommunities.map(\.description))
  }
}

extension BGPPeerCounters {
  init(_ counters: SessionCounters) {
    self.init()
    messagesIn = counters.received
    messagesOut = counters.sent
    updatesIn = counters.updatesReceived
    notificationsIn = counters.notificationsReceived
    notificationsOut = counters.notificationsSent
    established = counters.established
    treatedAsWithdraw = counters.treatedAsWithdraw
    attributesDiscarded = counters.attributesDiscarded
    errors = counters.errors
  }
}

extension Capability {
  /// As operators call it.
  var name: String {
    switch self {
    case .multiprotocol(let family):
      family == .v4 ? "ipv4-unicast" : family == .v6 ? "ipv6-unicast" : "family-\(family.afi)/\(family.safi)"
    case .routeRefresh: "route-refresh"
    case .extendedNextHop: "extended-next-hop"
    case .extendedMessage: "extended-message"
    case .gracefulRestart(let restart): "graceful-restart (\(restart.seconds) s)"
    case .fourOctetAS: "4-octet-as"
    case .addPath: "add-path (refused)"
    case .enhancedRouteRefresh: "enhanced-route-refresh"
    case .unknown(let code, _): "capability-\(code)"
    }
  }
}
