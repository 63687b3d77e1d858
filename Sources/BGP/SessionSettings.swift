package import Model

/// What one session is configured to be.
package struct SessionSettings: Hashable, Sendable {
  package enum PeerAS: Hashable, Sendable {
    case exactly(UInt32)
    /// Any AS but ours: dynamic neighbours.
    case external
    /// Ours.
    case `internal`
  }

  package var localAS: UInt32
  /// The BGP identifier; must not be 0.
  package var identifier: UInt32
  package var peerAS: PeerAS
  package var families: [IPAddress.Family]
  /// Offers IPv6 next hops for IPv4 prefixes (RFC 8950).
  package var extendedNextHop: Bool
  /// Never connects, only takes connections.
  package var passive: Bool
  /// Seconds; 0 or at least 3 (others count as 3). The smaller of both speakers' rules.
  package var holdTime: UInt16
  package var connectRetry: Duration
  /// How long to let the peer speak first; zero: not at all (§8.1.1, option 12).
  package var delayOpen: Duration
  /// Until the peer's OPEN arrives (§8.2.2 suggests four minutes).
  package var openHold: Duration
  /// The pause after the first failure; doubles with each up to the maximum.
  package var idleHold: Duration
  package var idleHoldMaximum: Duration
  /// A session that lived so long starts again without a record of failures.
  package var forgetFailures: Duration
  /// A BFD down within this time of Established is believed only if it lasts to its end:
  /// routers recreate their BFD session just then.
  package var bfdSettle: Duration
  /// Offered as it stands; nil: no graceful restart, so that a crash leaves no stale routes.
  package var gracefulRestart: GracefulRestart?

  package init(
    localAS: UInt32, identifier: UInt32, peerAS: PeerAS, families: [IPAddress.Family] = [.v4, .v6],
    extendedNextHop: Bool = false, passive: Bool = false, holdTime: UInt16 = 90, connectRetry: Duration = .seconds(30),
    delayOpen: Duration = .zero, openHold: Duration = .seconds(240), idleHold: Duration = .seconds(1),
    idleHoldMaximum: Duration = .seconds(60), forgetFailures: Duration = .seconds(60),
    bfdSettle: Duration = .seconds(2), gracefulRestart: GracefulRestart? = nil
  ) {
    self.localAS = localAS
    self.identifier = identifier
    self.peerAS = peerAS
    self.families = families
    self.extendedNextHop = extendedNextHop
    self.passive = passive
    self.holdTime = holdTime == 0 ? 0 : max(holdTime, 3)
    self.connectRetry = connectRetry
    self.delayOpen = delayOpen
    self.openHold = openHold
    self.idleHold = idleHold
    self.idleHoldMaximum = idleHoldMaximum
    self.forgetFailures = forgetFailures
    self.bfdSettle = bfdSettle
    self.gracefulRestart = gracefulRestart
  }

  /// What the OPEN offers. ADD-PATH is not among it, so that no peer may use it.
  package var capabilities: [Capability] {
    var offered = families.map { Capability.multiprotocol(FamilyCode($0)) }
    offered.append(.routeRefresh)
    if extendedNextHop, families.contains(.v4) {
      offered.append(.extendedNextHop([Capability.NextHopEncoding(.v4, nextHopAFI: 2)]))
    }
    offered.append(.extendedMessage)
    if let gracefulRestart { offered.append(.gracefulRestart(gracefulRestart)) }
    offered.append(.fourOctetAS(localAS))
    offered.append(.enhancedRouteRefresh)
    return offered
  }

  /// `bare`: without capabilities, for a peer that refused the parameter (RFC 5492 §3).
  package func open(bare: Bool = false) -> Open {
    Open(
      autonomousSystem: localAS, holdTime: holdTime, identifier: identifier, capabilities: bare ? [] : capabilities)
  }
}
