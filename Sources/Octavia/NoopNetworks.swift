package import OctaviaModel

/// No network at all: whatever subnet a client names is there, and addresses lead nowhere. For trying the API, and
/// with the `noop` compute driver only.
package struct NoopNetworks: Networks {
  let store: Store
  let makeID: @Sendable () -> String

  package init(store: Store, makeID: @escaping @Sendable () -> String) {
    self.store = store
    self.makeID = makeID
  }

  package var catalog: [Network]? { [] }

  package func subnet(_ id: String) async throws -> Subnet? { nil }

  package func plugVIP(_ body: JSONObject, owner: String) async throws -> JSONObject {
    var body = body
    guard ["vip_subnet_id", "vip_network_id", "vip_port_id"].contains(where: { body[$0]?.string != nil }) else {
      throw APIError.validation("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
    }
    for name in ["vip_subnet_id", "vip_network_id", "vip_port_id"] where body[name]?.string == nil {
      body[name] = .string(makeID())
    }
    if body["vip_address"]?.string == nil { body["vip_address"] = "198.51.100.1" }
    return body
  }

  package func port(owner: String, purpose: String, subnet: String) async throws -> Rows.Port {
    Rows.Port(id: makeID(), subnet: subnet, address: "198.51.100.2")
  }

  package func release(owner: String) async throws {}
}
