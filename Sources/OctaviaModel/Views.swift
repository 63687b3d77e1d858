// Records as clients see them.

extension Tree {
  /// The resource with the identifiers of its neighbours.
  package func view(_ record: Record) -> JSONObject {
    var lists = JSONObject()
    switch record.kind {
    case .loadBalancer:
      lists["listeners"] = identifiers(all(.listener))
      lists["pools"] = identifiers(all(.pool))
    case .listener:
      lists["loadbalancers"] = identifiers([loadBalancer])
      lists["l7policies"] = identifiers(policies(of: record.id))
    case .pool:
      lists["loadbalancers"] = identifiers([loadBalancer])
      lists["listeners"] = identifiers(listeners(using: record.id))
      lists["members"] = identifiers(all(.member, "pool_id", record.id))
      if let monitor = healthMonitor(of: record.id) { lists["healthmonitor_id"] = .string(monitor.id) }
    case .healthMonitor:
      lists["pools"] = identifiers([self[record.text("pool_id")]].compactMap(\.self))
    case .policy:
      lists["rules"] = identifiers(all(.rule, "l7policy_id", record.id))
    default: break
    }
    return record.view(with: lists)
  }

  private func identifiers(_ records: [Record]) -> JSON { .array(records.map { .object(["id": .string($0.id)]) }) }

  /// The load balancer with everything in it, as its create request is answered. What is nested comes first.
  package func fullView() -> JSONObject {
    var view = JSONObject([
      ("listeners", .array(all(.listener).map { .object(full(listener: $0)) })),
      ("pools", .array(all(.pool).map { .object(full(pool: $0)) })),
    ])
    view.merge(self.view(loadBalancer).without(["listeners", "pools"]))
    return view
  }

  private func full(listener: Record) -> JSONObject {
    var view = JSONObject([
      ("l7policies", .array(policies(of: listener.id).map { .object(full(policy: $0)) }))
    ])
    view.merge(self.view(listener).without(["l7policies", "loadbalancers"]))
    return view
  }

  private func full(policy: Record) -> JSONObject {
    var view = JSONObject([
      ("rules", .array(all(.rule, "l7policy_id", policy.id).map { .object(self.view($0)) }))
    ])
    view.merge(self.view(policy).without(["rules"]))
    return view
  }

  private func full(pool: Record) -> JSONObject {
    var view = JSONObject([
      ("members", .array(all(.member, "pool_id", pool.id).map { .object(self.view($0)) }))
    ])
    if let monitor = healthMonitor(of: pool.id) {
      view["healthmonitor"] = .object(self.view(monitor).without(["pools"]))
    }
    view.merge(self.view(pool).without(["members", "loadbalancers", "healthmonitor_id"]))
    return view
  }

  /// `/status`: names and states only.
  package func statusView() -> JSON {
    func line(_ record: Record, _ more: [(String, JSON)] = []) -> JSON {
      let base = ["id", "name", "operating_status", "provisioning_status"].map { ($0, record[$0]) }
      return .object(JSONObject(base + more))
    }
    let listeners: [JSON] = all(.listener).map { listener in
      let pools: [JSON] = pools(of: listener).map { pool in
        let members: [JSON] = all(.member, "pool_id", pool.id).map {
          line($0, [("address", $0["address"]), ("protocol_port", $0["protocol_port"])])
        }
        let monitor = healthMonitor(of: pool.id).map { [("health_monitor", line($0, [("type", $0["type"])]))] } ?? []
        return line(pool, monitor + [("members", .array(members))])
      }
      return line(listener, [("pools", .array(pools))])
    }
    return .object(["loadbalancer": line(loadBalancer, [("listeners", .array(listeners))])])
  }
}

extension Record {
  /// The fields that are shown, in their order; `lists` are those that the tree knows.
  package func view(with lists: JSONObject = JSONObject()) -> JSONObject {
    var view: [(String, JSON)] = []
    for field in kind.schema.fields where field.places.contains(.shown) {
      if let list = lists[field.name] {
        view.append((field.name, list))
      } else if field.name != "healthmonitor_id" {
        view.append((field.name, fields[field.name] ?? .null))
      }
    }
    if kind.schema.accepts("project_id", in: .shown) != nil { view.append(("tenant_id", self["project_id"])) }
    return JSONObject(view)
  }
}

extension JSONObject {
  func without(_ keys: Set<String>) -> JSONObject {
    JSONObject(members.filter { !keys.contains($0.key) }.map { ($0.key, $0.value) })
  }
}
