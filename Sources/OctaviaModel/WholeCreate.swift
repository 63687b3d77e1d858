/// A load balancer that is created with everything in it.
extension Tree {
  /// - Parameter body: a parsed create request, with its VIP filled in.
  package init(
    create body: JSONObject, project: String, provider: Provider, topology: Deployment.Topology,
    _ deployment: Deployment,
    _ source: Source
  ) throws(APIError) {
    var record = Kind.loadBalancer.record(body, id: source.makeID(), project: .string(project), now: source.now)
    record["provider"] = .string(provider.canonical.rawValue)
    record["topology"] = .string(topology.rawValue)
    self.init(new: record)
    var listeners = (body["listeners"]?.array ?? []).compactMap(\.object)
    var pools = (body["pools"]?.array ?? []).compactMap(\.object)
    try Self.gather(&listeners, &pools)
    var ids: [String: String] = [:]
    for pool in pools {
      for name in ["protocol", "lb_algorithm"] where pool[name] == nil {
        throw .validation("Pool definition for '\(pool["name"]?.string ?? "")' missing required attribute: \(name)")
      }
      let pool = try create(pool, deployment, source)
      ids[self[pool]?.text("name") ?? ""] = pool
    }
    for listener in listeners { try create(listener: listener, pools: ids, deployment, source) }
  }

  /// Moves every pool that is defined inside a listener to the top, and leaves its name.
  private static func gather(_ listeners: inout [JSONObject], _ pools: inout [JSONObject]) throws(APIError) {
    var wanted: [String] = []
    func take(_ pool: JSONObject) throws(APIError) -> JSON {
      guard let name = pool["name"]?.string, !name.isEmpty else {
        throw .validation("Pools must be named when creating a fully populated loadbalancer.")
      }
      if pool.keys == ["name"] { wanted.append(name) } else { pools.append(pool) }
      return .string(name)
    }
    for index in listeners.indices {
      if let pool = listeners[index]["default_pool"]?.object { listeners[index]["default_pool"] = try take(pool) }
      guard var policies = listeners[index]["l7policies"]?.array else { continue }
      for place in policies.indices {
        guard var policy = policies[place].object, let pool = policy["redirect_pool"]?.object else { continue }
        policy["redirect_pool"] = try take(pool)
        policies[place] = .object(policy)
      }
      listeners[index]["l7policies"] = .array(policies)
    }
    let names = pools.compactMap { $0["name"]?.string }
    if names.count < pools.count {
      throw .validation("Pools must be named when creating a fully populated loadbalancer.")
    }
    if Set(names).count < names.count {
      throw .validation("Pool names must be unique when creating a fully populated loadbalancer.")
    }
    for name in wanted where !names.contains(name) {
      throw .validation("Pool '\(name)' was referenced but no full definition was found.")
    }
  }

  private mutating func create(
    _ pool: JSONObject, _ deployment: Deployment, _ source: Source
  ) throws(APIError) -> String {
    let id = try create(.pool, pool, in: loadBalancer, deployment, source)
    let record = self[id]!
    for member in (pool["members"]?.array ?? []).compactMap(\.object) {
      _ = try create(.member, member, in: record, deployment, source)
    }
    if let monitor = pool["healthmonitor"]?.object {
      _ = try create(.healthMonitor, monitor, in: record, deployment, source)
    }
    return id
  }

  private mutating func create(
    listener body: JSONObject, pools: [String: String], _ deployment: Deployment, _ source: Source
  ) throws(APIError) {
    var body = body
    if let name = body["default_pool"]?.string { body["default_pool_id"] = .optional(pools[name]) }
    let id = try create(.listener, body, in: loadBalancer, deployment, source)
    for policy in (body["l7policies"]?.array ?? []).compactMap(\.object) {
      var policy = policy
      if let name = policy["redirect_pool"]?.string { policy["redirect_pool_id"] = .optional(pools[name]) }
      let added = try create(.policy, policy, in: self[id]!, deployment, source)
      for rule in (policy["rules"]?.array ?? []).compactMap(\.object) {
        _ = try create(.rule, rule, in: self[added]!, deployment, source)
      }
    }
  }
}
