/// What the operator asked of BGP: who hears what, and when.
package struct BGPTopology: Hashable, Sendable {
  package var localAS: UInt32
  /// The BGP identifier; not 0.
  package var identifier: UInt32
  /// Where peers find us; none of them is asked for a port of their own.
  package var port: UInt16 = 179
  /// Where we take sessions; empty: we only connect.
  package var listen: [IPAddress] = [.anyV4, .anyV6]
  /// The device that carries the announced addresses; nil: they are put somewhere by others.
  package var device: String? = "lo"
  /// Graceful restart: how long routers shall keep our routes through a planned restart, at most 4,095 s; nil: not offered.
  package var gracefulRestart: Duration?
  package var drain = BGPDrain()
  package var speakers: [BGPSpeaker] = []
  package var announcements: [BGPAnnouncement] = []

  package init(localAS: UInt32, identifier: UInt32) {
    self.localAS = localAS
    self.identifier = identifier
  }
}

/// How a node leaves: clients finish, routes become less preferred, then they go.
package struct BGPDrain: Hashable, Sendable {
  /// Our AS so many times more.
  package var prepend = 0
  /// GRACEFUL_SHUTDOWN (RFC 8326) on every route.
  package var gracefulShutdown = true
  /// How long open connections may take to end before routes move at all; zero: they move at once.
  package var finish = Duration.seconds(1)
  /// How long routers have to move the traffic, before the routes are withdrawn.
  package var convergence = Duration.seconds(3)
  /// From the withdrawal to the closing of listeners.
  package var settle = Duration.seconds(1)

  package init() {}
}

/// What listeners do while their node leaves.
package enum Doors: Hashable, Sendable {
  case open
  /// Clients are asked to end their connections; new ones are still taken.
  case parting
  /// And new ones are not answered, so that they try again: by then another site hears them.
  case held
}

/// A session to a router, or to every router of a prefix that connects.
package struct BGPSpeaker: Hashable, Sendable {
  package enum Peer: Hashable, Sendable {
    /// `interface` names the device of a link-local address.
    case address(IPAddress, interface: String?)
    /// Dynamic neighbours: they connect, at most `limit` at once.
    case range(IPPrefix, limit: Int)
  }

  package enum PeerAS: Hashable, Sendable {
    case exactly(UInt32)
    case external
    case `internal`
  }

  package enum Distance: Hashable, Sendable {
    /// On the same link.
    case direct
    /// At most so many hops away, with their TTL believed (GTSM, RFC 5082); 1: on the same link.
    case secured(hops: Int)
    /// At most so many hops away.
    case multihop(Int)
  }

  package var name: String
  package var peer: Peer
  package var peerAS: PeerAS
  /// Instead of the node's.
  package var localAS: UInt32?
  package var localAddress: IPAddress?
  /// The peer's.
  package var port: UInt16 = 179
  package var distance: Distance?
  package var passive = false
  /// Whole seconds, 0 or 3...65535.
  package var holdTime = Duration.seconds(9)
  package var connectRetry = Duration.seconds(5)
  package var delayOpen = Duration.zero
  package var families: [IPAddress.Family] = [.v4, .v6]
  package var extendedNextHop = false
  /// TCP MD5, at most 80 bytes.
  package var password: String?
  /// The most prefixes of a family that are taken; more end the session.
  package var prefixLimit = 1_000
  package var bfd: BFDOptions?

  package init(name: String, peer: Peer, peerAS: PeerAS) {
    self.name = name
    self.peer = peer
    self.peerAS = peerAS
  }

  package func isInternal(_ nodeAS: UInt32) -> Bool {
    switch peerAS {
    case .exactly(let number): number == localAS ?? nodeAS
    case .external: false
    case .internal: true
    }
  }
}

package struct BFDOptions: Hashable, Sendable {
  package var transmit = Duration.milliseconds(300)
  package var receive = Duration.milliseconds(300)
  package var multiplier = 3
  package var passive = false

  package init() {}
}

/// What is said of a prefix. Communities are the numbers of RFC 1997, 4360 and 8092.
package struct BGPTerms: Hashable, Sendable {
  package enum Origin: UInt8, Hashable, Sendable, CaseIterable { case igp, egp, incomplete }

  package struct LargeCommunity: Hashable, Sendable {
    package var administrator: UInt32
    package var first: UInt32
    package var second: UInt32
    package init(_ administrator: UInt32, _ first: UInt32, _ second: UInt32) {
      self.administrator = administrator
      self.first = first
      self.second = second
    }
  }

  /// nil: our end of the session.
  package var nextHop: [IPAddress] = []
  package var origin = Origin.igp
  /// 0...64 times our AS more than an external peer gets anyway.
  package var prepend = 0
  package var med: UInt32?
  package var localPreference: UInt32 = 100
  package var communities: Set<UInt32> = []
  package var extendedCommunities: Set<UInt64> = []
  package var largeCommunities: Set<LargeCommunity> = []

  package init() {}
}

/// Prefixes that are announced while their condition holds.
package struct BGPAnnouncement: Hashable, Sendable {
  package struct Condition: Hashable, Sendable {
    package enum Amount: Hashable, Sendable {
      case count(Int)
      /// Of the pool's configured backends, 0...1.
      case share(Double)
    }

    package enum Subject: Hashable, Sendable {
      case pool(String)
      /// Each pool that the listener's routes lead to.
      case listener(String)
      /// This node has it.
      case vip(String)
    }

    package var subject: Subject
    package var healthy: Amount

    package init(_ subject: Subject, healthy: Amount = .count(1)) {
      self.subject = subject
      self.healthy = healthy
    }
  }

  /// Between announced and withdrawn: less preferred.
  package struct Degrade: Hashable, Sendable {
    /// Withdrawn only when these fail too; all must hold.
    package var conditions: [Condition]
    package var terms: BGPTerms

    package init(conditions: [Condition], terms: BGPTerms) {
      self.conditions = conditions
      self.terms = terms
    }
  }

  /// What keeps a node from leaving its clients without anybody.
  package enum Guard: Hashable, Sendable {
    case off
    /// The last site that announces keeps announcing, whatever its health.
    case lastSite
  }

  package var name: String
  package var prefixes: [IPPrefix]
  package var terms = BGPTerms()
  /// All must hold; none: always.
  package var conditions: [Condition] = []
  package var degrade: Degrade?
  /// How long it must be better, or worse, before that is said.
  package var upAfter = Duration.seconds(1)
  package var downAfter = Duration.zero
  /// nil: all.
  package var speakers: [String]?
  package var lastSite = Guard.off

  package init(name: String, prefixes: [IPPrefix]) {
    self.name = name
    self.prefixes = prefixes
  }
}
