import Model
import Synchronization

/// Which backend a source or a header value belongs to, for pools that persist by table.
///
/// Sharded by key; only pools with such a persistence touch it. Each pool's entries are
/// bounded; when a shard is full, what has been idle longest of a small sample makes room.
final class StickTables: Sendable {
  private struct Entry {
    var backend: String
    var expires: Int64
  }

  private static let shardCount = 16
  private let shards: [Shard] = (0..<shardCount).map { _ in Shard() }

  private final class Shard: Sendable {
    /// By pool, then by the key's hash.
    let entries = Mutex<[String: [UInt64: Entry]]>([:])
  }

  private func shard(_ hash: UInt64) -> Shard { shards[Int(hash >> 32) & (StickTables.shardCount - 1)] }

  /// The backend's name; nil when there is none or it has been idle too long. `now` in milliseconds.
  func find(pool: String, hash: UInt64, now: Int64) -> String? {
    shard(hash).entries.withLock { entries in
      guard let entry = entries[pool]?[hash], entry.expires > now else { return nil }
      return entry.backend
    }
  }

  func store(pool: String, hash: UInt64, backend: String, now: Int64, idle: Int64, maxEntries: Int) {
    shard(hash).entries.withLock { entries in
      if entries[pool, default: [:]][hash] == nil,
        entries[pool, default: [:]].count >= max(1, maxEntries / StickTables.shardCount)
      {
        var victim: (UInt64, Int64)?
        for (candidate, entry) in entries[pool, default: [:]].prefix(8) where entry.expires < victim?.1 ?? .max {
          victim = (candidate, entry.expires)
        }
        if let victim { entries[pool, default: [:]][victim.0] = nil }
      }
      entries[pool, default: [:]][hash] = Entry(backend: backend, expires: now + idle)
    }
  }
}
