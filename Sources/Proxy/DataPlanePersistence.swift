internal import Kernel
package import Model

/// The persistence tables as peers see them. Milliseconds are those of this machine's monotonic clock.
extension DataPlane {
  package static let persistenceParts = StickTables.shardCount

  /// What the workers changed since the last call. `isWhole` is false when it was too much to keep: look through
  /// all parts. Everything that changed before `upTo` has been said by then.
  package func persistenceChanges() -> (entries: [PersistenceEntry], upTo: UInt64, isWhole: Bool) {
    let now = DataPlane.milliseconds
    let changes = shared.stickiness.takeChanges(now: now)
    return (changes.entries, DataPlane.mark(now), changes.isWhole)
  }

  /// One part's entries that changed since, and the time before it was looked at.
  package func persistenceEntries(part: Int, since: UInt64) -> (entries: [PersistenceEntry], asOf: UInt64) {
    let now = DataPlane.milliseconds
    return (shared.stickiness.entries(shard: part, since: Int64(clamping: since), now: now), DataPlane.mark(now))
  }

  /// Takes in what a peer says of pools that this node has too.
  package func learn(_ entries: [PersistenceEntry]) {
    shared.stickiness.learn(entries, now: DataPlane.milliseconds, limits: persistenceLimits)
  }

  /// A worker's clock may be a turn of its loop behind: what it notes now may bear a time that has passed.
  private static func mark(_ now: Int64) -> UInt64 { UInt64(max(1, now - 1_000)) }

  private static var milliseconds: Int64 { Clock.now().nanoseconds / 1_000_000 }
}

extension Topology {
  /// The pools that persist by table, with their `max-entries`.
  var persistenceLimits: [String: Int] {
    var limits: [String: Int] = [:]
    for pool in pools {
      switch pool.persistence {
      case .source(_, _, _, let maxEntries), .header(_, _, let maxEntries): limits[pool.name] = maxEntries
      case .cookie, nil: break
      }
    }
    return limits
  }
}
