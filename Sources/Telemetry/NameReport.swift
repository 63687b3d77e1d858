package import Model

/// What the name server answers with now.
package struct NameReport: Hashable, Sendable {
  package struct Zone: Hashable, Sendable {
    package var name: String
    package var serial: UInt32
    package var records: Int
    /// The parent's DS records when the zone is signed, in presentation format.
    package var delegationSigners: [String]

    package init(name: String, serial: UInt32, records: Int, delegationSigners: [String] = []) {
      self.name = name
      self.serial = serial
      self.records = records
      self.delegationSigners = delegationSigners
    }
  }

  package struct Member: Hashable, Sendable {
    package var address: IPAddress
    /// What its health comes from: "pool/backend", "site NAME", or empty.
    package var source: String
    package var isUp: Bool
    /// Of its configured weight.
    package var share: Double

    package init(address: IPAddress, source: String, isUp: Bool, share: Double) {
      self.address = address
      self.source = source
      self.isUp = isUp
      self.share = share
    }
  }

  package struct Balanced: Hashable, Sendable {
    package var name: String
    package var policy: String
    package var ttl: UInt32
    package var longestTTL: UInt32
    package var members: [Member]

    package init(name: String, policy: String, ttl: UInt32, longestTTL: UInt32, members: [Member]) {
      self.name = name
      self.policy = policy
      self.ttl = ttl
      self.longestTTL = longestTTL
      self.members = members
    }
  }

  package var statistics: NameStatistics
  package var zones: [Zone]
  package var names: [Balanced]

  package init(statistics: NameStatistics, zones: [Zone], names: [Balanced]) {
    self.statistics = statistics
    self.zones = zones
    self.names = names
  }
}
