internal import Model

extension Tree {
  /// Adds a listener, pool, member, health monitor, policy or rule.
  ///
  /// - Parameter body: a parsed create request; `parent` is what it belongs to, and in the tree.
  /// - Returns: the new resource's identifier.
  package mutating func create(
    _ kind: Kind, _ body: JSONObject, in parent: Record, _ deployment: Deployment, _ source: Source
  ) throws(APIError) -> String {
    var record = kind.record(body, id: source.makeID(), project: loadBalancer["project_id"], now: source.now)
    if let key = kind.parentKey { record[key] = .string(kind == .listener || kind == .pool ? id : parent.id) }
    switch kind {
    case .listener: try check(listener: &record, deployment)
    case .pool: try check(pool: &record, body, listener: parent.kind == .listener ? parent : nil, deployment)
    case .member: try check(member: &record, deployment)
    case .healthMonitor: try check(healthMonitor: &record, deployment)
    case .policy: try check(policy: &record)
    default: try check(rule: record, deployment)
    }
    let isWhole = loadBalancer.provisioning == .pendingCreate
    if !isWhole {
      var touched = touched(by: record)
      if kind == .pool, parent.kind == .listener { touched = [parent.id] }
      try lock(touched, source: source)
    }
    put(record)
    if kind == .pool, parent.kind == .listener { update(parent.id) { $0["default_pool_id"] = .string(record.id) } }
    if kind == .policy { place(record.id, at: record.number("position"), in: parent.id) }
    if kind == .healthMonitor { markMonitored(record.text("pool_id"), true) }
    return record.id
  }

  /// A member without a health monitor has no operating status of its own.
  mutating func markMonitored(_ pool: String, _ monitored: Bool) {
    for member in all(.member, "pool_id", pool) {
      update(member.id) { $0.operating = monitored ? .offline : .noMonitor }
    }
  }

  // MARK: each kind's own rules

  func check(listener: inout Record, _ deployment: Deployment) throws(APIError) {
    for name in ["timeout_client_data", "timeout_member_connect", "timeout_member_data", "timeout_tcp_inspect"]
    where listener[name].isNull { listener[name] = Kind.listener.reset(name, deployment) }
    if let pool = listener["default_pool_id"].string { try checkDefaultPool(pool, of: listener) }
    try ListenerRules.check(
      listener, vips: vipAddresses, hasCustomGroups: !loadBalancer["vip_sg_ids"].strings.isEmpty, deployment)
    if listener["allowed_cidrs"] == [] { listener["allowed_cidrs"] = .null }
    if listener.text("protocol") == "TERMINATED_HTTPS" { TLSDefaults.fill(&listener) }
    let port = listener.number("protocol_port")
    let family = ListenerRules.transport(listener.text("protocol"))
    if let other = all(.listener, "protocol_port", port).first(where: {
      $0.id != listener.id && ListenerRules.transport($0.text("protocol")) == family
    }) {
      throw APIError(
        409,
        "Another Listener on this Load Balancer is already using protocol \(other.text("protocol")) and protocol_port \(port)"
      )
    }
  }

  private func all(_ kind: Kind, _ key: String, _ number: Int) -> [Record] {
    records.filter { $0.kind == kind && $0[key] == .int(number) }
  }

  package var vipAddresses: [String] {
    [loadBalancer.text("vip_address")]
      + (loadBalancer["additional_vips"].array ?? []).compactMap { $0["ip_address"].string }
  }

  func checkDefaultPool(_ pool: String, of listener: Record) throws(APIError) {
    if listener.text("protocol") == "PROMETHEUS" { throw ListenerRules.noChildren }
    guard let record = self[.pool, pool] else { throw .notFound("Pool", pool) }
    try ListenerRules.checkPool(record.text("protocol"), listener: listener.text("protocol"))
  }

  func check(pool: inout Record, _ body: JSONObject, listener: Record?, _ deployment: Deployment) throws(APIError) {
    if let listener {
      if listener.text("protocol") == "PROMETHEUS" { throw ListenerRules.noChildren }
      try ListenerRules.checkPool(pool.text("protocol"), listener: listener.text("protocol"))
      if !listener["default_pool_id"].isNull { throw APIError(409, "This listener already has a default pool") }
    }
    try PoolRules.check(pool, provider: loadBalancer.text("provider"), deployment)
    if pool.flag("tls_enabled") { TLSDefaults.fill(&pool) }
  }

  func check(member: inout Record, _ deployment: Deployment) throws(APIError) {
    try check(memberAlone: &member, deployment)
    let address = member.text("address")
    if all(.member, "pool_id", member.text("pool_id")).contains(where: {
      $0.id != member.id && $0.text("address") == address && $0["protocol_port"] == member["protocol_port"]
    }) {
      throw APIError(
        409,
        "Another member on this pool is already using ip \(address) on protocol_port \(member.number("protocol_port"))")
    }
  }

  /// All but its place among the others.
  func check(memberAlone member: inout Record, _ deployment: Deployment) throws(APIError) {
    let address = member.text("address")
    if deployment.reservedAddresses.contains(address) { throw .invalidOption(address, "member address") }
    member.operating = healthMonitor(of: member.text("pool_id")) == nil ? .noMonitor : .offline
  }

  func check(healthMonitor: inout Record, _ deployment: Deployment) throws(APIError) {
    guard let pool = self[.pool, healthMonitor.text("pool_id")] else {
      throw .notFound("Pool", healthMonitor.text("pool_id"))
    }
    try HealthMonitorRules.fill(&healthMonitor)
    try HealthMonitorRules.check(healthMonitor, pool: pool.text("protocol"), deployment)
    if self.healthMonitor(of: pool.id) != nil { throw APIError(409, "This pool already has a health monitor") }
  }

  func check(policy: inout Record) throws(APIError) {
    guard let listener = self[.listener, policy.text("listener_id")] else {
      throw .notFound("Listener", policy.text("listener_id"))
    }
    if listener.text("protocol") == "PROMETHEUS" { throw ListenerRules.noChildren }
    try PolicyRules.normalize(&policy, listener: listener, in: self)
  }

  func check(rule: Record, _ deployment: Deployment) throws(APIError) {
    try RuleRules.check(rule, deployment)
    let policy = rule.text("l7policy_id")
    if all(.rule, "l7policy_id", policy).count >= 50 { throw APIError(409, "Too many rules on L7 policy \(policy)") }
  }
}
