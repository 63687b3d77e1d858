internal import OctaviaModel

/// Why a load balancer has its status, and what runs now.
struct Explanation {
  let tree: Tree
  let rows: Rows

  func document() throws -> JSON {
    let events: [JSON] = try rows.events(tree.id, limit: 50).map {
      .object(["at": .string($0.at.text), "text": .string($0.text)])
    }
    return .object([
      "load_balancer": .string(tree.id), "name": tree.loadBalancer["name"],
      "provisioning_status": tree.loadBalancer["provisioning_status"],
      "operating_status": tree.loadBalancer["operating_status"],
      "floating_ip": .optional(try rows.floating().first { $0.tree == tree.id && $0.isWanted }?.address),
      "why": .strings(reasons()), "flow": try flow(), "amphorae": .array(try tree.amphorae.map(amphora)),
      "events": .array(events),
    ])
  }

  private func amphora(_ amphora: Record) throws -> JSON {
    let heard = try rows.lastHeard(amphora.id)
    return .object([
      "id": .string(amphora.id), "role": amphora["role"], "status": amphora["status"],
      "address": amphora["lb_network_ip"], "last_heard": .optional(heard?.updated.text),
      "being_replaced": .bool(heard?.busy ?? false), "failed_failovers": .int(heard?.failures ?? 0),
      "next_try": .optional((heard?.failures ?? 0) > 0 ? heard?.notBefore.text : nil),
    ])
  }

  private func flow() throws -> JSON {
    guard let claim = try rows.flow(of: tree.id) else { return .null }
    return .object([
      "goal": .string(claim.flow.goal.rawValue), "direction": .string(claim.flow.direction.rawValue),
      "done": .strings(claim.flow.steps.prefix(claim.flow.cursor).map(\.text)),
      "to_do": .strings(claim.flow.steps.dropFirst(claim.flow.cursor).map(\.text)),
      "failure": .optional(claim.flow.failure), "worker": .optional(claim.owner),
    ])
  }

  private func reasons() -> [String] {
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
