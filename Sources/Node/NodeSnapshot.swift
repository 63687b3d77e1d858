package import Model
package import Telemetry

/// What `status` shows: the truth and the counters of one moment.
package struct NodeSnapshot: Sendable {
  package var phase: Node.Phase
  package var generation: UInt64
  package var uptime: Duration
  package var version: String
  package var topology: Topology
  /// As in `World.standings`, with the newest verdicts.
  package var standings: [[Standing]]
  package var sites: [String: SiteStanding]
  package var siteLoads: [String: SiteLoad]
  package var siteObservers: [String: [SiteObserver]]
  package var splits: [String: VersionSplit]
  package var drifting: [BackendKey: String]
  /// Of those that were ejected at least once: how often.
  package var ejections: [BackendKey: UInt64] = [:]
  package var statistics: DataPlaneStatistics
  package var peers: PeerBook
  /// nil: nothing is kept.
  package var store: StoreStanding?
  package var now: Instant
}

extension [[Standing]] {
  /// Whether the data plane would do the same with both: all but the words and times of verdicts.
  func isServedLike(_ other: [[Standing]]) -> Bool {
    count == other.count
      && zip(self, other).allSatisfy { mine, theirs in
        mine.count == theirs.count
          && zip(mine, theirs).allSatisfy { a, b in
            var quiet = b
            quiet.verdict.reason = a.verdict.reason
            quiet.verdict.since = a.verdict.since
            return quiet == a
          }
      }
  }
}

extension [String: SiteStanding] {
  /// Whether names would be answered the same with both.
  func isServedLike(_ other: [String: SiteStanding]) -> Bool {
    count == other.count
      && allSatisfy { name, mine in
        guard let theirs = other[name] else { return false }
        return mine.state == theirs.state && mine.isUp == theirs.isUp && mine.until == theirs.until
      }
  }
}

extension SiteOrder: CustomStringConvertible {
  package var description: String {
    switch self {
    case .drain(let duration): duration.map { "drain for \($0)" } ?? "drain"
    case .ready: "ready"
    }
  }
}

extension Event.Kind {
  init(_ state: Verdict.State) {
    switch state {
    case .up: self = .up
    case .down: self = .down
    case .warming: self = .warming
    case .ejected: self = .ejected
    }
  }
}

extension Change.Order: CustomStringConvertible {
  package var description: String {
    switch self {
    case .state(let state): state.rawValue
    case .weight(let weight): "weight \(weight)"
    }
  }
}

extension Refusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noSuchPool(let name): "there is no pool \(name)"
    case .noSuchVIP(let name): "there is no vip \(name)"
    case .vipTarget(let reason): reason
    case .handingOver: "a vip of this node is being handed over"
    case .noSuchBackend(let key): "there is no backend \(key.pool)/\(key.backend)"
    case .noSuchVersion(let pool, let version): "no backend of pool \(pool) is labelled `version: \(version)`"
    case .noSuchSite(let name): "there is no site \(name)"
    case .dataPlane(let reason), .floating(let reason): reason
    case .noSuchAnnouncement(let name): "there is no announcement \(name)"
    case .noBGP: "the configuration has no `bgp`"
    case .noGracefulRestart: "`bgp` has no `graceful-restart`: routers would drop the routes"
    case .draining: "the node is draining"
    case .starting: "the node is starting"
    case .upgrading: "another process is about to take over"
    }
  }
}
