/// `GET /v1/dns`: what the name server answers with, and what it has done.
package struct NameServiceReport: Codable, Hashable, Sendable {
  package struct Zone: Codable, Hashable, Sendable {
    package var name: String
    package var serial: UInt32
    package var records: Int
    package var delegationSigners: [String]

    package init(name: String, serial: UInt32, records: Int, delegationSigners: [String]) {
      self.name = name
      self.serial = serial
      self.records = records
      self.delegationSigners = delegationSigners
    }
  }

  package struct Member: Codable, Hashable, Sendable {
    package var address: String
    /// "pool/backend", "site NAME", or empty: nothing watches it.
    package var source: String
    package var up: Bool
    package var share: Double

    package init(address: String, source: String, up: Bool, share: Double) {
      self.address = address
      self.source = source
      self.up = up
      self.share = share
    }
  }

  package struct Name: Codable, Hashable, Sendable {
    package var name: String
    package var balance: String
    package var ttl: UInt32
    package var longestTTL: UInt32
    package var members: [Member]

    package init(name: String, balance: String, ttl: UInt32, longestTTL: UInt32, members: [Member]) {
      self.name = name
      self.balance = balance
      self.ttl = ttl
      self.longestTTL = longestTTL
      self.members = members
    }
  }

  package struct Site: Codable, Hashable, Sendable {
    package var name: String
    package var state: String
    package var answered: Bool
    package var reason: String
    package var sinceSeconds: Double
    /// Until it changes by itself: an operator's order ends, a recovery is believed.
    package var remainingSeconds: Double?
    /// What its nodes have under way, and that in proportion to capacity.
    package var underWay: Int?
    package var load: Double?
    /// What other nodes say of it.
    package var observers: [Observer] = []

    package struct Observer: Codable, Hashable, Sendable {
      package var node: String
      package var up: Bool
      package var ageSeconds: Double
      /// It is fresh enough.
      package var counts: Bool

      package init(node: String, up: Bool, ageSeconds: Double, counts: Bool) {
        self.node = node
        self.up = up
        self.ageSeconds = ageSeconds
        self.counts = counts
      }
    }

    package init(name: String, state: String, answered: Bool, reason: String, sinceSeconds: Double) {
      self.name = name
      self.state = state
      self.answered = answered
      self.reason = reason
      self.sinceSeconds = sinceSeconds
    }
  }

  package var zones: [Zone]
  package var names: [Name]
  package var sites: [Site]
  /// By what is counted, since the start.
  package var counters: [String: UInt64]
  /// Of DNS over TLS; nil: not configured.
  package var tls: TLSReport?

  package init(zones: [Zone], names: [Name], sites: [Site], counters: [String: UInt64]) {
    self.zones = zones
    self.names = names
    self.sites = sites
    self.counters = counters
  }
}

/// `GET /v1/dns/query`: an answer in presentation format.
package struct NameAnswerReport: Codable, Hashable, Sendable {
  package var text: String

  package init(text: String) { self.text = text }
}

/// `GET /v1/dns/budget`: how long clients may be sent to what has died, in seconds.
package struct NameBudgetReport: Codable, Hashable, Sendable {
  package var name: String
  /// The pool or site whose checks are slowest.
  package var slowest: String
  package var firstSign: Double
  package var detection: Double
  package var publication: Double
  package var shortestTTL: Double
  package var longestTTL: Double
  package var resolverFloor: Double
  package var total: Double

  package init(
    name: String, slowest: String, firstSign: Double, detection: Double, publication: Double, shortestTTL: Double,
    longestTTL: Double, resolverFloor: Double, total: Double
  ) {
    self.name = name
    self.slowest = slowest
    self.firstSign = firstSign
    self.detection = detection
    self.publication = publication
    self.shortestTTL = shortestTTL
    self.longestTTL = longestTTL
    self.resolverFloor = resolverFloor
    self.total = total
  }
}

/// What the API can ask about names and sites.
package protocol NameOperations: Sendable {
  func nameService() async throws(AdminError) -> NameServiceReport
  func nameAnswer(_ name: String, _ type: String, client: String?) async throws(AdminError) -> NameAnswerReport
  /// - Parameter resolverFloor: seconds.
  func nameBudget(_ name: String, resolverFloor: Double) async throws(AdminError) -> NameBudgetReport
  /// - Parameter drained: nil takes the order back; 0 seconds: until it is taken back.
  func order(site: String, drained seconds: Double?) async throws(AdminError) -> NameServiceReport
}
