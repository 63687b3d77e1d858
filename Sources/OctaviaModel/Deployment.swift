/// What a controller's operator decides for all load balancers.
package struct Deployment: Sendable {
  package enum Topology: String, Hashable, Sendable, CaseIterable {
    case single = "SINGLE"
    case activeStandby = "ACTIVE_STANDBY"

    package var roles: [AmphoraRole] { self == .single ? [.standalone] : [.master, .backup] }
  }

  package var topology = Topology.single
  package var provider = Provider.amphora
  package var timeoutClientData = 50_000
  package var timeoutMemberConnect = 5_000
  package var timeoutMemberData = 50_000
  package var timeoutTCPInspect = 0
  package var reservedAddresses: Set<String> = ["169.254.169.254"]
  package var minimumUDPDelay = 3
  /// Off where no client is told apart from another (`noauth`).
  package var enforcesQuotas = true
  /// Whether a text compiles as a regular expression.
  package var isRegex: @Sendable (String) -> Bool
  /// Whether a certificate container is there.
  package var hasCertificate: @Sendable (String) -> Bool

  package init(
    isRegex: @escaping @Sendable (String) -> Bool = { _ in true },
    hasCertificate: @escaping @Sendable (String) -> Bool = { _ in true }
  ) {
    self.isRegex = isRegex
    self.hasCertificate = hasCertificate
  }
}

/// Who carries a load balancer's traffic.
package enum Provider: String, Hashable, Sendable, CaseIterable {
  case amphora
  /// The old name of `amphora`, which some clients still send.
  case octavia
  /// Amphorae whose data plane is Sluice itself.
  case sluice

  package var description: String {
    switch self {
    case .amphora: "The Octavia Amphora driver."
    case .octavia: "Deprecated alias of the Octavia Amphora driver."
    case .sluice: "Amphorae that carry traffic with Sluice's own data plane."
    }
  }
  /// What load balancers are shown with.
  package var canonical: Provider { self == .octavia ? .amphora : self }
}

extension Provider {
  /// What a flavor or an availability zone may say, with the words that describe it.
  package static let flavorCapabilities = [
    (
      "loadbalancer_topology",
      "The load balancer topology. One of: SINGLE - One amphora per load balancer. ACTIVE_STANDBY - Two amphora per load balancer."
    ),
    ("compute_flavor", "The compute driver flavor ID."), ("amp_image_tag", "The amphora image tag."),
    ("sriov_vip", "When true, the VIP port will be created using an SR-IOV VF port."),
    (
      "allow_member_sriov",
      "When true, users can request a member port be SR-IOV enabled at member creation time."
    ),
  ]
  package static let zoneCapabilities = [
    ("compute_zone", "The compute availability zone."), ("volume_zone", "The volume availability zone."),
    ("management_network", "The management network ID for the amphora."),
    (
      "valid_vip_networks",
      "List of network IDs that are allowed for VIP use. This overrides/replaces the list of allowed networks configured in `octavia.conf`."
    ),
  ]

  /// Refuses what a profile's data may not say.
  package func validate(_ data: JSONObject, _ known: [(String, String)]) throws(APIError) {
    let stray = data.keys.filter { key in !known.contains { $0.0 == key } }
    if !stray.isEmpty {
      let names = stray.map { "'\($0)'" }.joined(separator: ", ")
      throw .unsupported(
        rawValue, "Additional properties are not allowed (\(names) \(stray.count > 1 ? "were" : "was") unexpected)")
    }
    for member in data.members {
      switch (member.key, member.value) {
      case ("loadbalancer_topology", let value):
        guard let text = value.string, Deployment.Topology(rawValue: text) != nil else {
          throw .unsupported(rawValue, "\(quoted(value)) is not one of ['ACTIVE_STANDBY', 'SINGLE']")
        }
      case ("sriov_vip", let value), ("allow_member_sriov", let value):
        guard value.bool != nil else { throw .unsupported(rawValue, "\(quoted(value)) is not of type 'boolean'") }
      case ("valid_vip_networks", let value):
        guard value.array != nil else { throw .unsupported(rawValue, "\(quoted(value)) is not of type 'array'") }
      case (_, let value):
        guard value.string != nil else { throw .unsupported(rawValue, "\(quoted(value)) is not of type 'string'") }
      }
    }
  }

  private func quoted(_ value: JSON) -> String { String(JSON.array([value]).pythonText.dropFirst().dropLast()) }
}
