/// `GET /v1/peers`: the other nodes, and what they last said of themselves.
package struct PeersReport: Codable, Hashable, Sendable {
  package struct Pool: Codable, Hashable, Sendable {
    package var name: String
    package var up: UInt32
    package var total: UInt32
    package var inFlight: UInt32
    /// 0: unlimited.
    package var capacity: UInt32

    package enum CodingKeys: String, CodingKey {
      case name, up, total, capacity
      case inFlight = "in_flight"
    }

    package init(name: String, up: UInt32, total: UInt32, inFlight: UInt32, capacity: UInt32) {
      self.name = name
      self.up = up
      self.total = total
      self.inFlight = inFlight
      self.capacity = capacity
    }
  }

  /// An announcement, a VIP or a verdict.
  package struct Fact: Codable, Hashable, Sendable {
    package var kind: String
    package var name: String
    package var state: String
    package var reason: String

    package init(kind: String, name: String, state: String, reason: String) {
      self.kind = kind
      self.name = name
      self.state = state
      self.reason = reason
    }
  }

  package struct Peer: Codable, Hashable, Sendable {
    package var name: String
    package var address: String
    /// up, down, stale.
    package var link: String
    package var reason: String
    package var sinceSeconds: Double
    package var site: String?
    package var version: String?
    /// starting, serving, draining.
    package var phase: String?
    package var generation: UInt64?
    /// Since anything was heard of it.
    package var ageSeconds: Double?
    package var roundTripMilliseconds: Double?
    /// The peer's clock minus this node's, when it came.
    package var skewMilliseconds: Int64?
    /// Whom it hears.
    package var hears: [String] = []
    package var pools: [Pool] = []
    package var facts: [Fact] = []

    package enum CodingKeys: String, CodingKey {
      case name, address, link, reason, site, version, phase, generation, hears, pools, facts
      case sinceSeconds = "since_s"
      case ageSeconds = "age_s"
      case roundTripMilliseconds = "round_trip_ms"
      case skewMilliseconds = "skew_ms"
    }

    package init(name: String, address: String, link: String, reason: String, sinceSeconds: Double) {
      self.name = name
      self.address = address
      self.link = link
      self.reason = reason
      self.sinceSeconds = sinceSeconds
    }
  }

  /// An operator's word that all nodes share.
  package struct Override: Codable, Hashable, Sendable {
    package var pool: String
    package var backend: String
    /// state, weight.
    package var kind: String
    /// null: a new file made it void.
    package var value: String?
    /// Where it was said, and when, in milliseconds since 1970.
    package var node: String
    package var milliseconds: UInt64

    package enum CodingKeys: String, CodingKey {
      case pool, backend, kind, value, node
      case milliseconds = "time_ms"
    }

    package init(pool: String, backend: String, kind: String, value: String?, node: String, milliseconds: UInt64) {
      self.pool = pool
      self.backend = backend
      self.kind = kind
      self.value = value
      self.node = node
      self.milliseconds = milliseconds
    }
  }

  /// This node; null without a name.
  package var node: String?
  package var site: String?
  package var peers: [Peer]
  package var overrides: [Override]

  package init(node: String?, site: String?, peers: [Peer], overrides: [Override]) {
    self.node = node
    self.site = site
    self.peers = peers
    self.overrides = overrides
  }
}
