/// What the API can ask of a node's own life.
package protocol LifecycleOperations: Sendable {
  /// Starts the binary anew, and returns when the new process serves; this one drains and ends.
  /// - Parameter within: seconds after which a process that is not ready is given up.
  func upgrade(within seconds: Int) async throws(AdminError) -> UpgradeReport
  /// Takes a configuration over. With `confirmWithin`, in seconds, it is undone by itself unless `confirm` comes.
  func apply(_ text: String, name: String, confirmWithin: Int?) async throws(AdminError) -> ApplyReport
  func confirm() async throws(AdminError) -> ApplyReport
  /// Undoes what awaits confirmation, now.
  func revert() async throws(AdminError) -> ApplyReport
  /// What a configuration would change, in terms of traffic.
  func diff(_ text: String, name: String) async throws(AdminError) -> DiffReport
}

/// `POST /v1/upgrade`.
package struct UpgradeReport: Codable, Hashable, Sendable {
  /// The process that serves now.
  package var process: Int
  /// Client connections that end in the process before it.
  package var draining: Int

  package init(process: Int, draining: Int) {
    self.process = process
    self.draining = draining
  }
}

/// `POST /v1/apply`, `/v1/confirm`, `/v1/revert`: what is in force now.
package struct ApplyReport: Codable, Hashable, Sendable {
  package var generation: UInt64
  package var changes: [String]
  /// Seconds until it is undone; absent: it stays.
  package var confirmWithin: Int?
  /// The node's own file, where it says something else than what is in force.
  package var differsFrom: String?

  package enum CodingKeys: String, CodingKey {
    case generation, changes
    case confirmWithin = "confirm_within_s"
    case differsFrom = "differs_from"
  }

  package init(generation: UInt64, changes: [String], confirmWithin: Int? = nil, differsFrom: String? = nil) {
    self.generation = generation
    self.changes = changes
    self.confirmWithin = confirmWithin
    self.differsFrom = differsFrom
  }
}

/// `POST /v1/diff`.
package struct DiffReport: Codable, Hashable, Sendable {
  package struct Share: Codable, Hashable, Sendable {
    package var pool: String
    package var backend: String
    /// Percent of the pool's new clients; absent where the backend is not in the pool.
    package var before: Double?
    package var after: Double?

    package init(pool: String, backend: String, before: Double?, after: Double?) {
      self.pool = pool
      self.backend = backend
      self.before = before
      self.after = after
    }
  }

  /// Open connections, by what the change does to them.
  package struct Connections: Codable, Hashable, Sendable {
    package var kept: UInt64 = 0
    /// Requests under way may finish; nothing new comes.
    package var drained: UInt64 = 0

    package init() {}
  }

  package var changes: [String]
  package var shares: [Share]
  /// Addresses, with the listener's name.
  package var opened: [String]
  package var closed: [String]
  /// Of clients, by listener; of backends, by "pool/backend".
  package var clients: [String: Connections]
  package var backends: [String: Connections]

  package init(
    changes: [String], shares: [Share], opened: [String], closed: [String], clients: [String: Connections],
    backends: [String: Connections]
  ) {
    self.changes = changes
    self.shares = shares
    self.opened = opened
    self.closed = closed
    self.clients = clients
    self.backends = backends
  }
}
