internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// Hands its value out once.
final class Latch: Sendable {
  private let value: NIOLockedValueBox<String?>
  init(_ value: String) { self.value = NIOLockedValueBox(value) }
  func take() -> String? {
    value.withLockedValue { value in
      defer { value = nil }
      return value
    }
  }
}

// Provider, flavor and availability zone of a new load balancer.
extension API {
  struct Choice: Sendable {
    var provider: Provider
    var topology: Deployment.Topology
  }

  func choose(_ body: JSONObject, _ rows: Rows) throws -> Choice {
    let named = body["provider"]?.string
    var provider = deployment.provider
    if let named {
      guard let known = Provider(rawValue: named) else { throw APIError(400, "Provider '\(named)' is not enabled.") }
      provider = known
    }
    var topology = deployment.topology
    if let id = body["flavor_id"]?.string {
      guard let flavor = try rows.record(.flavor, id),
        let profile = try rows.record(.flavorProfile, flavor.text("flavor_profile_id"))
      else { throw APIError.validation("Invalid flavor_id.") }
      if !flavor.flag("enabled") { throw APIError.disabled(id, "flavor") }
      let own = Provider(rawValue: profile.text("provider_name"))
      if let named, own?.canonical != provider.canonical {
        throw APIError(400, "Flavor '\(id)' is not compatible with provider '\(named)'")
      }
      provider = own ?? provider
      if case .object(let data)? = try? JSON(parsing: profile.text("flavor_data")) {
        try provider.validate(data, Provider.flavorCapabilities)
        topology = data["loadbalancer_topology"]?.string.flatMap(Deployment.Topology.init) ?? topology
      }
    }
    if let name = body["availability_zone"]?.string {
      guard let zone = try rows.record(.zone, name) else { throw APIError.validation("Invalid availability zone.") }
      if !zone.flag("enabled") { throw APIError.disabled(name, "availability_zone") }
    }
    return Choice(provider: provider, topology: topology)
  }
}
