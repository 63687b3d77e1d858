package import Model

/// Which virtual routers shall run, from the truth about pools.
extension Planner {
  /// - Parameters:
  ///   - scripts: why a tracked program fails, by `VIPTrack.name` within its VIP; nil in it: it does not.
  ///   - handovers: by VIP.
  package static func vipOrders(
    _ world: World, scripts: [VIPScriptKey: String], handovers: [String: VIPHandover]
  ) -> [VIPOrder] {
    guard !world.topology.vips.isEmpty else { return [] }
    let pools = poolFailures(world)
    let listeners = listenerFailures(world.topology, pools)
    return world.topology.vips.map { vip in
      var failing: [String: String] = [:]
      for track in vip.tracks {
        switch track.subject {
        case .interface: break
        case .pool(let name): failing[track.name] = pools[name]
        case .listener(let name): failing[track.name] = listeners[name]
        case .script: failing[track.name] = scripts[VIPScriptKey(vip: vip.name, track: track.name)]
        }
      }
      return VIPOrder(vip: vip, failing: failing, handover: handovers[vip.name])
    }
  }

  /// Why no backend of a pool takes new traffic; no entry: one does.
  private static func poolFailures(_ world: World) -> [String: String] {
    var failures: [String: String] = [:]
    for (pool, standings) in zip(world.topology.pools, world.standings)
    where !standings.contains(where: { $0.state == .ready && $0.verdict.takesTraffic }) {
      let reason = standings.first { !$0.verdict.takesTraffic }.map { ": \($0.verdict.reason)" } ?? ""
      failures[pool.name] = "none of \(standings.count) backends takes new traffic\(reason)"
    }
    return failures
  }

  /// A listener fails when it leads to pools, and all of them fail.
  private static func listenerFailures(_ topology: Topology, _ pools: [String: String]) -> [String: String] {
    var failures: [String: String] = [:]
    for listener in topology.listeners {
      let used = Set(listener.routes.flatMap(\.action.namedPools))
      if !used.isEmpty, used.allSatisfy({ pools[$0] != nil }) {
        failures[listener.name] = "none of its pools can serve (\(used.sorted().joined(separator: ", ")))"
      }
    }
    return failures
  }
}

extension VIP {
  /// The pools by which its tracks fail.
  package func trackedPools(_ topology: Topology) -> Set<String> {
    var pools: Set<String> = []
    for track in tracks {
      switch track.subject {
      case .pool(let name): pools.insert(name)
      case .listener(let name):
        for listener in topology.listeners where listener.name == name {
          pools.formUnion(listener.routes.flatMap(\.action.namedPools))
        }
      case .interface, .script: break
      }
    }
    return pools
  }
}

/// A tracked program of a VIP.
package struct VIPScriptKey: Hashable, Sendable {
  package var vip: String
  package var track: String

  package init(vip: String, track: String) {
    self.vip = vip
    self.track = track
  }
}

extension Action {
  fileprivate var namedPools: [String] {
    switch self {
    case .pool(let pool): [pool]
    case .split(let pools): pools.filter { $0.weight > 0 }.map(\.pool)
    case .redirect, .respond: []
    }
  }
}
