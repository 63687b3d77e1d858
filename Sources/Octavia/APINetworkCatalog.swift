internal import Model
internal import OctaviaModel

// Clients look up subnets by name before they create a load balancer. Where there is no Neutron they ask here, and
// get what this controller's own networks are.
extension API {
  func networkCatalog(_ request: APIRequest, _ name: String, _ path: [String]) async throws -> APIResponse? {
    guard let catalog = networks.catalog, request.method == "GET" else { return nil }
    let all: [JSONObject]
    let singular: String
    switch name {
    case "networks":
      singular = "network"
      all = catalog.map { network in
        JSONObject([
          ("id", .string(network.id)), ("name", .string(network.name)), ("status", "ACTIVE"), ("admin_state_up", true),
          ("subnets", .strings(network.subnets.map(\.id))), ("shared", true),
        ])
      }
    case "subnets":
      singular = "subnet"
      all = catalog.flatMap(\.subnets).map { subnet in
        JSONObject([
          ("id", .string(subnet.id)), ("name", .string(subnet.name)), ("network_id", .string(subnet.network)),
          ("cidr", .string(subnet.prefix.description)),
          ("ip_version", .int(subnet.prefix.address.family == .v4 ? 4 : 6)),
          ("gateway_ip", .optional(subnet.gateway?.description)), ("enable_dhcp", false),
        ])
      }
    case "ports", "security-groups", "policies":
      singular = name
      all = []
    default: return nil
    }
    if let id = path.first {
      guard let found = all.first(where: { $0["id"] == .string(id) }) else {
        throw APIError(404, "\(singular) \(id) not found.")
      }
      return APIResponse(200, .object([singular: .object(found)]))
    }
    let shown = all.filter { view in
      request.query.allSatisfy { name, value in
        guard name == "id" || name == "name" || name == "network_id" else { return true }
        return view[name] == .string(value)
      }
    }
    return APIResponse(200, .object([name.replacing("-", with: "_"): .array(shown.map { .object($0) })]))
  }
}
