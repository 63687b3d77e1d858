/// What a field's value may be.
package indirect enum FieldType: Sendable {
  case uuid
  case text(max: Int, min: Int = 0, pattern: Pattern? = nil)
  case bool
  case int(min: Int? = nil, max: Int? = nil)
  case decimal([Double])
  case choice([String])
  case number([Int])
  case address
  case cidr
  case url
  case path
  case alpn
  case list(FieldType)
  case map(FieldType)
  /// An object of its own shape.
  case part(Schema)
  /// Another resource, created with this one; in answers, its identifier.
  case nested(Kind)
  case date
}

/// The regular expressions of the API, by the text that a refusal quotes.
package struct Pattern: Sendable {
  package var text: String
  package var matches: @Sendable (String) -> Bool
}

/// One field of a resource, and where it may appear.
package struct Field: Sendable {
  package struct Places: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// In answers.
    package static let shown = Places(rawValue: 1)
    /// In a create request; in one, always.
    package static let create = Places(rawValue: 2)
    package static let required = Places(rawValue: 4)
    /// In an update.
    package static let update = Places(rawValue: 8)
    /// When the resource is created inside another one.
    package static let nested = Places(rawValue: 16)
  }

  package var name: String
  package var type: FieldType
  package var places: Places
  /// What a create request that does not name it means.
  package var byDefault: JSON?

  /// - Parameter places: r shown, c create, ! required, u update, n nested.
  init(_ name: String, _ type: FieldType, _ places: String, _ byDefault: JSON? = nil) {
    self.name = name
    self.type = type
    self.byDefault = byDefault
    self.places = []
    for letter in places {
      switch letter {
      case "r": self.places.insert(.shown)
      case "c": self.places.insert(.create)
      case "!": self.places.insert(.required)
      case "u": self.places.insert(.update)
      default: self.places.insert(.nested)
      }
    }
  }
}

/// The fields of a resource, in the order in which answers have them.
package struct Schema: Sendable {
  package var fields: [Field]

  package func accepts(_ name: String, in place: Field.Places) -> Field? {
    fields.first { $0.name == name && $0.places.contains(place) }
  }
}

/// Every resource of the API.
package enum Kind: String, Hashable, Sendable, CaseIterable {
  case loadBalancer = "loadbalancer"
  case listener, pool, member
  case healthMonitor = "healthmonitor"
  case policy = "l7policy"
  case rule = "l7rule"
  case amphora, flavor
  case flavorProfile = "flavorprofile"
  case zone = "availability_zone"
  case zoneProfile = "availability_zone_profile"
  case quota

  /// Its name in messages.
  package var title: String {
    switch self {
    case .loadBalancer: "Load Balancer"
    case .listener: "Listener"
    case .pool: "Pool"
    case .member: "Member"
    case .healthMonitor: "Health Monitor"
    case .policy: "L7 Policy"
    case .rule: "L7 Rule"
    case .amphora: "Amphora"
    case .flavor: "Flavor"
    case .flavorProfile: "Flavor Profile"
    case .zone: "Availability Zone"
    case .zoneProfile: "Availability Zone Profile"
    case .quota: "Quota"
    }
  }

  /// The key of one resource in bodies, and that of a list.
  package var root: String { self == .rule ? "rule" : rawValue }
  package var roots: String {
    switch self {
    case .policy: "l7policies"
    case .amphora: "amphorae"
    default: "\(root)s"
    }
  }
  /// The key of a list's links; two of them have always been singular.
  package var linksKey: String {
    switch self {
    case .flavorProfile, .zoneProfile: "\(root)_links"
    default: "\(roots)_links"
    }
  }
  /// What "Unknown attribute" calls the request's body.
  package var argument: String {
    switch self {
    case .loadBalancer: "load_balancer"
    case .healthMonitor: "health_monitor_"
    case .flavorProfile: "flavor_profile_"
    case .quota: "quotas"
    default: "\(root)_"
    }
  }
  /// Whether it lives inside a load balancer and goes through its states.
  package var isChild: Bool {
    switch self {
    case .listener, .pool, .member, .healthMonitor, .policy, .rule: true
    default: false
    }
  }
  /// The key in the record that names the resource that this one belongs to.
  package var parentKey: String? {
    switch self {
    case .listener, .pool, .amphora: "load_balancer_id"
    case .member, .healthMonitor: "pool_id"
    case .policy: "listener_id"
    case .rule: "l7policy_id"
    default: nil
    }
  }
}
