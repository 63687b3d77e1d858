internal import OctaviaModel

// Load balancers and what is in them.
extension API {
  /// The kinds that a list of one kind needs to know.
  private static let needed: [Kind: [Kind]] = [
    .loadBalancer: [.loadBalancer, .listener, .pool], .listener: [.loadBalancer, .listener, .policy],
    .pool: [.loadBalancer, .listener, .pool, .policy, .member, .healthMonitor], .member: [.loadBalancer, .member],
    .healthMonitor: [.loadBalancer, .healthMonitor, .pool], .policy: [.loadBalancer, .policy, .rule],
    .rule: [.loadBalancer, .rule],
  ]

  func resources(
    _ request: APIRequest, _ kind: Kind, _ path: [String], _ identity: Identity
  ) async throws -> APIResponse {
    switch (kind, path.count) {
    case (_, 0): return try await collection(request, kind, parent: nil, identity)
    case (_, 1): return try await item(request, kind, path[0], parent: nil, identity)
    case (.loadBalancer, 2): return try await loadBalancerPart(request, path[0], path[1], identity)
    case (.listener, 2) where path[1] == "stats": return try await listenerStatistics(request, path[0], identity)
    case (.pool, 2...3) where path[1] == "members", (.policy, 2...3) where path[1] == "rules":
      let inner: Kind = kind == .pool ? .member : .rule
      let parent = try await parent(kind, path[0])
      return path.count == 2
        ? try await collection(request, inner, parent: parent, identity)
        : try await item(request, inner, path[2], parent: parent, identity)
    default: throw APIError.noRoute()
    }
  }

  /// A missing pool or policy in a path is told by the router, with the reason phrase that it has always had.
  private func parent(_ kind: Kind, _ id: String) async throws -> Record {
    guard let record = try await store.read({ try $0.record(kind, id) }) else {
      let name = kind == .policy ? "L7Policy" : kind.title
      throw APIError(404, title: "Bad Request", description: "\(name) \(id) not found.")
    }
    return record
  }

  private func collection(
    _ request: APIRequest, _ kind: Kind, parent: Record?, _ identity: Identity
  ) async throws -> APIResponse {
    switch request.method {
    case "GET": return try await list(request, kind, parent: parent, identity)
    case "POST": return try await create(request, kind, parent: parent, identity)
    case "PUT" where kind == .member: return try await replaceMembers(request, parent!, identity)
    default:
      if kind == .member { try allow(request, "GET", "POST", "PUT") } else { try allow(request, "GET", "POST") }
      throw APIError.noRoute()
    }
  }

  private func list(
    _ request: APIRequest, _ kind: Kind, parent: Record?, _ identity: Identity
  ) async throws -> APIResponse {
    let query = try ListQuery(request.query, kind)
    if !identity.seesEverything, let wanted = query.project, wanted != identity.project { throw APIError.forbidden }
    if !identity.seesEverything { try identity.check(.read, project: identity.project) }
    let project = query.project ?? (identity.seesEverything ? nil : identity.project ?? "")
    let kinds = Self.needed[kind]!
    let views = try await store.read { rows in
      let trees =
        try parent.map { [try rows.tree(of: $0.id, $0.kind)].compactMap(\.self) } ?? rows.trees(kinds, project: project)
      return trees.flatMap { tree in
        tree.all(kind).filter { parent == nil || $0[kind.parentKey!] == .string(parent!.id) }.map { tree.view($0) }
      }
    }
    return try list(views, kind, query, request)
  }

  private func find(_ kind: Kind, _ id: String, _ parent: Record?, _ rows: Rows) throws -> (Tree, Record) {
    guard let tree = try rows.tree(of: id, kind), let record = tree[kind, id],
      parent == nil || record[kind.parentKey!] == .string(parent!.id)
    else { throw APIError.notFound(kind.title, id) }
    return (tree, record)
  }

  private func item(
    _ request: APIRequest, _ kind: Kind, _ id: String, parent: Record?, _ identity: Identity
  ) async throws -> APIResponse {
    switch request.method {
    case "GET":
      let view = try await store.read { rows in
        let (tree, record) = try find(kind, id, parent, rows)
        try identity.check(.read, project: record["project_id"].string)
        return tree.view(record)
      }
      return one(view, kind, request)
    case "PUT":
      let body = try RequestBody.parse(try document(request), kind, .update)
      let view = try await change(kind, id, parent, identity) { tree, source in
        if kind == .loadBalancer {
          try tree.changeLoadBalancer(body, deployment, source)
        } else {
          try tree.change(id, body, deployment, source)
        }
        return .update(tree, source)
      }
      return one(view, kind, request)
    case "DELETE":
      let cascade = request.query.last { $0.0 == "cascade" }?.1.lowercased() == "true"
      _ = try await change(kind, id, parent, identity) { tree, source in
        if kind == .loadBalancer {
          try tree.deleteLoadBalancer(cascade: cascade, source: source)
          return .delete(tree, source)
        }
        try tree.delete(id, source: source)
        return .update(tree, source)
      }
      return APIResponse(204)
    default:
      try allow(request, "DELETE", "GET", "PUT", "POST")
      throw APIError(405, title: "Method Not Allowed", description: "", allow: "DELETE, GET, POST, PUT")
    }
  }

  /// One transaction: the change, and the flow that brings it to the amphorae.
  func change(
    _ kind: Kind, _ id: String, _ parent: Record?, _ identity: Identity,
    _ body: @escaping @Sendable (inout Tree, Source) throws -> Flow
  ) async throws -> JSONObject {
    let source = source
    let view = try await store.write { rows in
      var (tree, record) = try find(kind, id, parent, rows)
      try identity.check(.write, project: record["project_id"].string)
      let flow = try body(&tree, source)
      try rows.save(tree, id: tree.id)
      try rows.insert(flow, at: source.now)
      return tree[id].map { tree.view($0) } ?? JSONObject()
    }
    wake()
    return view
  }

  // MARK: creating

  private func create(
    _ request: APIRequest, _ kind: Kind, parent: Record?, _ identity: Identity
  ) async throws -> APIResponse {
    let document = try document(request)
    // What the original service says to an empty object.
    if document == .object(JSONObject()) { throw APIError(500, "'UnsetType' object has no attribute 'project_id'") }
    let body = try RequestBody.parse(document, kind, .create)
    if kind == .loadBalancer { return try await createLoadBalancer(request, body, identity) }
    let source = source
    let view = try await store.write { rows in
      let (tree, parent) = try place(kind, body, parent, rows)
      var changed = tree
      let project = tree.loadBalancer.text("project_id")
      try identity.check(.write, project: project)
      try checkQuota(kind, project, rows)
      let id = try changed.create(kind, body, in: parent, deployment, source)
      try rows.save(changed, id: changed.id)
      try rows.insert(.update(changed, source), at: source.now)
      return changed.view(changed[id]!)
    }
    wake()
    return one(view, kind, request, status: 201)
  }

  /// What a new resource belongs to: by the path, or by what its body names.
  private func place(_ kind: Kind, _ body: JSONObject, _ parent: Record?, _ rows: Rows) throws -> (Tree, Record) {
    func named(_ key: String, _ kind: Kind) throws -> (Tree, Record)? {
      guard let id = body[key]?.string else { return nil }
      guard let tree = try rows.tree(of: id, kind), let record = tree[kind, id] else {
        throw APIError.notFound(kind.title, id)
      }
      return (tree, record)
    }
    if let parent {
      guard let tree = try rows.tree(of: parent.id, parent.kind), let record = tree[parent.id] else {
        throw APIError.notFound(parent.kind.title, parent.id)
      }
      return (tree, record)
    }
    switch kind {
    case .pool:
      if let place = try named("listener_id", .listener) { return place }
      if let place = try named("loadbalancer_id", .loadBalancer) { return place }
      throw APIError.validation("Must provide at least one of: loadbalancer_id, listener_id")
    case .healthMonitor: if let place = try named("pool_id", .pool) { return place }
    case .policy: if let place = try named("listener_id", .listener) { return place }
    default: if let place = try named("loadbalancer_id", .loadBalancer) { return place }
    }
    throw APIError.notFound(Kind.loadBalancer.title, "None")
  }

  private func createLoadBalancer(
    _ request: APIRequest, _ body: JSONObject, _ identity: Identity
  ) async throws -> APIResponse {
    guard let project = body["project_id"]?.string ?? body["tenant_id"]?.string ?? identity.project else {
      throw APIError.missingProject
    }
    try identity.check(.write, project: project)
    let choice = try await store.read { try choose(body, $0) }
    let id = makeID()
    do {
      let body = try await networks.plugVIP(body, owner: id)
      let first = Latch(id)
      let makeID = makeID
      let source = Source(now: now()) { first.take() ?? makeID() }
      let view = try await store.write { rows in
        try checkQuota(.loadBalancer, project, rows)
        let tree = try Tree(
          create: body, project: project, provider: choice.provider, topology: choice.topology, deployment, source)
        for kind in [Kind.listener, .pool, .member, .healthMonitor, .policy, .rule] {
          let count = tree.all(kind).count
          if count > 0 { try checkQuota(kind, project, adding: count, rows) }
        }
        try rows.save(tree, id: id)
        try rows.insert(.create(tree, choice.topology, source, spares: rows.readySpares()), at: source.now)
        return tree.fullView()
      }
      wake()
      return one(view, .loadBalancer, request, status: 201)
    } catch {
      try? await networks.release(owner: id)
      throw error
    }
  }

  private func replaceMembers(_ request: APIRequest, _ pool: Record, _ identity: Identity) async throws -> APIResponse {
    guard case .object(let root) = try document(request), case .array(let list)? = root["members"] else {
      throw APIError(400, "Missing argument: \"members_\"")
    }
    var bodies: [JSONObject] = []
    for member in list {
      bodies.append(
        try RequestBody.parse(value: member, root: "members", argument: "members_", schema: Kind.member.schema, .create)
      )
    }
    let members = bodies
    let additive = request.query.last { $0.0 == "additive_only" }?.1.lowercased() == "true"
    _ = try await change(.pool, pool.id, nil, identity) { tree, source in
      try tree.replaceMembers(of: pool.id, with: members, additive: additive, deployment, source)
      return .update(tree, source)
    }
    return APIResponse(202)
  }
}
