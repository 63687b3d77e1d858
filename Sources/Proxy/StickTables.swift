import Model
import Synchronization

/// Which backend a source or a header value belongs to, for pools that persist by table.
///
/// Sharded by key; only pools with such a persistence touch it. Each pool's entries are
/// bounded; when a shard is full, what has been idle longest of a small sample makes room.
/// What changes is noted for the peers, in each shard under the lock that it has anyway.
final class StickTables: Sendable {
  private struct Entry {
    var backend: String
    var expires: Int64
    /// When it was last made, used or learnt; coarse, see `noteAfter`.
    var noted: Int64
  }

  private struct Table {
    /// By the key's hash.
    var entries: [UInt64: Entry] = [:]
  }

  private struct Notes {
    var keys: [(pool: String, hash: UInt64)] = []
    var isWhole = true
  }

  static let shardCount = 16
  /// Changes of one shard that wait for the peers; beyond it the peers are told to look for themselves.
  private static let noteLimit = 4_096
  private let shards: [Shard] = (0..<shardCount).map { _ in Shard() }
  /// Whether anybody wants to hear of changes.
  private let isFollowed = Atomic<Bool>(false)

  private final class Shard: Sendable {
    /// By pool.
    let state = Mutex<(tables: [String: Table], notes: Notes)>(([:], Notes()))
  }

  private func shard(_ hash: UInt64) -> Shard { shards[Int(hash >> 32) & (StickTables.shardCount - 1)] }

  /// The backend's name; nil when there is none or it has been idle too long. `now` in milliseconds.
  func find(pool: String, hash: UInt64, now: Int64) -> String? {
    shard(hash).state.withLock { state in
      guard let entry = state.tables[pool]?.entries[hash], entry.expires > now else { return nil }
      return entry.backend
    }
  }

  func store(pool: String, hash: UInt64, backend: String, now: Int64, idle: Int64, maxEntries: Int) {
    let isFollowed = isFollowed.load(ordering: .relaxed)
    shard(hash).state.withLock { state in
      let known = state.tables[pool]?.entries[hash]
      if known == nil { StickTables.makeRoom(&state.tables[pool, default: Table()], maxEntries) }
      // A peer needs no word for each request: an eighth of the time that an entry lives is exact enough.
      let isNews = known.map { $0.backend != backend || now - $0.noted >= idle / 8 } ?? true
      state.tables[pool, default: Table()].entries[hash] = Entry(
        backend: backend, expires: now + idle, noted: isNews ? now : known?.noted ?? now)
      guard isNews, isFollowed, state.notes.isWhole else { return }
      guard state.notes.keys.count < StickTables.noteLimit else {
        state.notes = Notes(keys: [], isWhole: false)
        return
      }
      state.notes.keys.append((pool, hash))
    }
  }

  private static func makeRoom(_ table: inout Table, _ maxEntries: Int) {
    guard table.entries.count >= max(1, maxEntries / shardCount) else { return }
    var victim: (UInt64, Int64)?
    for (candidate, entry) in table.entries.prefix(8) where entry.expires < victim?.1 ?? .max {
      victim = (candidate, entry.expires)
    }
    if let victim { table.entries[victim.0] = nil }
  }

  // MARK: For the peers

  /// What the workers changed since the last call, which also says that somebody wants to know.
  func takeChanges(now: Int64) -> (entries: [PersistenceEntry], isWhole: Bool) {
    var result: [PersistenceEntry] = []
    var isWhole = true
    isFollowed.store(true, ordering: .relaxed)
    for shard in shards {
      shard.state.withLock { state in
        guard !state.notes.keys.isEmpty || !state.notes.isWhole else { return }
        isWhole = isWhole && state.notes.isWhole
        for (pool, hash) in state.notes.keys {
          guard let entry = state.tables[pool]?.entries[hash], entry.expires > now else { continue }
          result.append(StickTables.shared(pool, hash, entry, now))
        }
        state.notes = Notes()
      }
    }
    return (result, isWhole)
  }

  /// One shard's living entries that changed at `since` or later.
  func entries(shard index: Int, since: Int64, now: Int64) -> [PersistenceEntry] {
    guard shards.indices.contains(index) else { return [] }
    // PERF: the lock is held for about 50 ns an entry, 0.3 ms with the default of 100,000 entries in a pool.
    return shards[index].state.withLock { state in
      state.tables.flatMap { pool, table in
        table.entries.compactMap { hash, entry in
          entry.noted >= since && entry.expires > now ? StickTables.shared(pool, hash, entry, now) : nil
        }
      }
    }
  }

  private static func shared(_ pool: String, _ hash: UInt64, _ entry: Entry, _ now: Int64) -> PersistenceEntry {
    PersistenceEntry(
      pool: pool, hash: hash, backend: entry.backend, remaining: UInt32(clamping: entry.expires - now))
  }

  /// Takes in what a peer says. Of two that differ the one that was used later counts.
  /// - Parameter limits: each pool's `max-entries`; what belongs to no pool of these is left out.
  func learn(_ entries: [PersistenceEntry], now: Int64, limits: [String: Int]) {
    for entry in entries {
      guard let limit = limits[entry.pool] else { continue }
      let expires = now + Int64(entry.remaining)
      shard(entry.hash).state.withLock { state in
        let known = state.tables[entry.pool]?.entries[entry.hash]
        if let known, known.expires >= expires { return }
        if known == nil { StickTables.makeRoom(&state.tables[entry.pool, default: Table()], limit) }
        state.tables[entry.pool, default: Table()].entries[entry.hash] = Entry(
          backend: entry.backend, expires: expires, noted: now)
      }
    }
  }
}
