/// What a rollout is told.
package enum RolloutEvent: Hashable, Sendable {
  package enum Order: String, CaseIterable, Sendable {
    /// `next`: what a manual rollout waits for was done by hand.
    case pause, resume, next, abort, rollback
  }

  case order(Order)
  /// The backend's update ended; nil: well.
  case updated(String, failure: String?)
  /// The pool as it is now; also the passing of time.
  case observed(PoolObservation)
}

/// A pool as a rollout sees it.
package struct PoolObservation: Hashable, Sendable {
  package var backends: [String: BackendObservation]
  /// Requests a second; nil: not known yet.
  package var perSecond: Int?

  package init(backends: [String: BackendObservation], perSecond: Int? = nil) {
    self.backends = backends
    self.perSecond = perSecond
  }

  var load: PoolLoad { PoolLoad(inFlight: backends.values.reduce(0) { $0 + $1.inFlight }, perSecond: perSecond) }
}

package struct BackendObservation: Hashable, Sendable {
  package var inFlight: Int
  /// By its verdict, whatever its state.
  package var isUp: Bool
  package var isReady: Bool
  package var reason: String
  /// As it reports itself; nil: unknown.
  package var version: String?

  package init(inFlight: Int, isUp: Bool, isReady: Bool, reason: String, version: String? = nil) {
    self.inFlight = inFlight
    self.isUp = isUp
    self.isReady = isReady
    self.reason = reason
    self.version = version
  }

  var carries: Bool { isUp && isReady }
}

/// What a rollout asks for.
package enum RolloutEffect: Hashable, Sendable {
  /// No new traffic to the backend.
  case drain(String)
  /// Traffic to the backend again.
  case admit(String)
  case update(String, Rollout.Direction)
  /// For the event log.
  case note(String)
}
