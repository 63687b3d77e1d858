internal import Model
internal import Node
internal import Rollouts
internal import Telemetry

/// Looks at what backends answer, pool by pool, and tells the node who drifts.
actor DriftDriver {
  private struct Watched {
    var watch = DriftWatch()
    var last: [String: (slot: BackendSlot, side: CanaryBlock.Side)] = [:]
    var lookedAt: Instant
  }

  private let node: Node
  private var pools: [String: Watched] = [:]

  init(node: Node) { self.node = node }

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      let watched = await node.topology.pools.filter { $0.drift.isWatched && $0.backends.count > 1 }
      pools = pools.filter { name, _ in watched.contains { $0.name == name } }
      if !watched.isEmpty {
        let snapshot = await node.snapshot()
        for pool in watched { await look(pool, snapshot) }
      }
      let interval = watched.map(\.drift.every).min() ?? DriftPolicy().every
      do { try await Task.sleep(for: max(interval, .milliseconds(100))) } catch { return }
    }
  }

  private func look(_ pool: Pool, _ snapshot: NodeSnapshot) async {
    var watched = pools[pool.name] ?? Watched(lookedAt: snapshot.now)
    let isFirst = watched.last.isEmpty
    // Loops come a little early or late.
    guard isFirst || (snapshot.now - watched.lookedAt) * 10 >= pool.drift.every * 9 else { return }
    watched.lookedAt = snapshot.now
    var blocks: [String: CanaryBlock.Side] = [:]
    guard let standings = zip(snapshot.topology.pools, snapshot.standings).first(where: { $0.0.name == pool.name })?.1
    else { return }
    for (backend, standing) in zip(pool.backends, standings) {
      let side = CanaryBlock.Side(snapshot.statistics.backends[standing.slot] ?? BackendStatistics())
      let old = watched.last[backend.name]
      watched.last[backend.name] = (standing.slot, side)
      guard !isFirst, standing.effectiveWeight > 0, standing.verdict.takesTraffic else { continue }
      blocks[backend.name] = side.since(old?.slot == standing.slot ? old?.side : nil)
    }
    let events = watched.watch.look(blocks)
    pools[pool.name] = watched
    for event in events {
      switch event {
      case .drifting(let backend, let finding): await tell(pool.name, backend, finding.words)
      case .recovered(let backend): await tell(pool.name, backend, nil)
      }
    }
    // Who is not watched any more, or lost its word by a reload.
    for (key, _) in snapshot.drifting where key.pool == pool.name && !watched.watch.drifting.contains(key.backend) {
      await tell(key.pool, key.backend, nil)
    }
  }

  private func tell(_ pool: String, _ backend: String, _ reason: String?) async {
    do {
      try await node.apply(.drift(BackendKey(pool: pool, backend: backend), reason))
    } catch {
      // It went with a reload, or the node stops.
    }
  }
}

extension DriftWatch.Finding {
  fileprivate var words: String {
    func percent(_ share: Double) -> String {
      let tenths = Int((share * 1_000).rounded())
      return "\(tenths / 10).\(tenths % 10)%"
    }
    return "\(what): \(percent(own)), its pool's others \(percent(others))"
  }
}
