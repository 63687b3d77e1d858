/// What the API can ask about rollouts.
package protocol RolloutOperations: Sendable {
  func rollouts() async -> RolloutsReport
  func rollout(of pool: String) async throws(AdminError) -> RolloutReport
  func start(_ request: RolloutRequest) async throws(AdminError) -> RolloutReport
  func start(_ request: CanaryRequest) async throws(AdminError) -> RolloutReport
  func order(_ order: RolloutOrder, pool: String) async throws(AdminError) -> RolloutReport
}

/// `POST /v1/rollouts`: update a pool's backends in place. Durations are seconds.
package struct RolloutRequest: Codable, Hashable, Sendable {
  /// Of one backend; exactly one of them is given.
  package struct Method: Codable, Hashable, Sendable {
    /// A program with its arguments; `{backend}` and `{address}` are filled in.
    package var command: [String]?
    /// An http:// URL that is sent the backend as JSON.
    package var webhook: String?
    package var manual: Bool?

    package init(command: [String]? = nil, webhook: String? = nil, manual: Bool? = nil) {
      self.command = command
      self.webhook = webhook
      self.manual = manual
    }
  }

  package var pool: String
  /// In this order; absent: all, as in the configuration.
  package var backends: [String]?
  package var update: Method
  /// Takes an update back; absent: `update` is asked to.
  package var undo: Method?
  package var batch: Int?
  package var maxUnavailable: Int?
  package var drainTimeout: Double?
  package var updateTimeout: Double?
  package var healthTimeout: Double?
  package var soak: Double?
  /// The path that tells a backend's version, as the body's text.
  package var versionPath: String?
  package var version: String?
  /// Requests that one backend can carry at once.
  package var capacity: Int?
  /// Requests a second that one backend can answer.
  package var rate: Int?

  package enum CodingKeys: String, CodingKey {
    case pool, backends, update, undo, batch, soak, version, capacity, rate
    case maxUnavailable = "max_unavailable"
    case drainTimeout = "drain_timeout"
    case updateTimeout = "update_timeout"
    case healthTimeout = "health_timeout"
    case versionPath = "version_path"
  }

  package init(pool: String, update: Method) {
    self.pool = pool
    self.update = update
  }
}

package enum RolloutOrder: String, Codable, Sendable, CaseIterable { case pause, resume, next, abort, rollback }

/// `GET /v1/rollouts`: the last one of each pool.
package struct RolloutsReport: Codable, Hashable, Sendable {
  package var rollouts: [RolloutReport]

  package init(rollouts: [RolloutReport]) { self.rollouts = rollouts }
}

package struct RolloutReport: Codable, Hashable, Sendable {
  package struct Backend: Codable, Hashable, Sendable {
    package var name: String
    /// pending, draining, updating, verifying, soaking, done, failed.
    package var step: String
    package var reason: String?
    package var inFlight: Int
    package var version: String?

    package init(name: String, step: String, reason: String?, inFlight: Int, version: String?) {
      self.name = name
      self.step = step
      self.reason = reason
      self.inFlight = inFlight
      self.version = version
    }
  }

  package var pool: String
  /// running, paused, completed, aborted; rolled back, of a canary.
  package var phase: String
  package var reason: String?
  /// forward or back.
  package var direction: String
  /// Why nothing new is begun.
  package var waiting: String?
  /// Of an update in place.
  package var backends: [Backend]
  package var canary: CanaryReport?

  package init(
    pool: String, phase: String, reason: String?, direction: String, waiting: String?, backends: [Backend]
  ) {
    self.pool = pool
    self.phase = phase
    self.reason = reason
    self.direction = direction
    self.waiting = waiting
    self.backends = backends
  }
}
