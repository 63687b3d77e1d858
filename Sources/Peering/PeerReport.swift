/// Something that a node says of itself; what it does not repeat in its set, it has taken back.
package enum PeerReport: Hashable, Sendable {
  case node(NodeFacts)
  case pool(String, PoolFacts)
  case announcement(String, AnnouncementFacts)
  case vip(String, VIPFacts)
  case verdict(String, VerdictFacts)
  /// Of a kind that only newer nodes know.
  case other(PeerReportKey, [UInt8])

  package struct NodeFacts: Hashable, Sendable {
    package enum Phase: UInt8, Sendable { case starting, serving, draining }

    /// What this node itself hears, so that others can count who hears whom.
    package struct Link: Hashable, Sendable {
      package var name: String
      package var isUp: Bool

      package init(name: String, isUp: Bool) {
        self.name = name
        self.isUp = isUp
      }
    }

    package var phase: Phase
    /// Of its World.
    package var generation: UInt64
    package var links: [Link]

    package init(phase: Phase, generation: UInt64, links: [Link]) {
      self.phase = phase
      self.generation = generation
      self.links = links
    }
  }

  package struct PoolFacts: Hashable, Sendable {
    /// Backends that take traffic, and all.
    package var up: UInt32
    package var total: UInt32
    /// Connections and requests under way.
    package var inFlight: UInt32
    /// What those that are up may have under way; 0: unlimited.
    package var capacity: UInt32

    package init(up: UInt32, total: UInt32, inFlight: UInt32, capacity: UInt32) {
      self.up = up
      self.total = total
      self.inFlight = inFlight
      self.capacity = capacity
    }
  }

  package struct AnnouncementFacts: Hashable, Sendable {
    package enum State: UInt8, Sendable { case withdrawn, degraded, announced }

    package var state: State
    /// Its conditions hold no more: it is announced only because no other site does.
    package var isLast: Bool
    /// Milliseconds since 1970, by the reporting node's clock.
    package var since: UInt64
    package var reason: String
    /// It asks under this number whether another site stays; 0: it does not ask.
    package var wish: UInt32 = 0
    /// Whose wishes it has granted.
    package var promises: [Promise] = []

    package struct Promise: Hashable, Sendable {
      package var node: String
      package var wish: UInt32

      package init(node: String, wish: UInt32) {
        self.node = node
        self.wish = wish
      }
    }

    package init(state: State, isLast: Bool, since: UInt64, reason: String) {
      self.state = state
      self.isLast = isLast
      self.since = since
      self.reason = reason
    }
  }

  package struct VIPFacts: Hashable, Sendable {
    package enum State: UInt8, Sendable { case stopped, backup, owner, fault }

    package var state: State
    package var priority: UInt8
    package var since: UInt64

    package init(state: State, priority: UInt8, since: UInt64) {
      self.state = state
      self.priority = priority
      self.since = since
    }
  }

  /// What the node observed of something that others may observe too: an address, a site.
  package struct VerdictFacts: Hashable, Sendable {
    package enum State: UInt8, Sendable { case unknown, up, down }

    package var state: State
    package var since: UInt64
    package var reason: String

    package init(state: State, since: UInt64, reason: String) {
      self.state = state
      self.since = since
      self.reason = reason
    }
  }
}

/// What a report is about; of each there is one.
package struct PeerReportKey: Hashable, Sendable {
  package var kind: UInt8
  package var name: String

  package init(kind: UInt8, name: String) {
    self.kind = kind
    self.name = name
  }

  package static let node: UInt8 = 1
  package static let pool: UInt8 = 2
  package static let announcement: UInt8 = 3
  package static let vip: UInt8 = 4
  package static let verdict: UInt8 = 5
}

extension PeerReport {
  package var key: PeerReportKey {
    switch self {
    case .node: PeerReportKey(kind: PeerReportKey.node, name: "")
    case .pool(let name, _): PeerReportKey(kind: PeerReportKey.pool, name: name)
    case .announcement(let name, _): PeerReportKey(kind: PeerReportKey.announcement, name: name)
    case .vip(let name, _): PeerReportKey(kind: PeerReportKey.vip, name: name)
    case .verdict(let name, _): PeerReportKey(kind: PeerReportKey.verdict, name: name)
    case .other(let key, _): key
    }
  }
}
