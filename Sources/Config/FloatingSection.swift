import Model

extension Reader {
  func floating(_ fields: Fields, _ topology: Topology) -> FloatingSettings {
    var result = FloatingSettings()
    for entry in fields.names("pools") {
      guard let pool = Fields(entry.value, .floatingPool, self, label: entry.key.shortened) else { continue }
      let ranges = pool.list("addresses", .addressRange) ?? []
      if pool.lacks("addresses") { error(pool.place, "`\(entry.key.shortened)`: expected `addresses`") }
      for range in ranges {
        if !range.lowerBound.isHost || !range.upperBound.isHost {
          pool.error(
            at: "addresses", "`addresses`: \(range.lowerBound) to \(range.upperBound) are not all addresses of machines"
          )
        }
        for other in result.pools where other.ranges.contains(where: { $0.overlaps(range) }) {
          pool.error(
            at: "addresses", "`addresses`: \(range.lowerBound) to \(range.upperBound) is in pool \(other.name) too")
        }
      }
      let vip = pool.value("vip", .name)
      if let vip { floatingVIPs.append((vip, pool.keyPlace("vip"))) }
      result.pools.append(.init(name: entry.key, ranges: ranges, device: pool.value("device", .nonEmpty), vip: vip))
    }
    for entry in fields.names("failover") {
      guard let failover = Fields(entry.value, .floatingFailover, self, label: entry.key.shortened) else { continue }
      for key in ["address", "pool"] where failover.lacks(key) {
        error(failover.place, "`\(entry.key.shortened)`: expected `\(key)`")
      }
      guard let address = failover.value("address", .ipAddress), let pool = failover.value("pool", .name) else {
        continue
      }
      if !result.pools.contains(where: { $0.contains(address) }) {
        failover.error(at: "address", "`address`: \(address) is in none of the pools of `floating-ips`")
      }
      if result.failovers.contains(where: { $0.address == address }) {
        failover.error(at: "address", "`address`: \(address) follows another pool already")
      }
      namedPools.append((pool, failover["pool"]?.place ?? failover.place))
      var item = FloatingSettings.Failover(name: entry.key, address: address, pool: pool)
      item.servers = failover.list("servers", .nonEmpty) ?? []
      if let known = topology.pools.first(where: { $0.name == pool })?.backends.map(\.name) {
        for server in item.servers where !known.contains(server) {
          failover.error(at: "servers", "`servers`: pool \(pool) has no backend `\(server.shortened)`")
        }
      }
      for backend in topology.pools.first(where: { $0.name == pool })?.backends ?? []
      where item.servers.isEmpty || item.servers.contains(backend.name) {
        if case .ip(let endpoint) = backend.address, endpoint.address.family == address.family { continue }
        failover.error(at: "pool", "`pool`: \(address) cannot be mapped to \(backend.address)")
      }
      failover.read("return", .boolean, into: &item.returns)
      result.failovers.append(item)
    }
    return result
  }
}

extension Reader {
  /// What comes to an address that floats goes to its server: no VIP and no listener would be reached there.
  func checkFloating(_ topology: Topology, _ fields: Fields) {
    guard let floating = topology.floating else { return }
    let place = fields.keyPlace("floating-ips")
    for pool in floating.pools {
      for vip in topology.vips {
        for own in vip.addresses + vip.companions where pool.contains(own.address) {
          error(place, "pool `\(pool.name)`: \(own.address) belongs to the vip \(vip.name), and cannot float")
        }
      }
      for listener in topology.listeners {
        for bind in listener.binds {
          guard case .ip(let endpoint) = bind.address, pool.contains(endpoint.address) else { continue }
          error(
            place, "pool `\(pool.name)`: the listener \(listener.name) is at \(endpoint.address), which cannot float")
        }
      }
    }
  }
}

extension Kind<IPAddress> {
  static var ipAddress: Kind { Kind("an address such as 192.0.2.1 or 2001:db8::1") { IPAddress($0) } }
}

extension Kind<ClosedRange<IPAddress>> {
  static var addressRange: Kind {
    Kind("an address, a prefix or a range such as 192.0.2.10-192.0.2.20") { text in
      if let prefix = IPPrefix(text) { return prefix.range }
      let ends = text.split(separator: "-", omittingEmptySubsequences: false).compactMap { IPAddress(String($0)) }
      guard ends.count == 2, ends[0].family == ends[1].family, ends[0] <= ends[1] else { return nil }
      return ends[0]...ends[1]
    }
  }
}

extension IPPrefix {
  /// All its addresses.
  fileprivate var range: ClosedRange<IPAddress> {
    let free = address.width - length
    guard address.family == .v6 else {
      let mask = free == 32 ? UInt32.max : (1 << UInt32(free)) - 1
      return address...IPAddress(v4: UInt32(address.low) | mask)
    }
    let low = free >= 64 ? UInt64.max : (1 << UInt64(free)) - 1
    let high = free <= 64 ? 0 : free == 128 ? UInt64.max : (1 << UInt64(free - 64)) - 1
    return address...IPAddress(v6: address.high | high, address.low | low)
  }
}
