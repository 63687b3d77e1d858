package import Model

/// Where addresses that follow health shall be mapped.
extension Planner {
  package struct FloatingMove: Hashable, Sendable {
    package var failover: FloatingSettings.Failover
    package var target: IPAddress
  }

  /// The moves that are due, in the file's order. An address stays where it is while that server is well (unless it
  /// returns), and when nobody is.
  package static func floatingMoves(
    _ world: World, _ table: FloatingTable, _ settings: FloatingSettings
  ) -> [FloatingMove] {
    var table = table
    var moves: [FloatingMove] = []
    for failover in settings.failovers {
      let servers = floatingServers(world, failover)
      let current = table.entries[failover.address]?.fixed
      if !failover.returns, servers.contains(where: { $0.address == current && $0.isWell }) { continue }
      let taken = Set(table.entries.values.filter { $0.address != failover.address }.compactMap(\.fixed))
      guard let target = servers.first(where: { $0.isWell && !taken.contains($0.address) })?.address,
        target != current
      else { continue }
      // One that cannot be carried out is told of by whoever tries.
      if table.entries[failover.address] == nil {
        _ = try? table.apply(.allocate(pool: nil, failover.address), settings)
      }
      _ = try? table.apply(.move(failover.address, target), settings)
      moves.append(FloatingMove(failover: failover, target: target))
    }
    return moves
  }

  /// A failover's servers, the preferred first, and whether each takes new clients.
  package static func floatingServers(
    _ world: World, _ failover: FloatingSettings.Failover
  ) -> [(address: IPAddress, isWell: Bool)] {
    guard let index = world.topology.pools.firstIndex(where: { $0.name == failover.pool }) else { return [] }
    let all = zip(world.topology.pools[index].backends, world.standings[index]).compactMap { backend, standing in
      backend.address.ip.map { (backend.name, $0, standing.state == .ready && standing.verdict.takesTraffic) }
    }
    let wanted = failover.servers.isEmpty ? all.map(\.0) : failover.servers
    return wanted.compactMap { name in all.first { $0.0 == name }.map { ($0.1, $0.2) } }
  }
}

extension SocketAddress {
  fileprivate var ip: IPAddress? { if case .ip(let endpoint) = self { endpoint.address } else { nil } }
}
