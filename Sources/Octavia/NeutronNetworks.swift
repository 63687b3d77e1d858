internal import Model
package import OctaviaModel

/// Addresses out of Neutron: a port for each VIP and for each place of an amphora. A port's name says whose it is, so
/// that nothing is lost with a controller that dies after it has made one.
struct NeutronNetworks: Networks {
  let api: CloudAPI
  let settings: NovaSettings

  var catalog: [Network]? { nil }

  private func vipName(_ owner: String) -> String { "octavia-lb-\(owner)" }
  private func portName(_ owner: String) -> String { "octavia-\(owner)" }

  func subnet(_ id: String) async throws -> Subnet? {
    let answer = try await api.send("GET", .network, "subnets/\(id)", allowing: [404])
    let found = answer.document["subnet"]
    guard answer.status == 200, let network = found["network_id"].string,
      let prefix = found["cidr"].string.flatMap({ IPPrefix($0) })
    else { return nil }
    return Subnet(
      id: id, name: found["name"].string ?? "", network: network, bridge: "", prefix: prefix,
      gateway: found["gateway_ip"].string.flatMap { IPAddress($0) }, first: prefix.address, last: prefix.lastHost)
  }

  // MARK: VIPs

  func plugVIP(_ body: JSONObject, owner: String) async throws -> JSONObject {
    var body = body
    if let id = body["vip_port_id"]?.string { return try await adopt(id, body) }
    let main = try await vipSubnet(body)
    if let network = body["vip_network_id"]?.string, network != main.network {
      throw APIError.validation("Supplied network does not contain a subnet.")
    }
    var places = [place(main.id, body["vip_address"]?.string)]
    var seen: Set<String> = [main.id]
    for vip in body["additional_vips"]?.array ?? [] {
      let id = vip["subnet_id"].string ?? ""
      guard seen.insert(id).inserted else {
        throw APIError.validation("Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.")
      }
      guard let other = try await subnet(id) else { throw APIError.validation("Subnet \(id) not found") }
      guard other.network == main.network else {
        throw APIError.validation("All VIP subnets must belong to the same network.")
      }
      places.append(place(id, vip["ip_address"].string))
    }
    var port = JSONObject([
      ("name", .string(vipName(owner))), ("network_id", .string(main.network)), ("fixed_ips", .array(places)),
      ("admin_state_up", false), ("device_id", .string("lb-\(owner)")), ("device_owner", "Octavia"),
    ])
    if !settings.vipSecurityGroups.isEmpty { port["security_groups"] = .strings(settings.vipSecurityGroups) }
    let answer = try await api.send(
      "POST", .network, "ports", .object(["port": .object(port)]), allowing: [400, 403, 404, 409])
    let made = answer.document["port"]
    guard answer.status < 400, let id = made["id"].string else {
      let reason = answer.document["NeutronError"]["message"].string ?? "The network service refuses the port."
      // What Neutron says to the client's own wish is the client's to read.
      throw answer.status == 409 || answer.status == 403 ? APIError(answer.status, reason) : APIError.validation(reason)
    }
    func address(_ subnet: String) -> JSON {
      (made["fixed_ips"].array ?? []).first { $0["subnet_id"].string == subnet }?["ip_address"] ?? .null
    }
    body["vip_network_id"] = .string(main.network)
    body["vip_subnet_id"] = .string(main.id)
    body["vip_address"] = address(main.id)
    body["vip_port_id"] = .string(id)
    body["additional_vips"] = .array(
      (body["additional_vips"]?.array ?? []).map { vip in
        let subnet = vip["subnet_id"].string ?? ""
        return .object(["subnet_id": .string(subnet), "ip_address": address(subnet), "port_id": .string(id)])
      })
    return body
  }

  private func place(_ subnet: String, _ address: String?) -> JSON {
    var place = JSONObject([("subnet_id", .string(subnet))])
    if let address { place["ip_address"] = .string(address) }
    return .object(place)
  }

  /// A port of the client's own: it is never deleted here.
  private func adopt(_ id: String, _ body: JSONObject) async throws -> JSONObject {
    let answer = try await api.send("GET", .network, "ports/\(id)", allowing: [404])
    let port = answer.document["port"]
    guard answer.status == 200, let first = port["fixed_ips"].array?.first else {
      throw APIError.validation("Port \(id) not found.")
    }
    var body = body
    body["vip_network_id"] = port["network_id"]
    body["vip_subnet_id"] = first["subnet_id"]
    body["vip_address"] = first["ip_address"]
    return body
  }

  private func vipSubnet(_ body: JSONObject) async throws -> Subnet {
    if let id = body["vip_subnet_id"]?.string {
      guard let subnet = try await subnet(id) else { throw APIError.validation("Subnet \(id) not found.") }
      return subnet
    }
    guard let id = body["vip_network_id"]?.string else {
      throw APIError.validation("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
    }
    let answer = try await api.send("GET", .network, "networks/\(id)", allowing: [404])
    guard answer.status == 200 else { throw APIError.validation("Network \(id) not found.") }
    var subnets: [Subnet] = []
    for id in answer.document["network"]["subnets"].strings {
      if let subnet = try await subnet(id) { subnets.append(subnet) }
    }
    if let address = body["vip_address"]?.string.flatMap({ IPAddress($0) }) {
      guard let subnet = subnets.first(where: { $0.prefix.contains(address) }) else {
        throw APIError.validation("Supplied network does not contain a subnet for VIP address specified.")
      }
      return subnet
    }
    guard let subnet = subnets.first(where: { $0.prefix.address.family == .v4 }) ?? subnets.first else {
      throw APIError.validation("Supplied network does not contain a subnet.")
    }
    return subnet
  }

  // MARK: amphorae

  func port(owner: String, purpose: String, subnet: String) async throws -> Rows.Port {
    let note = "\(purpose) \(subnet)"
    let name = portName(owner)
    let old = try await ports(name).first { $0["description"].string == note }
    if let old, let port = Self.port(old, subnet) { return port }
    guard let place = try await self.subnet(subnet) else { throw StepFailure("network: there is no subnet \(subnet)") }
    var body = JSONObject([
      ("name", .string(name)), ("description", .string(note)), ("network_id", .string(place.network)),
      ("fixed_ips", .array([self.place(subnet, nil)])), ("admin_state_up", true),
    ])
    let groups = purpose == "management" ? settings.securityGroups : settings.vipSecurityGroups
    if !groups.isEmpty { body["security_groups"] = .strings(groups) }
    let made = try await api.send("POST", .network, "ports", .object(["port": .object(body)])).document["port"]
    guard let port = Self.port(made, subnet) else { throw StepFailure("network: a port without an address") }
    return port
  }

  private func ports(_ name: String) async throws -> [JSON] {
    try await api.send("GET", .network, "ports\(CloudAPI.query(["name": name]))").document["ports"].array ?? []
  }

  private static func port(_ found: JSON, _ subnet: String) -> Rows.Port? {
    guard let id = found["id"].string, let address = found["fixed_ips"].array?.first?["ip_address"].string else {
      return nil
    }
    return Rows.Port(id: id, subnet: subnet, address: address)
  }

  func mac(_ port: String) async throws -> String {
    let found = try await api.send("GET", .network, "ports/\(port)").document["port"]["mac_address"].string
    guard let found else { throw StepFailure("network: port \(port) has no hardware address") }
    return found
  }

  func allow(_ addresses: [String], on port: String) async throws {
    let pairs: JSON = .array(addresses.map { .object(["ip_address": .string($0)]) })
    try await api.send(
      "PUT", .network, "ports/\(port)", .object(["port": .object(["allowed_address_pairs": pairs])]))
  }

  func release(owner: String) async throws {
    for name in [portName(owner), vipName(owner)] {
      for port in try await ports(name) where port["name"].string == name {
        try await api.send("DELETE", .network, "ports/\(port["id"].string ?? "")", allowing: [404])
      }
    }
  }
}
