/// RFC 9568 §6.4; a VIP with a fault waits in `fault`.
package enum VIPState: String, Hashable, Sendable {
  case fault, backup, active
}

/// How a VIP stands on this node.
package struct VIPStanding: Hashable, Sendable {
  package var name: String
  package var state: VIPState
  package var since: Instant
  /// With weights, group and hand-over.
  package var priority: Int
  /// Why it is in `fault`, or what takes weight off.
  package var failing: [String] = []
  package var handover: VIPHandover?
  /// While backup: the active node that was heard last.
  package var lastHeard: IPAddress?
  package var source: IPAddress?
  /// Addresses that are on the interface now.
  package var held: [IPAddress] = []
  package var transitions = 0
  package var counters = VIPCounters()
  package var budget: VIPBudget

  package init(name: String, state: VIPState, since: Instant, priority: Int, budget: VIPBudget) {
    self.name = name
    self.state = state
    self.since = since
    self.priority = priority
    self.budget = budget
  }
}

package struct VIPCounters: Hashable, Sendable {
  package var sent: UInt64 = 0
  package var accepted: UInt64 = 0
  /// Adverts that were dropped, by reason; reasons that never were are left out.
  package var dropped: [String: UInt64] = [:]
  /// Gratuitous ARPs and unsolicited Neighbour Advertisements.
  package var announcements: UInt64 = 0
  /// Adverts that could not be sent.
  package var unsent: UInt64 = 0

  package init() {}
}

/// How long the address is away in the worst case, by this node's configuration as the one that takes over.
package struct VIPBudget: Hashable, Sendable {
  package var crash: String
  package var cleanStop: String
  package var crashTotal: Duration
  package var cleanStopTotal: Duration

  package init(crash: String, cleanStop: String, crashTotal: Duration, cleanStopTotal: Duration) {
    self.crash = crash
    self.cleanStop = cleanStop
    self.crashTotal = crashTotal
    self.cleanStopTotal = cleanStopTotal
  }
}

/// Something that happened to a VIP on this node.
package struct VIPReport: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable {
    case active, backup, fault
    /// Two nodes have the address, or no longer.
    case dual
    /// It was asked who answers for the address.
    case verified
    /// Somebody else changed the addresses of an interface, and that was undone; or a crash left them.
    case repaired
    /// Priority, hand-over, configuration that differs from the peer's.
    case vip
  }

  package var vip: String
  package var kind: Kind
  package var message: String
  /// It follows from what the node has said of its tracks, or of a handover.
  package var isOwnDoing = false

  package init(vip: String, kind: Kind, message: String) {
    self.vip = vip
    self.kind = kind
    self.message = message
  }
}

/// How all VIPs of a node stand.
package struct VIPOverview: Hashable, Sendable {
  package var vips: [VIPStanding] = []
  /// Adverts for nobody here, by reason.
  package var strangers: [String: UInt64] = [:]

  package init() {}
}
