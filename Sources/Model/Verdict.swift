/// What is known of a backend's health, with the reason and the time.
package struct Verdict: Hashable, Codable, Sendable {
  package enum State: String, Hashable, Codable, Sendable {
    case up
    case down
    /// Up, with its weight still growing.
    case warming
    /// Up by its probes, but its traffic fails.
    case ejected
  }

  package var state: State
  package var reason: String
  package var since: Instant

  package init(_ state: State, reason: String, since: Instant) {
    self.state = state
    self.reason = reason
    self.since = since
  }

  package var takesTraffic: Bool { state == .up || state == .warming }
}

/// A backend's place in the tables that outlive a World: load, counters, connections.
/// Kept by a backend through every reload; reused only after it is gone.
package struct BackendSlot: Hashable, Sendable, BitwiseCopyable {
  package let index: UInt32
  @inlinable package init(_ index: UInt32) { self.index = index }
}

/// A backend's identity in words: what it is called across reloads, in the API and in logs.
package struct BackendKey: Hashable, Sendable {
  package let pool: String
  package let backend: String

  package init(pool: String, backend: String) {
    self.pool = pool
    self.backend = backend
  }
}

/// All that decides how a backend takes part now.
package struct Standing: Hashable, Sendable {
  package var slot: BackendSlot
  package var verdict: Verdict
  package var state: AdministrativeState
  /// The configured weight, or what the API or an agent set instead.
  package var weight: Int
  /// The weight that balancing uses now; 0: no new clients. Covers state, health, priority, warm-up and panic.
  package var effectiveWeight: Int
  /// The weight among backends of its version, for clients that belong there; `effectiveWeight` where nothing is divided.
  package var versionWeight: Int
  /// Whether a client that persists to this backend still goes to it.
  package var acceptsPersistent: Bool
  /// The configured limit, or what an agent set instead.
  package var maxConnections: Int?

  package init(
    slot: BackendSlot, verdict: Verdict, state: AdministrativeState, weight: Int, effectiveWeight: Int,
    acceptsPersistent: Bool
  ) {
    self.slot = slot
    self.verdict = verdict
    self.state = state
    self.weight = weight
    self.effectiveWeight = effectiveWeight
    versionWeight = effectiveWeight
    self.acceptsPersistent = acceptsPersistent
  }
}
