internal import Logging
internal import NIOConcurrencyHelpers
internal import OctaviaModel

extension HealthManager {
  /// Orders a failover for every stale amphora that can be had, each in a transaction of its own: the mark on the
  /// amphora and the lock on its load balancer are one change, so that no two managers take the same.
  ///
  /// - Returns: how many were taken.
  func claim() async throws -> Int {
    var taken = 0
    var skipped: Set<String> = []
    while taken < settings.threads {
      switch try await claimOne(skipping: skipped) {
      case .taken(let amphora):
        logger.warning("amphora \(amphora) is silent; it is replaced")
        taken += 1
      case .skipped(let amphora): skipped.insert(amphora)
      case .none: return taken
      }
    }
    return taken
  }

  private enum Outcome: Sendable { case taken(String), skipped(String), none }

  private func claimOne(skipping skipped: Set<String>) async throws -> Outcome {
    let source = Source(now: now(), makeID: makeID)
    let limit = Timestamp(microseconds: source.now.microseconds) + .zero - settings.timeout
    let settings = settings
    return try await store.write { rows in
      let stale = try rows.stale(since: limit, now: source.now)
      if let threshold = settings.threshold {
        // So many at once: the fault is elsewhere. Half the time is enough to suspect, since the first of many is
        // stale before the others are; the guard holds until fewer are silent.
        let silent = try rows.silentCount(since: source.now - settings.timeout / 2)
        self.counters.withLockedValue { $0.heldBack = silent >= threshold ? silent : 0 }
        if silent >= threshold { return .none }
      }
      guard let next = stale.first(where: { !skipped.contains($0.amphora) }) else { return .none }
      guard var tree = try rows.tree(next.tree), let amphora = tree[.amphora, next.amphora],
        [.active, .error].contains(tree.loadBalancer.provisioning), try rows.flow(of: next.tree) == nil
      else { return .skipped(next.amphora) }
      try tree.lockWhole(.pendingUpdate, when: [.active, .error], source: source)
      try rows.setBusy(next.amphora, true)
      try rows.save(tree, id: tree.id)
      try rows.insert(.failover(tree, [amphora], tree.topology, source, spares: rows.readySpares()), at: source.now)
      let silence = source.now - next.updated
      try rows.note(tree.id, "amphora \(next.amphora) has been silent for \(silence): it is replaced", at: source.now)
      self.counters.withLockedValue { $0.claimed += 1 }
      return .taken(next.amphora)
    }
  }
}

extension Timestamp {
  static func - (left: Timestamp, right: Duration) -> Timestamp { left + (.zero - right) }
}
