internal import OctaviaModel

// Status trees, statistics and failovers of load balancers.
extension API {
  func loadBalancerPart(
    _ request: APIRequest, _ id: String, _ part: String, _ identity: Identity
  ) async throws -> APIResponse {
    switch part {
    case "status", "statuses":
      try allow(request, "GET")
      return APIResponse(200, .object(["statuses": try await load(id, identity, .read).statusView()]))
    case "stats":
      try allow(request, "GET")
      let tree = try await load(id, identity, .read)
      return APIResponse(200, .object(["stats": .object(try await statistics(tree, listener: nil))]))
    case "failover":
      try allow(request, "PUT")
      let source = source
      try await store.write { rows in
        guard var tree = try rows.tree(id) else { throw APIError.notFound(Kind.loadBalancer.title, id) }
        try identity.check(.administer, project: nil)
        try tree.lockWhole(.pendingUpdate, when: [.active, .error], source: source)
        // The standby first: the one with traffic goes last.
        let amphorae = tree.amphorae.sorted {
          ($0.text("role") == "MASTER" ? 1 : 0) < ($1.text("role") == "MASTER" ? 1 : 0)
        }
        try rows.save(tree, id: id)
        try rows.insert(.failover(tree, amphorae, tree.topology, source, spares: rows.readySpares()), at: source.now)
        try rows.note(id, "failover of the load balancer was asked for", at: source.now)
      }
      wake()
      return APIResponse(202)
    default: throw APIError.noRoute()
    }
  }

  private func load(_ id: String, _ identity: Identity, _ action: Identity.Action) async throws -> Tree {
    let tree = try await store.read { try $0.tree(id) }
    guard let tree else { throw APIError.notFound(Kind.loadBalancer.title, id) }
    try identity.check(action, project: tree.loadBalancer["project_id"].string)
    return tree
  }

  func listenerStatistics(_ request: APIRequest, _ id: String, _ identity: Identity) async throws -> APIResponse {
    try allow(request, "GET")
    guard let tree = try await store.read({ try $0.tree(of: id, .listener) }) else {
      throw APIError.notFound(Kind.listener.title, id)
    }
    try identity.check(.read, project: tree.loadBalancer["project_id"].string)
    return APIResponse(200, .object(["stats": .object(try await statistics(tree, listener: id))]))
  }

  private func statistics(_ tree: Tree, listener: String?) async throws -> JSONObject {
    let id = tree.id
    let rows = try await store.read { try $0.statistics(tree: id) }
    var sum = Heartbeat.Counters()
    for row in rows where listener == nil || row.listener == listener {
      sum.bytesIn += row.counters.bytesIn
      sum.bytesOut += row.counters.bytesOut
      sum.totalConnections += row.counters.totalConnections
      sum.requestErrors += row.counters.requestErrors
      // Those of an amphora that is gone are not open any more.
      if tree[.amphora, row.amphora]?.text("status") == AmphoraStatus.allocated.rawValue {
        sum.activeConnections += row.counters.activeConnections
      }
    }
    return Self.view(sum)
  }

  private static func view(_ counters: Heartbeat.Counters) -> JSONObject {
    JSONObject([
      ("active_connections", .int(counters.activeConnections)), ("bytes_in", .int(counters.bytesIn)),
      ("bytes_out", .int(counters.bytesOut)), ("request_errors", .int(counters.requestErrors)),
      ("total_connections", .int(counters.totalConnections)),
    ])
  }

  // MARK: amphorae

  func amphorae(_ request: APIRequest, _ path: [String], _ identity: Identity) async throws -> APIResponse {
    try identity.check(.administer, project: nil)
    switch (path.count, request.method) {
    case (0, "GET"):
      let query = try ListQuery(request.query, .amphora)
      let views = try await store.read { rows in
        let spares = try query.project == nil ? rows.spares() : []
        return (try rows.trees([.loadBalancer, .amphora], project: query.project).flatMap(\.amphorae) + spares).map {
          $0.view()
        }
      }
      return try list(views, .amphora, query, request)
    case (1, "GET"):
      if let spare = try await store.read({ try $0.spares() }).first(where: { $0.id == path[0] }) {
        return one(spare.view(), .amphora, request)
      }
      return one(try await amphora(path[0]).1.view(), .amphora, request)
    case (1, "DELETE"):
      let (tree, record) = try await amphora(path[0])
      guard record.text("status") == AmphoraStatus.error.rawValue else { throw APIError.immutable("amphora", path[0]) }
      let id = tree.id
      try await store.write { rows in
        guard var tree = try rows.tree(id) else { return }
        tree.remove(path[0])
        try rows.save(tree, id: id)
      }
      return APIResponse(204)
    case (2, "GET") where path[1] == "stats": return try await amphoraStatistics(path[0])
    case (2, "PUT") where path[1] == "failover" || path[1] == "config":
      try await order(path[0], failover: path[1] == "failover")
      return APIResponse(202)
    case (0...1, _): try allow(request, "GET", "DELETE")
    default: break
    }
    throw APIError.noRoute()
  }

  private func amphora(_ id: String) async throws -> (Tree, Record) {
    guard let tree = try await store.read({ try $0.tree(of: id, .amphora) }), let record = tree[.amphora, id] else {
      throw APIError.notFound(Kind.amphora.title, id)
    }
    return (tree, record)
  }

  private func amphoraStatistics(_ id: String) async throws -> APIResponse {
    let (tree, _) = try await amphora(id)
    let balancer = tree.id
    let rows = try await store.read { try $0.statistics(tree: balancer) }.filter { $0.amphora == id }
    if rows.isEmpty { throw APIError.notFound("Amphora Stats", id) }
    let list: [JSON] = rows.map { row in
      var view = Self.view(row.counters)
      let totals = view["total_connections"]
      let errors = view["request_errors"]
      view = JSONObject([
        ("active_connections", view["active_connections"]!), ("bytes_in", view["bytes_in"]!),
        ("bytes_out", view["bytes_out"]!), ("id", .string(id)), ("listener_id", .string(row.listener)),
        ("loadbalancer_id", .string(balancer)), ("request_errors", errors!), ("total_connections", totals!),
      ])
      return .object(view)
    }
    return APIResponse(200, .object(["amphora_stats": .array(list)]))
  }

  private func order(_ id: String, failover: Bool) async throws {
    let source = source
    try await store.write { rows in
      guard var tree = try rows.tree(of: id, .amphora), let record = tree[.amphora, id] else {
        throw APIError.notFound(Kind.amphora.title, id)
      }
      guard tree.loadBalancer.provisioning == .active else {
        throw APIError.immutable(Kind.loadBalancer.title, tree.id)
      }
      try tree.lockWhole(.pendingUpdate, when: [.active], source: source)
      try rows.save(tree, id: tree.id)
      let flow: Flow =
        try failover
        ? .failover(tree, [record], tree.topology, source, spares: rows.readySpares()) : .adjust(tree, id, source)
      try rows.insert(flow, at: source.now)
      if failover { try rows.note(tree.id, "failover of amphora \(id) was asked for", at: source.now) }
    }
    wake()
  }
}

extension Tree {
  var topology: Deployment.Topology { Deployment.Topology(rawValue: loadBalancer.text("topology")) ?? .single }
}
