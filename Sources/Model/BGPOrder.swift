/// What the speakers shall do from now on: a set, to which they reconcile.
package struct BGPOrder: Hashable, Sendable {
  package struct Route: Hashable, Sendable {
    package var terms: BGPTerms
    /// nil: every speaker says it.
    package var speakers: [String]?

    package init(terms: BGPTerms, speakers: [String]? = nil) {
      self.terms = terms
      self.speakers = speakers
    }
  }

  /// nil: none.
  package var topology: BGPTopology?
  /// nil: not known yet; peers are told nothing, not even that there is no more to come (RFC 4724 §4.1).
  package var routes: [IPPrefix: Route]?

  package init(topology: BGPTopology? = nil, routes: [IPPrefix: Route]? = nil) {
    self.topology = topology
    self.routes = routes
  }
}

/// Why the speakers end.
package enum BGPFarewell: Hashable, Sendable {
  /// Said to every peer (RFC 9003).
  case shutdown(String)
  /// A planned restart: closed without a word, so that peers keep the routes (RFC 4724 §4); addresses stay.
  case restart
}

/// What is seen of one peer.
package struct BGPPeerState: Hashable, Sendable {
  /// The speaker's name; a dynamic neighbour's is "speaker@address".
  package var name: String
  package var address: IPAddress
  package var peerAS: UInt32?
  package var identifier: UInt32?
  /// As RFC 4271 names it.
  package var state: String
  package var since: Instant
  /// Why the last session or attempt ended.
  package var lastError: String?
  /// nil: without BFD.
  package var bfd: String?
  package var holdTime: Int = 0
  package var families: [IPAddress.Family] = []
  package var capabilities: [String] = []
  package var announced = 0
  package var received = 0
  package var counters = BGPPeerCounters()

  package init(name: String, address: IPAddress, state: String, since: Instant) {
    self.name = name
    self.address = address
    self.state = state
    self.since = since
  }

  package var isEstablished: Bool { state == "Established" }
}

package struct BGPPeerCounters: Hashable, Sendable {
  package var messagesIn: UInt64 = 0
  package var messagesOut: UInt64 = 0
  package var updatesIn: UInt64 = 0
  package var notificationsIn: UInt64 = 0
  package var notificationsOut: UInt64 = 0
  package var established: UInt64 = 0
  package var treatedAsWithdraw: UInt64 = 0
  package var attributesDiscarded: UInt64 = 0
  /// NOTIFICATIONs sent, by "code/subcode".
  package var errors: [String: UInt64] = [:]

  package init() {}
}

/// What the speakers tell the node.
package enum BGPReport: Hashable, Sendable {
  /// A session or its BFD changed; `event` says it in words for the log.
  case peer(BGPPeerState, event: String?)
  /// A dynamic neighbour or a removed speaker.
  case gone(String)
  /// Trouble of this machine: a port in use, a device that is not there.
  case trouble(String)
}

/// A route as a peer was told it, or told us.
package struct BGPRouteView: Hashable, Sendable {
  package var prefix: IPPrefix
  package var nextHop: IPAddress
  package var path: String
  package var origin: String
  package var med: UInt32?
  package var localPreference: UInt32?
  package var communities: [String]

  package init(
    prefix: IPPrefix, nextHop: IPAddress, path: String, origin: String, med: UInt32?, localPreference: UInt32?,
    communities: [String]
  ) {
    self.prefix = prefix
    self.nextHop = nextHop
    self.path = path
    self.origin = origin
    self.med = med
    self.localPreference = localPreference
    self.communities = communities
  }
}

/// The tables of one peer.
package struct BGPTables: Hashable, Sendable {
  package var peer: String
  package var announced: [BGPRouteView]
  package var received: [BGPRouteView]

  package init(peer: String, announced: [BGPRouteView], received: [BGPRouteView]) {
    self.peer = peer
    self.announced = announced
    self.received = received
  }
}
