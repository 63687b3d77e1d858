/// A client of a pool that persists by table, and the backend that it belongs to.
package struct PersistenceEntry: Hashable, Sendable {
  package var pool: String
  /// The client, hashed under the shared secret: the same on every node, and no address.
  package var hash: UInt64
  package var backend: String
  /// How much longer it holds without being used, in milliseconds.
  package var remaining: UInt32

  package init(pool: String, hash: UInt64, backend: String, remaining: UInt32) {
    self.pool = pool
    self.hash = hash
    self.backend = backend
    self.remaining = remaining
  }
}
