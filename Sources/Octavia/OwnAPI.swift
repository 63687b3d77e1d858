internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// What the API of OpenStack has no words for: why a load balancer has its status and what runs now, heartbeats, hosts,
/// floating addresses. The same people may ask as there.
struct OwnAPI: Sendable {
  let store: Store
  let health: HealthManager
  let hosts: [String]
  let floating: FloatingKeeper?
  let identify: @Sendable (APIRequest) async throws -> Identity

  func answer(_ request: APIRequest) async -> APIResponse {
    do {
      let who = try await identify(request)
      switch (request.method, Array(request.path.dropFirst()), request.path.count) {
      case ("GET", ["health"], _):
        try who.check(.administer, project: nil)
        return APIResponse(200, health.report())
      case ("GET", ["hosts"], _):
        try who.check(.administer, project: nil)
        return APIResponse(200, try await hostList())
      case ("GET", let path, 3) where path[0] == "explain":
        let tree = try await tree(path[1], .read, who)
        return APIResponse(200, try await store.read { try Explanation(tree: tree, rows: $0).document() })
      case ("GET", ["floating-ips"], _):
        try who.check(.administer, project: nil)
        return APIResponse(200, try await floatingList())
      case ("PUT", let path, 3) where path[0] == "floating-ips":
        return try await associate(path[1], request, who)
      case ("DELETE", let path, 3) where path[0] == "floating-ips":
        try await keeper().disassociate(try await tree(path[1], .write, who).id)
        return APIResponse(204)
      default: throw APIError.noRoute()
      }
    } catch let error as APIError {
      return APIResponse(error)
    } catch {
      return APIResponse(APIError(500, "\(error)"))
    }
  }

  private func tree(_ id: String, _ action: Identity.Action, _ who: Identity) async throws -> Tree {
    let found = try await store.read { rows in
      try rows.tree(id)
        ?? rows.records(.loadBalancer).first {
          $0.text("name") == id && (who.seesEverything || $0["project_id"].string == who.project)
        }.flatMap { try rows.tree($0.id) }
    }
    guard let found else { throw APIError.notFound(Kind.loadBalancer.title, id) }
    try who.check(action, project: found.loadBalancer["project_id"].string)
    return found
  }

  private func hostList() async throws -> JSON {
    let rows = try await store.read { try $0.hosts() }
    return .object([
      "hosts": .array(
        hosts.map { name in
          let row = rows.first { $0.name == name }
          return .object([
            "name": .string(name),
            "state": .string(row.map { $0.amphora == nil ? "QUARANTINE" : "TAKEN" } ?? "FREE"),
            "amphora": .optional(row?.amphora), "since": .optional(row?.since.text),
            "reason": .optional(row.flatMap { $0.reason.isEmpty ? nil : $0.reason }),
          ])
        })
    ])
  }

  private func keeper() throws -> FloatingKeeper {
    guard let floating else {
      throw APIError(501, "This controller has no node for floating addresses: its file has no floating-ips.")
    }
    return floating
  }

  private func floatingList() async throws -> JSON {
    let rows = try await store.read { try $0.floating() }
    return .object([
      "floating_ips": .array(
        rows.map { row in
          .object([
            "load_balancer": .string(row.tree), "address": .string(row.address), "vip_address": .string(row.fixed),
            "trouble": .optional(row.trouble),
          ])
        })
    ])
  }

  private func associate(_ id: String, _ request: APIRequest, _ who: Identity) async throws -> APIResponse {
    let tree = try await tree(id, .write, who)
    var address: String?
    var pool: String?
    if !request.body.isEmpty {
      guard case .object(let body)? = try? JSON(parsing: request.body) else {
        throw APIError(400, "Not a JSON object.")
      }
      address = body["address"]?.string
      pool = body["pool"]?.string
    }
    let chosen = try await keeper().associate(
      tree.id, vip: tree.loadBalancer.text("vip_address"), address: address, pool: pool)
    return APIResponse(
      200,
      .object([
        "load_balancer": .string(tree.id), "address": .string(chosen), "vip_address": tree.loadBalancer["vip_address"],
      ]))
  }
}

extension HealthManager {
  func report() -> JSON {
    let counters = counters.withLockedValue { $0 }
    let refused = Heartbeat.Refusal.allCases.map { ($0.rawValue, JSON.int(counters.refused[$0] ?? 0)) }
    return .object([
      "taken": .int(counters.taken), "incomplete": .int(counters.incomplete), "overflow": .int(counters.overflow),
      "refused": .object(JSONObject(refused)), "claimed": .int(counters.claimed), "held_back": .int(counters.heldBack),
      "waiting": .int(queue.withLockedValue { $0.count }),
    ])
  }
}
