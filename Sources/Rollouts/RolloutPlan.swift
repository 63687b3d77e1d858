/// How the backends of a pool shall be updated in place.
package struct RolloutPlan: Codable, Hashable, Sendable {
  /// How one backend gets its new version.
  package enum Method: Codable, Hashable, Sendable {
    /// A program with its arguments; `{backend}` and `{address}` are filled in. Exit status 0 is success.
    case command([String])
    /// A POST to this URL with the backend as JSON; 2xx is success.
    case webhook(String)
    /// A person does it and says so.
    case manual
  }

  package var pool: String
  /// In this order.
  package var backends: [String]
  package var method: Method
  /// Undoes `method`; nil: the same way, told to go back.
  package var undo: Method?
  /// Backends at once.
  package var batch = 1
  /// Of the whole pool, not counting those that were down before.
  package var maxUnavailable = 1
  /// How long open requests of a draining backend may take; then it is updated all the same.
  package var drainTimeout = Duration.seconds(60)
  package var updateTimeout = Duration.seconds(600)
  /// From the update's end until the backend must be up and of the wanted version.
  package var healthTimeout = Duration.seconds(60)
  /// How long the probe takes to notice that an updated backend is not well: what it says before is of the old version.
  package var settle = Duration.zero
  /// How long a batch must stay well before the next begins.
  package var soak = Duration.seconds(10)
  /// What an updated backend must report; nil: not asked.
  package var version: String?
  /// Requests that one backend can carry at once; with it a rollout waits while the rest could not carry the load.
  package var capacity: Int?
  /// Requests a second that one backend can answer, likewise.
  package var rate: Int?

  package init(pool: String, backends: [String], method: Method) {
    self.pool = pool
    self.backends = backends
    self.method = method
  }
}
