internal import Model
internal import Planner

/// What this node keeps through a restart: operators' words, with their ends.
///
/// A word holds first and is saved then: whoever said it is answered when it is on the disk. A store that is lost takes
/// nothing back.
extension Node {
  func restoredOrders() async -> KeptOrders {
    guard ports.store.path != nil else { return KeptOrders() }
    do {
      return try await ports.store.restore()
    } catch {
      take(.lost("what was kept is not restored: \(error)"))
      return KeptOrders()
    }
  }

  /// After everything that may have changed a word.
  func keepOrders() {
    guard ports.store.path != nil else { return }
    let orders = truth.keptOrders(at: ports.now(), wall: ports.wallClock())
    guard orders != kept else { return }
    kept = orders
    ports.store.keep(orders)
  }

  func take(_ report: StoreReport) {
    switch report {
    case .lost(let reason):
      if storeLoss != reason { record(.storeLost, nil, reason) }
      storeLoss = reason
    case .back:
      guard storeLoss != nil else { return }
      storeLoss = nil
      record(.storeBack, nil, "all that shall outlive a restart is kept again")
      if !floating.isSaved { followFloating() }
    }
  }

  var storeStanding: StoreStanding? { ports.store.path.map { StoreStanding(path: $0, loss: storeLoss) } }
}

extension Truth {
  func keptOrders(at now: Instant, wall: Int64) -> KeptOrders {
    var result = KeptOrders()
    for key in Set(overrides.states.keys).union(overrides.weights.keys) {
      guard let backend = backend(key) else { continue }
      result.overrides.append(
        KeptOverride(
          key: key, state: overrides.states[key], weight: overrides.weights[key], fileState: backend.state,
          fileWeight: backend.weight))
    }
    result.overrides.sort { ($0.key.pool, $0.key.backend) < ($1.key.pool, $1.key.backend) }
    result.drains = sites.drains.map { site, drain in
      // To the second: the two clocks are not read at one moment.
      KeptDrain(site: site, until: drain.until.map { (wall + ($0 - now).milliseconds + 500) / 1_000 * 1_000 })
    }
    result.drains.sort { $0.site < $1.site }
    return result
  }

  /// Before the first load, which drops what the file has made void since.
  mutating func resume(_ kept: KeptOrders, at now: Instant, wall: Int64) {
    for row in kept.overrides {
      if let state = row.state { overrides.set(.state(state), for: row.key) }
      if let weight = row.weight { overrides.set(.weight(weight), for: row.key) }
      remember(row)
    }
    for drain in kept.drains where drain.until.map({ $0 > wall }) ?? true {
      _ = sites.order(drain.site, .drain(drain.until.map { .milliseconds($0 - wall) }), at: now)
    }
  }
}
