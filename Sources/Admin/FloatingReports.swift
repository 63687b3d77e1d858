/// `GET /v1/floating-ips`.
package struct FloatingReport: Codable, Hashable, Sendable {
  package struct Pool: Codable, Hashable, Sendable {
    package var name: String
    package var ranges: [String]
    package var device: String?
    /// The VIP whose active node has the addresses.
    package var vip: String?
    package var allocated: Int

    package init(name: String, ranges: [String], device: String?, vip: String?, allocated: Int) {
      self.name = name
      self.ranges = ranges
      self.device = device
      self.vip = vip
      self.allocated = allocated
    }
  }

  package struct Address: Codable, Hashable, Sendable {
    package var address: String
    package var pool: String
    /// null: mapped to nobody.
    package var fixed: String?
    /// The failover that moves it.
    package var failover: String?
    /// Whether the address is on its device here.
    package var isHere: Bool

    package enum CodingKeys: String, CodingKey {
      case address, pool, fixed, failover
      case isHere = "here"
    }

    package init(address: String, pool: String, fixed: String?, failover: String?, isHere: Bool) {
      self.isHere = isHere
      self.address = address
      self.pool = pool
      self.fixed = fixed
      self.failover = failover
    }
  }

  package var pools: [Pool]
  package var addresses: [Address]
  /// What is wrong with rules, addresses or the store now, in words.
  package var troubles: [String] = []
  package var moves: UInt64 = 0
  package var repairs: UInt64 = 0

  package init(pools: [Pool] = [], addresses: [Address] = []) {
    self.pools = pools
    self.addresses = addresses
  }
}

/// `POST /v1/floating-ips/VERB`.
package struct FloatingOrderBody: Codable, Hashable, Sendable {
  package var address: String?
  package var pool: String?
  package var fixed: String?

  package init(address: String? = nil, pool: String? = nil, fixed: String? = nil) {
    self.address = address
    self.pool = pool
    self.fixed = fixed
  }
}

package enum FloatingVerb: String, Sendable, CaseIterable { case allocate, associate, move, disassociate, release }
