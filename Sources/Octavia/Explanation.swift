internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// What the API of OpenStack has no words for: why a load balancer has its status and what runs now, heartbeats, hosts,
/// floating addresses. The same people may ask as there.
struct Explanation: Sendable {
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
      case ("GET", let path, 3) where path[0] == "explain": return try await explain(path[1], who)
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

  private func explain(_ id: String, _ who: Identity) async throws -> APIResponse {
    let tree = try await tree(id, .read, who)
    let document = try await store.read { rows -> JSON in
      let amphorae: [JSON] = try tree.amphorae.map { amphora in
        let heard = try rows.lastHeard(amphora.id)
        return .object([
          "id": .string(amphora.id), "role": amphora["role"], "status": amphora["status"],
          "address": amphora["lb_network_ip"], "last_heard": .optional(heard?.updated.text),
          "being_replaced": .bool(heard?.busy ?? false), "failed_failovers": .int(heard?.failures ?? 0),
          "next_try": .optional((heard?.failures ?? 0) > 0 ? heard?.notBefore.text : nil),
        ])
      }
      var flow = JSON.null
      if let claim = try rows.flow(of: tree.id) {
        flow = .object([
          "goal": .string(claim.flow.goal.rawValue), "direction": .string(claim.flow.direction.rawValue),
          "done": .strings(claim.flow.steps.prefix(claim.flow.cursor).map(\.text)),
          "to_do": .strings(claim.flow.steps.dropFirst(claim.flow.cursor).map(\.text)),
          "failure": .optional(claim.flow.failure), "worker": .optional(claim.owner),
        ])
      }
      let events: [JSON] = try rows.events(tree.id, limit: 50).map {
        .object(["at": .string($0.at.text), "text": .string($0.text)])
      }
      return .object([
        "load_balancer": .string(tree.id), "name": tree.loadBalancer["name"],
        "provisioning_status": tree.loadBalancer["provisioning_status"],
        "operating_status": tree.loadBalancer["operating_status"],
        "floating_ip": .optional(try rows.floating().first { $0.tree == tree.id && $0.isWanted }?.address),
        "why": .strings(reasons(tree)), "flow": flow, "amphorae": .array(amphorae), "events": .array(events),
      ])
    }
    return APIResponse(200, document)
  }

  private func reasons(_ tree: Tree) -> [String] {
    var reasons: [String] = []
    let balancer = tree.loadBalancer
    if balancer.provisioning == .error { reasons.append("a flow failed: \(balancer["failure"].string ?? "unknown")") }
    if balancer.provisioning.isPending { reasons.append("a flow is under way") }
    if !balancer.isEnabled { reasons.append("it is administratively down") }
    for record in tree.records where record.kind.isChild {
      let name = "\(record.kind.title.lowercased()) \(record.text("name").isEmpty ? record.id : record.text("name"))"
      switch record.operating {
      case .error: reasons.append("\(name) is in error")
      case .degraded: reasons.append("\(name) is degraded")
      case .draining: reasons.append("\(name) is draining")
      default: break
      }
      if record.provisioning == .error { reasons.append("\(name) could not be provisioned") }
    }
    let missing = tree.topology.roles.count - tree.amphorae.count
    if missing > 0 { reasons.append("\(missing) of its amphorae \(missing == 1 ? "is" : "are") missing") }
    return reasons.isEmpty ? ["nothing is wrong"] : reasons
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
