// What may be changed when: a change locks what it touches by making it pending, and nothing else gets in until a
// worker has brought it to the amphorae.

extension Tree {
  /// Refuses a change of the load balancer itself.
  package mutating func lockWhole(
    _ state: Provisioning, when allowed: Set<Provisioning>, source: Source
  ) throws(APIError) {
    let now = loadBalancer.provisioning
    guard allowed.contains(now) else { throw .pending(id, now.rawValue) }
    update(id) { record in
      record.provisioning = state
      record["updated_at"] = .string(source.now.text)
    }
  }

  /// Makes the load balancer and what a change touches pending.
  mutating func lock(_ touched: [String], source: Source) throws(APIError) {
    for id in touched where self[.pool, id].map({ $0.provisioning != .active }) == true {
      throw .immutable(Kind.pool.title, id)
    }
    guard loadBalancer.provisioning == .active else { throw .immutable(Kind.loadBalancer.title, id) }
    for id in touched where self[.policy, id].map({ $0.provisioning != .active }) == true {
      throw .immutable(Kind.policy.title, id)
    }
    for id in [id] + touched { update(id) { $0.provisioning = .pendingUpdate } }
  }

  /// What a change of `record` touches beside the load balancer and itself.
  func touched(by record: Record) -> [String] {
    switch record.kind {
    case .pool: listeners(using: record.id).map(\.id)
    case .member, .healthMonitor:
      listeners(using: record.text("pool_id")).map(\.id) + [record.text("pool_id")]
    case .policy: [record.text("listener_id")]
    case .rule:
      [self[record.text("l7policy_id")]?.text("listener_id") ?? "", record.text("l7policy_id")]
    default: []
    }
  }

  // MARK: what the worker does with it

  /// The amphorae do what was asked for: nothing is pending any more.
  package mutating func settle(source: Source) {
    removeLeaves(Set(records.filter { $0.kind == .member && $0.isDeleted }.map(\.id)))
    for record in records where record.kind.isChild && record.isDeleted { removeSubtree(record.id) }
    for record in records where record.kind.isChild || record.kind == .loadBalancer {
      guard record.provisioning.isPending else { continue }
      update(record.id) { record in
        if record.provisioning == .pendingUpdate { record["updated_at"] = .string(source.now.text) }
        record.provisioning = .active
        switch record.kind {
        case .policy, .rule, .healthMonitor: record.operating = record.isEnabled ? .online : .offline
        default: break
        }
      }
    }
  }

  /// It could not be done: the objects that were asked for are in error, and the load balancer is free again, unless
  /// it was the load balancer itself that failed.
  package mutating func fail(whole: Bool) {
    let before = self
    for record in before.records where record.kind.isChild && record.provisioning.isPending {
      // What was only touched has kept its configuration.
      let target = whole || record.provisioning != .pendingUpdate || !before.hasPendingChild(record)
      update(record.id) { $0.provisioning = target ? .error : .active }
    }
    update(id) { record in
      record.provisioning = whole ? .error : .active
      if whole { record.operating = .error }
    }
  }

  private func hasPendingChild(_ record: Record) -> Bool {
    let inner =
      subtree(record.id).dropFirst()
      + (record.kind == .listener ? pools(of: record).flatMap { subtree($0.id) }[...] : [])
    return inner.contains { $0.provisioning.isPending }
  }
}
