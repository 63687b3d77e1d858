/// `GET /v1/bgp`.
package struct BGPStatusReport: Codable, Hashable, Sendable {
  package struct Peer: Codable, Hashable, Sendable {
    /// The speaker's name; a dynamic neighbour's is "speaker@address".
    package var name: String
    package var address: String
    package var state: String
    package var sinceSeconds: Double
    package var autonomousSystem: UInt32?
    package var routerID: String?
    package var bfd: String?
    package var holdTime: Int
    package var families: [String]
    package var capabilities: [String]
    /// Routes told, and heard.
    package var announced: Int
    package var received: Int
    package var lastError: String?
    package var messagesIn: UInt64
    package var messagesOut: UInt64
    package var updatesIn: UInt64
    package var notificationsIn: UInt64
    package var notificationsOut: UInt64
    package var established: UInt64
    package var treatedAsWithdraw: UInt64
    package var attributesDiscarded: UInt64
    /// NOTIFICATIONs sent, by "code/subcode".
    package var errors: [String: UInt64]

    package init(
      name: String, address: String, state: String, sinceSeconds: Double, autonomousSystem: UInt32?, routerID: String?,
      bfd: String?, holdTime: Int, families: [String], capabilities: [String], announced: Int, received: Int,
      lastError: String?, messagesIn: UInt64, messagesOut: UInt64, updatesIn: UInt64, notificationsIn: UInt64,
      notificationsOut: UInt64, established: UInt64, treatedAsWithdraw: UInt64, attributesDiscarded: UInt64,
      errors: [String: UInt64]
    ) {
      self.name = name
      self.address = address
      self.state = state
      self.sinceSeconds = sinceSeconds
      self.autonomousSystem = autonomousSystem
      self.routerID = routerID
      self.bfd = bfd
      self.holdTime = holdTime
      self.families = families
      self.capabilities = capabilities
      self.announced = announced
      self.received = received
      self.lastError = lastError
      self.messagesIn = messagesIn
      self.messagesOut = messagesOut
      self.updatesIn = updatesIn
      self.notificationsIn = notificationsIn
      self.notificationsOut = notificationsOut
      self.established = established
      self.treatedAsWithdraw = treatedAsWithdraw
      self.attributesDiscarded = attributesDiscarded
      self.errors = errors
    }
  }

  package struct Announcement: Codable, Hashable, Sendable {
    package var name: String
    package var prefixes: [String]
    /// announced, degraded or withdrawn.
    package var level: String
    package var reason: String
    package var sinceSeconds: Double
    /// Kept only because no other site announces it.
    package var isLast: Bool

    package init(
      name: String, prefixes: [String], level: String, reason: String, sinceSeconds: Double, isLast: Bool
    ) {
      self.name = name
      self.prefixes = prefixes
      self.level = level
      self.reason = reason
      self.sinceSeconds = sinceSeconds
      self.isLast = isLast
    }
  }

  package var autonomousSystem: UInt32?
  package var routerID: String?
  /// "degraded" or "withdrawn" while the node leaves.
  package var leaving: String?
  package var peers: [Peer]
  package var announcements: [Announcement]

  package init(
    autonomousSystem: UInt32?, routerID: String?, leaving: String?, peers: [Peer], announcements: [Announcement]
  ) {
    self.autonomousSystem = autonomousSystem
    self.routerID = routerID
    self.leaving = leaving
    self.peers = peers
    self.announcements = announcements
  }
}

/// `GET /v1/bgp/routes/{peer}`.
package struct BGPRoutesReport: Codable, Hashable, Sendable {
  package struct Route: Codable, Hashable, Sendable {
    package var prefix: String
    package var nextHop: String
    package var path: String
    package var origin: String
    package var med: UInt32?
    package var localPreference: UInt32?
    package var communities: [String]

    package init(
      prefix: String, nextHop: String, path: String, origin: String, med: UInt32?, localPreference: UInt32?,
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

  package var peer: String
  package var announced: [Route]
  package var received: [Route]

  package init(peer: String, announced: [Route], received: [Route]) {
    self.peer = peer
    self.announced = announced
    self.received = received
  }
}

/// What an operator may want of one announcement.
package enum AnnouncementOrder: String, CaseIterable, Sendable {
  case announce, withdraw, automatic
}

/// What an operator may want of the whole speaker.
package enum BGPNodeOrder: String, CaseIterable, Sendable {
  case drain, stay, restart
}
