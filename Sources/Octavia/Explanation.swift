internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// Why a load balancer has its status, and what runs now: `sluice controller explain`.
struct Explanation: Sendable {
  let store: Store
  let health: HealthManager

  func answer(_ request: APIRequest) async -> APIResponse {
    do {
      switch request.path {
      case ["sluice", "health"]: return APIResponse(200, health.report())
      case _ where request.path.count == 3 && request.path[1] == "explain": return try await explain(request.path[2])
      default: throw APIError.noRoute()
      }
    } catch let error as APIError {
      return APIResponse(error)
    } catch {
      return APIResponse(APIError(500, "\(error)"))
    }
  }

  private func explain(_ id: String) async throws -> APIResponse {
    let document = try await store.read { rows -> JSON in
      let found =
        try rows.tree(id)
        ?? rows.records(.loadBalancer).first { $0.text("name") == id }.flatMap { try rows.tree($0.id) }
      guard let tree = found else { throw APIError.notFound(Kind.loadBalancer.title, id) }
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
