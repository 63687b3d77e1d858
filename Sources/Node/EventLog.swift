/// Something that an operator may want to know afterwards.
package struct Event: Hashable, Codable, Sendable {
  package enum Kind: String, Codable, Sendable {
    case serving, applied, refused, draining, stopped
    case up, down, warming, ejected
    case override
    /// A session to a router, or its BFD.
    case bgp
    case announced, degraded, withdrawn
    /// A name of the name service is answered from other addresses.
    case name
    /// An override that a new file made void.
    case dropped
    /// An agent's word, or one that is not understood.
    case agent
    /// Of virtual addresses: this node's state, two owners, what was verified or repaired, and the rest.
    case active, backup, fault, dual, verified, repaired, vip
    /// A certificate or another file of TLS: taken over, refused, or about to expire.
    case certificate
    /// Traffic fails, but ejecting would leave too few.
    case spared
    /// A backend does worse than its pool's others, or no longer.
    case drifting
    /// A step of a rollout.
    case rollout
    /// The collector of spans takes them, or does not.
    case tracing
    /// A process takes over from another of this node.
    case upgrade
    /// A configuration that is taken back unless it is confirmed.
    case trial
    /// Another node is heard, is not, has not been for too long.
    case peerUp = "peer-up"
    case peerDown = "peer-down"
    /// What shall outlive a restart cannot be kept, or can again.
    case storeLost = "store-lost"
    case storeBack = "store-back"
    /// A floating address was mapped, or could not be.
    case floating = "floating-ip"
    case peerStale = "peer-stale"
    /// Somebody called who is no peer.
    case peerRefused = "peer-refused"
    /// What a process before this one called by a name that is not known here.
    case other

    package init(from decoder: any Decoder) throws {
      self = Kind(rawValue: try decoder.singleValueContainer().decode(String.self)) ?? .other
    }
  }

  /// Grows by one with every event.
  package var id: UInt64
  /// Milliseconds since 1970.
  package var time: Int64
  package var kind: Kind
  /// "pool/backend", or empty for the node itself.
  package var subject: String
  package var message: String
  /// The event that led to it; nil: it came from outside (a probe, a peer, an operator), as its message says.
  package var cause: UInt64?
}

/// The last events, oldest first; what is older is forgotten.
package struct EventLog: Sendable {
  package let capacity: Int
  private var ring: [Event] = []
  package private(set) var next: UInt64 = 1

  package init(capacity: Int = 1_000) { self.capacity = capacity }

  /// - Returns: the event's number.
  @discardableResult
  package mutating func append(
    _ kind: Event.Kind, _ subject: String, _ message: String, because cause: UInt64? = nil, at time: Int64
  ) -> UInt64 {
    let event = Event(id: next, time: time, kind: kind, subject: subject, message: message, cause: cause)
    if ring.count < capacity { ring.append(event) } else { ring[Int((next - 1) % UInt64(capacity))] = event }
    next += 1
    return event.id
  }

  /// Goes on where an earlier process stopped.
  mutating func recall(_ events: [Event]) {
    let kept = events.suffix(capacity)
    guard ring.isEmpty, let first = kept.first, let last = kept.last, last.id < .max,
      zip(kept, kept.dropFirst()).allSatisfy({ $0.id + 1 == $1.id }), kept.count == capacity || first.id == 1
    else { return }
    // An event's place follows from its number.
    ring = kept.sorted { ($0.id - 1) % UInt64(capacity) < ($1.id - 1) % UInt64(capacity) }
    next = last.id + 1
  }

  package func events(after id: UInt64) -> [Event] {
    let oldest = next - UInt64(ring.count)
    let first = id == .max ? next : max(oldest, id + 1)
    guard first < next else { return [] }
    return (first..<next).map { ring[Int(($0 - 1) % UInt64(capacity))] }
  }
}
