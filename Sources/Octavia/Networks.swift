package import Model
package import OctaviaModel

/// Where addresses come from: this controller's own networks, or Neutron.
package protocol Networks: Sendable {
  /// Fills in the VIP of a create request: network, subnet, address and port, for the load balancer `owner`.
  func plugVIP(_ body: JSONObject, owner: String) async throws -> JSONObject
  /// An address on a subnet for an amphora; the same one when asked again.
  func port(owner: String, purpose: String, subnet: String) async throws -> Rows.Port
  /// All that the owner holds is free again.
  func release(owner: String) async throws
  func subnet(_ id: String) async throws -> Subnet?
  /// These may be answered for at the port, too.
  func allow(_ addresses: [String], on port: String) async throws
  /// What clients look names up in; nil: they have a network service of their own.
  var catalog: [Network]? { get }
}

extension Networks {
  package func allow(_ addresses: [String], on port: String) async throws {}
}

package struct Network: Sendable, Hashable {
  package var id: String
  package var name: String
  /// The host's bridge.
  package var bridge: String
  package var subnets: [Subnet]
}

package struct Subnet: Sendable, Hashable {
  package var id: String
  package var name: String
  package var network: String
  package var bridge: String
  package var prefix: IPPrefix
  package var gateway: IPAddress?
  package var first: IPAddress
  package var last: IPAddress
}

/// Networks that this controller owns: bridges of this host, with addresses given out of its own database.
package struct LocalNetworks: Networks {
  let store: Store
  let networks: [Network]
  let makeID: @Sendable () -> String

  package init(store: Store, networks: [Network], makeID: @escaping @Sendable () -> String) {
    self.store = store
    self.networks = networks
    self.makeID = makeID
  }

  package var catalog: [Network]? { networks }

  package func subnet(_ id: String) async throws -> Subnet? {
    networks.lazy.flatMap(\.subnets).first { $0.id == id || $0.name == id }
  }

  package func plugVIP(_ body: JSONObject, owner: String) async throws -> JSONObject {
    var body = body
    let subnet = try await vipSubnet(body)
    if let network = body["vip_network_id"]?.string, network != subnet.network {
      throw APIError.validation("Supplied network does not contain a subnet.")
    }
    body["vip_network_id"] = .string(subnet.network)
    body["vip_subnet_id"] = .string(subnet.id)
    let port = try await take(subnet, owner: owner, purpose: "vip", wanted: body["vip_address"]?.string)
    body["vip_address"] = .string(port.address)
    body["vip_port_id"] = .string(port.id)
    var seen: Set<String> = [subnet.id]
    var extra: [JSON] = []
    for (index, vip) in (body["additional_vips"]?.array ?? []).enumerated() {
      let id = vip["subnet_id"].string ?? ""
      guard seen.insert(id).inserted else {
        throw APIError.validation("Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.")
      }
      guard let other = try await self.subnet(id) else { throw APIError.validation("Subnet \(id) not found") }
      guard other.network == subnet.network else {
        throw APIError.validation("All VIP subnets must belong to the same network.")
      }
      let port = try await take(other, owner: owner, purpose: "vip \(index + 1)", wanted: vip["ip_address"].string)
      extra.append(
        .object(["subnet_id": .string(other.id), "ip_address": .string(port.address), "port_id": .string(port.id)]))
    }
    body["additional_vips"] = .array(extra)
    return body
  }

  private func vipSubnet(_ body: JSONObject) async throws -> Subnet {
    if let id = body["vip_subnet_id"]?.string {
      guard let subnet = try await subnet(id) else { throw APIError.validation("Subnet \(id) not found.") }
      return subnet
    }
    if let id = body["vip_network_id"]?.string {
      guard let network = networks.first(where: { $0.id == id }) else {
        throw APIError.validation("Network \(id) not found.")
      }
      if let address = body["vip_address"]?.string.flatMap({ IPAddress($0) }) {
        guard let subnet = network.subnets.first(where: { $0.prefix.contains(address) }) else {
          throw APIError.validation("Supplied network does not contain a subnet for VIP address specified.")
        }
        return subnet
      }
      guard let subnet = network.subnets.first(where: { $0.prefix.address.family == .v4 }) ?? network.subnets.first
      else {
        throw APIError.validation("Supplied network does not contain a subnet.")
      }
      return subnet
    }
    if let id = body["vip_port_id"]?.string { throw APIError.validation("Port \(id) not found.") }
    throw APIError.validation("VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.")
  }

  package func port(owner: String, purpose: String, subnet: String) async throws -> Rows.Port {
    guard let subnet = try await self.subnet(subnet) else { throw APIError.validation("Subnet \(subnet) not found.") }
    return try await take(subnet, owner: owner, purpose: purpose, wanted: nil)
  }

  private func take(_ subnet: Subnet, owner: String, purpose: String, wanted: String?) async throws -> Rows.Port {
    let id = makeID()
    let wanted = try wanted.map { text in
      guard let address = IPAddress(text), subnet.prefix.contains(address) else {
        throw APIError.validation("IP address \(text) is not valid for subnet \(subnet.id).")
      }
      return address.description
    }
    return try await store.write { rows in
      if let port = try rows.port(owner: owner, purpose: purpose, subnet: subnet.id) { return port }
      let taken = try rows.takenAddresses(subnet: subnet.id)
      let address = wanted ?? subnet.free(taken)
      guard let address else { throw APIError.validation("No more IP addresses available on subnet \(subnet.id).") }
      if taken.contains(address) {
        throw APIError(409, "The VIP IP address is already in use: \(address)")
      }
      let port = Rows.Port(id: id, subnet: subnet.id, address: address)
      try rows.insert(port, owner: owner, purpose: purpose)
      return port
    }
  }

  package func release(owner: String) async throws {
    try await store.write { try $0.releasePorts(owner: owner) }
  }
}

extension Subnet {
  func free(_ taken: Set<String>) -> String? {
    var address = first
    while address < last || address == last {
      if address != gateway, !taken.contains(address.description) { return address.description }
      address = address.successor
    }
    return nil
  }
}

extension IPAddress {
  var successor: IPAddress {
    family == .v4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: low) &+ 1) : IPAddress(v6: low == .max ? high &+ 1 : high, low &+ 1)
  }
}
