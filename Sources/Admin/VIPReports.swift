/// `GET /v1/vips`: how the virtual addresses stand on this node.
package struct VIPsReport: Codable, Hashable, Sendable {
  package var vips: [VIPStatusReport] = []
  /// Adverts for virtual routers that nobody here runs, and what was no advert, by reason.
  package var strangers: [String: UInt64] = [:]

  package init() {}
}

package struct VIPStatusReport: Codable, Hashable, Sendable {
  package struct Budget: Codable, Hashable, Sendable {
    /// "300 ms detection + 22 ms skew + 2 ms announcement = 324 ms"
    package var words: String
    package var milliseconds: Double

    package init(words: String, milliseconds: Double) {
      self.words = words
      self.milliseconds = milliseconds
    }
  }

  package var name: String
  /// "active", "backup" or "fault".
  package var state = "fault"
  package var sinceSeconds = 0.0
  /// What adverts say now.
  package var priority = 0
  package var configuredPriority = 0
  package var interface: String
  package var addresses: [String]
  package var companions: [String] = []
  /// Those that are on the interface now.
  package var held: [String] = []
  package var routerId: Int
  package var version: Int
  package var intervalMilliseconds: Int64
  package var preempts = true
  package var peers: [String] = []
  package var group: String?
  package var virtualMAC = false
  package var isSigned = false
  /// An operator's word: "release", "resign" or "claim".
  package var handover: String?
  package var source: String?
  /// While backup: the active node that was heard last.
  package var lastHeard: String?
  /// The peer that says that it has the VIP, and its address among `peers`.
  package var owner: String?
  package var ownerAddress: String?
  package var failing: [String] = []
  package var transitions = 0
  package var sent: UInt64 = 0
  package var unsent: UInt64 = 0
  package var accepted: UInt64 = 0
  package var dropped: [String: UInt64] = [:]
  package var announcements: UInt64 = 0
  /// The worst case when the active node dies, and when it stops in order, with this node taking over.
  package var crash: Budget?
  package var cleanStop: Budget?

  package init(
    name: String, interface: String, addresses: [String], routerId: Int, version: Int, intervalMilliseconds: Int64
  ) {
    self.name = name
    self.interface = interface
    self.addresses = addresses
    self.routerId = routerId
    self.version = version
    self.intervalMilliseconds = intervalMilliseconds
  }
}

/// An operator's word on a VIP, as in the path of the order.
package enum VIPWish: String, Codable, Sendable, CaseIterable {
  /// Give it to another node.
  case release
  /// Take it.
  case claim
  /// As the file says.
  case restore
}
