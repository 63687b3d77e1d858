extension Tree {
  /// Changes a resource inside the load balancer.
  ///
  /// - Parameter body: a parsed update request: only what it named.
  package mutating func change(
    _ id: String, _ body: JSONObject, _ deployment: Deployment, _ source: Source
  ) throws(APIError) {
    guard let old = self[id] else { return }
    var new = old
    Self.apply(body, to: &new, deployment)
    switch old.kind {
    case .listener:
      if let pool = new["default_pool_id"].string { try checkDefaultPool(pool, of: new) }
      try ListenerRules.check(
        new, vips: vipAddresses, hasCustomGroups: !loadBalancer["vip_sg_ids"].strings.isEmpty, deployment)
      if new["allowed_cidrs"] == [] { new["allowed_cidrs"] = .null }
      if new.text("protocol") == "TERMINATED_HTTPS" { TLSDefaults.fill(&new) }
    case .pool:
      try PoolRules.check(new, provider: loadBalancer.text("provider"), deployment)
      if new.flag("tls_enabled") { TLSDefaults.fill(&new) }
    case .healthMonitor:
      for name in ["delay", "timeout", "max_retries"] where new[name].isNull { throw .invalidOption("None", name) }
      if !["HTTP", "HTTPS"].contains(old.text("type")) {
        for name in ["http_method", "url_path", "expected_codes"] where body[name] != nil {
          throw .invalidOption(name, "health monitors of type \(old.text("type"))")
        }
      }
      guard let pool = self[old.text("pool_id")] else { throw .notFound("Pool", old.text("pool_id")) }
      try HealthMonitorRules.check(new, pool: pool.text("protocol"), deployment)
    case .policy:
      try normalizeUpdate(&new, body)
    case .rule: try RuleRules.check(new, deployment)
    default: break
    }
    try lock(touched(by: old), source: source)
    new.provisioning = .pendingUpdate
    put(new)
    if old.kind == .policy, let position = body["position"]?.int {
      place(id, at: position, in: old.text("listener_id"))
    }
  }

  /// What an update names decides the action; the rest of the old one does not count against it.
  private mutating func normalizeUpdate(_ new: inout Record, _ body: JSONObject) throws(APIError) {
    guard let listener = self[new.text("listener_id")] else { throw .notFound("Listener", new.text("listener_id")) }
    let named = ["redirect_pool_id", "redirect_url", "redirect_prefix"].filter { body[$0].map { !$0.isNull } ?? false }
    let actions = [
      "redirect_pool_id": "REDIRECT_TO_POOL", "redirect_url": "REDIRECT_TO_URL", "redirect_prefix": "REDIRECT_PREFIX",
    ]
    if body["action"] == nil, let name = named.first { new["action"] = .string(actions[name]!) }
    if named.count <= 1 {
      for (name, action) in actions where !named.contains(name) && new.text("action") != action { new[name] = .null }
    }
    try PolicyRules.normalize(&new, listener: listener, in: self)
  }

  private static func apply(_ body: JSONObject, to record: inout Record, _ deployment: Deployment) {
    for member in body.members {
      if case .object(let part) = member.value, case .object(var kept) = record[member.key],
        member.key == "session_persistence"
      {
        kept.merge(part)
        record[member.key] = .object(kept)
      } else {
        record[member.key] = member.value.isNull ? record.kind.reset(member.key, deployment) : member.value
      }
    }
  }

  /// Changes the load balancer itself.
  package mutating func changeLoadBalancer(
    _ body: JSONObject, _ deployment: Deployment, _ source: Source
  ) throws(APIError) {
    try lockWhole(.pendingUpdate, when: [.active], source: source)
    update(id) { Self.apply(body, to: &$0, deployment) }
  }

  /// Marks a resource inside the load balancer for deletion.
  package mutating func delete(_ id: String, source: Source) throws(APIError) {
    guard let record = self[id] else { return }
    if record.kind == .pool,
      let policy = all(.policy, "redirect_pool_id", id).first
    {
      throw APIError(409, "Pool \(id) is in use by L7 policy \(policy.id)")
    }
    try lock(touched(by: record), source: source)
    for inner in subtree(id) { update(inner.id) { $0.provisioning = .pendingDelete } }
    if record.kind == .healthMonitor { markMonitored(record.text("pool_id"), false) }
  }

  /// Marks the load balancer for deletion.
  package mutating func deleteLoadBalancer(cascade: Bool, source: Source) throws(APIError) {
    if !cascade, records.contains(where: { $0.kind.isChild }) {
      throw .validation("Cannot delete Load Balancer \(id) - it has children")
    }
    try lockWhole(.pendingDelete, when: [.active, .error], source: source)
    for record in records where record.kind.isChild { update(record.id) { $0.provisioning = .pendingDelete } }
  }

  /// Replaces a pool's members: those named stay or are changed, others are added, and the rest goes.
  package mutating func replaceMembers(
    of pool: String, with bodies: [JSONObject], additive: Bool, _ deployment: Deployment, _ source: Source
  ) throws(APIError) {
    guard let parent = self[.pool, pool] else { throw .notFound("Pool", pool) }
    let old = all(.member, "pool_id", pool)
    func key(_ body: JSONObject) -> String { "\(body["address"]?.string ?? "") \(body["protocol_port"]?.int ?? 0)" }
    let places = Dictionary(old.map { (key($0.fields), $0) }) { first, _ in first }
    if Set(bodies.map(key)).count < bodies.count {
      throw .validation("Member has duplicate address and protocol_port")
    }
    try lock(touched(by: Record(.member, JSONObject([("pool_id", .string(pool))]))), source: source)
    var kept: Set<String> = []
    for body in bodies {
      var record = Kind.member.record(body, id: source.makeID(), project: loadBalancer["project_id"], now: source.now)
      record["pool_id"] = .string(parent.id)
      if let same = places[key(body)] {
        kept.insert(same.id)
        record["id"] = .string(same.id)
        record["created_at"] = same["created_at"]
        record.operating = same.operating
        record.provisioning = .pendingUpdate
      } else {
        try check(memberAlone: &record, deployment)
      }
      put(record)
    }
    if additive { return }
    for member in old where !kept.contains(member.id) { update(member.id) { $0.provisioning = .pendingDelete } }
  }
}
