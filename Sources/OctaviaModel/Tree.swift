/// A load balancer with everything in it, as one value: requests, flows and heartbeats change it, and what they
/// changed is then written in one transaction.
package struct Tree: Hashable, Sendable {
  /// In the order in which they were created.
  package private(set) var records: [Record] = []
  package private(set) var changed: Set<String> = []
  package private(set) var removed: Set<String> = []
  private var index: [String: Int] = [:]

  /// - Parameter records: those of one load balancer, in any order.
  package init(_ records: [Record]) {
    self.records = records.sorted { left, right in
      (left.text("created_at"), left.id) < (right.text("created_at"), right.id)
    }
    for (position, record) in self.records.enumerated() { index[record.id] = position }
  }

  package init(new loadBalancer: Record) {
    put(loadBalancer)
  }

  package subscript(_ id: String) -> Record? { index[id].map { records[$0] } }
  package subscript(_ kind: Kind, _ id: String) -> Record? { self[id].flatMap { $0.kind == kind ? $0 : nil } }
  package func all(_ kind: Kind) -> [Record] { records.filter { $0.kind == kind } }
  /// Those whose field `key` names `id`.
  package func all(_ kind: Kind, _ key: String, _ id: String) -> [Record] {
    records.filter { $0.kind == kind && $0[key] == .string(id) }
  }

  package var loadBalancer: Record {
    get { records.first { $0.kind == .loadBalancer } ?? Record(.loadBalancer, JSONObject()) }
    set { put(newValue) }
  }
  package var id: String { loadBalancer.id }
  package var amphorae: [Record] { all(.amphora) }

  package mutating func put(_ record: Record) {
    removed.remove(record.id)
    if let position = index[record.id] {
      if records[position] == record { return }
      records[position] = record
    } else {
      index[record.id] = records.count
      records.append(record)
    }
    changed.insert(record.id)
  }

  package mutating func update(_ id: String, _ change: (inout Record) -> Void) {
    guard var record = self[id] else { return }
    change(&record)
    put(record)
  }

  package mutating func remove(_ id: String) {
    guard let position = index[id] else { return }
    records.remove(at: position)
    changed.remove(id)
    removed.insert(id)
    index = [:]
    for (position, record) in records.enumerated() { index[record.id] = position }
  }

  /// Thousands at once; nothing belongs to them, and nothing else changes by their end.
  mutating func removeLeaves(_ ids: Set<String>) {
    if ids.isEmpty { return }
    records.removeAll { ids.contains($0.id) }
    changed.subtract(ids)
    removed.formUnion(ids)
    index = [:]
    for (position, record) in records.enumerated() { index[record.id] = position }
  }

  /// The resource and all that belongs to it.
  package func subtree(_ id: String) -> [Record] {
    guard let record = self[id] else { return [] }
    let inner: [Record] =
      switch record.kind {
      case .loadBalancer: records.filter { $0.kind.isChild }
      case .listener: all(.policy, "listener_id", id).flatMap { subtree($0.id) }
      case .pool: all(.member, "pool_id", id) + all(.healthMonitor, "pool_id", id)
      case .policy: all(.rule, "l7policy_id", id)
      default: []
      }
    return [record] + inner
  }

  package mutating func removeSubtree(_ id: String) {
    let record = self[id]
    for inner in subtree(id).reversed() { remove(inner.id) }
    if record?.kind == .policy { renumber(record?.text("listener_id") ?? "") }
    if record?.kind == .pool {
      for listener in all(.listener, "default_pool_id", id) { update(listener.id) { $0["default_pool_id"] = .null } }
    }
  }

  // MARK: relations

  package func parent(of record: Record) -> Record? {
    record.kind.parentKey.flatMap { self[record.text($0)] }
  }

  /// Policies of a listener by position.
  package func policies(of listener: String) -> [Record] {
    all(.policy, "listener_id", listener).sorted { ($0.number("position"), $0.id) < ($1.number("position"), $1.id) }
  }

  /// The default pool, then those that policies send to.
  package func pools(of listener: Record) -> [Record] {
    var ids: [String] = []
    if let id = listener["default_pool_id"].string { ids.append(id) }
    for policy in policies(of: listener.id) where policy.text("action") == "REDIRECT_TO_POOL" {
      if let id = policy["redirect_pool_id"].string, !ids.contains(id) { ids.append(id) }
    }
    return ids.compactMap { self[.pool, $0] }
  }

  package func listeners(using pool: String) -> [Record] {
    all(.listener).filter { listener in pools(of: listener).contains { $0.id == pool } }
  }

  package func healthMonitor(of pool: String) -> Record? { all(.healthMonitor, "pool_id", pool).first }

  /// Positions are 1...n without gaps.
  package mutating func renumber(_ listener: String) {
    for (offset, policy) in policies(of: listener).enumerated() {
      update(policy.id) { $0["position"] = .int(offset + 1) }
    }
  }

  /// Puts a policy at `position` and moves those behind it.
  package mutating func place(_ policy: String, at position: Int, in listener: String) {
    var others = policies(of: listener).map(\.id).filter { $0 != policy }
    others.insert(policy, at: min(max(position - 1, 0), others.count))
    for (offset, id) in others.enumerated() { update(id) { $0["position"] = .int(offset + 1) } }
  }
}
