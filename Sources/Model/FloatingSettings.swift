/// What the file says of floating addresses.
package struct FloatingSettings: Hashable, Sendable {
  package struct Pool: Hashable, Sendable {
    package var name: String
    package var ranges: [ClosedRange<IPAddress>]
    /// Where its allocated addresses are put; nil: nowhere, a router leads them here.
    package var device: String?
    /// The VIP whose active node has the addresses; nil: this one, always.
    package var vip: String?

    package init(name: String, ranges: [ClosedRange<IPAddress>], device: String? = nil, vip: String? = nil) {
      self.name = name
      self.ranges = ranges
      self.device = device
      self.vip = vip
    }

    package func contains(_ address: IPAddress) -> Bool {
      ranges.contains { $0.lowerBound.family == address.family && $0.contains(address) }
    }
  }

  /// An address that follows health: it is mapped to the first server that is well.
  package struct Failover: Hashable, Sendable {
    package var name: String
    package var address: IPAddress
    package var pool: String
    /// Names of the pool's backends, the preferred first; empty: all, in the file's order.
    package var servers: [String]
    /// Whether it goes back to a preferred server that is well again; otherwise it stays until its own falls.
    package var returns: Bool

    package init(name: String, address: IPAddress, pool: String, servers: [String] = [], returns: Bool = false) {
      self.name = name
      self.address = address
      self.pool = pool
      self.servers = servers
      self.returns = returns
    }
  }

  package var pools: [Pool] = []
  package var failovers: [Failover] = []

  package init() {}

  /// The pool that an address is of now: a pool may have got another name, and on another node always have had one.
  package func home(of address: IPAddress) -> Pool? { pools.first { $0.contains(address) } }

  /// Whether the nodes that may have the VIP of its pool share the address.
  package func isShared(_ address: IPAddress) -> Bool { home(of: address)?.vip != nil }

  package func pool(_ name: String) -> Pool? { pools.first { $0.name == name } }
  package func failover(of address: IPAddress) -> Failover? { failovers.first { $0.address == address } }
}

/// What the kernel shall do for floating addresses on this node: a set.
package struct FloatingPlan: Hashable, Sendable {
  /// Floating address to fixed address.
  package var mappings: [IPAddress: IPAddress] = [:]
  /// The device that an address is put on, and announced by.
  package var places: [IPAddress: String] = [:]

  package init() {}

  /// - Parameter activeVIPs: those that this node has.
  package init(_ table: FloatingTable, _ settings: FloatingSettings, activeVIPs: Set<String>) {
    for entry in table.sorted {
      // Of an address whose pool is gone from the file nothing is done, nor while another node has it: what its server
      // opens by itself shall not leave here under it.
      guard let pool = settings.home(of: entry.address), pool.vip.map(activeVIPs.contains) ?? true else { continue }
      if let fixed = entry.fixed { mappings[entry.address] = fixed }
      places[entry.address] = pool.device
    }
  }
}
