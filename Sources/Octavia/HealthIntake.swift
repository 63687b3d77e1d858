internal import Compression
internal import Logging
internal import NIOConcurrencyHelpers
internal import OctaviaModel
internal import TLS

extension HealthManager {
  /// Heartbeats of one batch, in one transaction.
  func take(_ arrivals: [Arrival]) async throws {
    let key = Array(settings.key.utf8)
    var good: [(Heartbeat, Timestamp)] = []
    for arrival in arrivals {
      do throws(Heartbeat.Refusal) {
        let heartbeat = try Heartbeat(
          packet: arrival.packet, code: { Digest.sha256.authenticate($0, key: key) },
          inflate: { Compression.inflate($0, limit: $1) })
        // What has waited for a whole interval says nothing of now.
        if now() - arrival.at > settings.heartbeat { throw .stale }
        good.append((heartbeat, arrival.at))
      } catch { refuse(error) }
    }
    let heartbeats = good
    try await store.write { rows in
      for (heartbeat, at) in heartbeats {
        do throws(Heartbeat.Refusal) { try self.take(heartbeat, at, rows) } catch { self.refuse(error) }
      }
    }
  }

  private func refuse(_ reason: Heartbeat.Refusal) {
    counters.withLockedValue { $0.refused[reason, default: 0] += 1 }
    if reason == .unknown { stranger() }
  }

  private func take(_ heartbeat: Heartbeat, _ at: Timestamp, _ rows: Rows) throws(Heartbeat.Refusal) {
    do {
      let id = heartbeat.amphora
      let old = memory.withLockedValue { $0.known[id] }
      guard let treeID = try old?.tree ?? rows.tree(ofAmphora: id) else {
        guard try rows.isSpare(id) else { throw Heartbeat.Refusal.unknown }
        if !(try rows.refresh(id, now: at)) { try rows.watch(id, tree: "", now: at) }
        return counters.withLockedValue { $0.taken += 1 }
      }
      if settings.refusesReplays {
        if heartbeat.sequence <= (try rows.lastSequence(id)) { throw Heartbeat.Refusal.replayed }
        try rows.setSequence(id, heartbeat.sequence)
      }
      let version = try rows.version(treeID)
      let digest = heartbeat.digest
      var known = HealthMemory.Known(
        tree: treeID, version: version, digest: digest, isComplete: old?.isComplete ?? true)
      if old?.version != version || old?.digest != digest {
        guard var tree = try rows.tree(treeID), tree[.amphora, id] != nil else {
          memory.withLockedValue { _ = $0.known.removeValue(forKey: id) }
          throw Heartbeat.Refusal.unknown
        }
        known.isComplete = tree.isComplete(heartbeat)
        if tree[.amphora, id]?.text("status") != AmphoraStatus.pendingDelete.rawValue {
          tree.observe(heartbeat)
          try rows.save(tree, id: treeID)
        }
        known.version = try rows.version(treeID)
      }
      let kept = known
      memory.withLockedValue { memory in
        if memory.known.count > HealthMemory.limit { memory.known.removeAll() }
        memory.known[id] = kept
      }
      if known.isComplete {
        if !(try rows.refresh(id, now: at)) { try rows.watch(id, tree: treeID, now: at) }
      } else {
        counters.withLockedValue { $0.incomplete += 1 }
      }
      for (listener, report) in heartbeat.listeners where report.counters.isWorthCounting {
        try rows.count(report.counters, listener: listener, amphora: id, tree: treeID)
      }
      counters.withLockedValue { $0.taken += 1 }
    } catch let refusal as Heartbeat.Refusal {
      throw refusal
    } catch {
      logger.error("heartbeat of \(heartbeat.amphora): \(error)")
    }
  }
}

extension Heartbeat {
  /// All that statuses depend on.
  fileprivate var digest: Int {
    var hasher = Hasher()
    for (id, report) in listeners.sorted(by: { $0.key < $1.key }) {
      hasher.combine(id)
      hasher.combine(report.isFull)
    }
    for (id, report) in pools.sorted(by: { $0.key < $1.key }) {
      hasher.combine(id)
      hasher.combine(report)
    }
    return hasher.finalize()
  }
}

extension Heartbeat.Counters {
  fileprivate var isWorthCounting: Bool { self != Heartbeat.Counters() }
}
