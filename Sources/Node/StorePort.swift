package import Model

/// What outlives a restart, as the node sees it. Nothing here holds the node up: what blocks does so elsewhere.
package struct StorePort: Sendable {
  /// nil: nothing is kept.
  package var path: String?
  /// What was kept; asked once, at the start.
  package var restore: @Sendable () async throws -> KeptOrders = { KeptOrders() }
  /// Exactly these from now on. Returns at once; what becomes of it is a `StoreReport`.
  package var keep: @Sendable (KeptOrders) -> Void = { _ in }
  /// Returns when what was to be kept is on the disk, or could not be brought there.
  package var settle: @Sendable () async -> Void = {}
  /// All documents of an area, by key, for parts of the node that keep something in a form of their own.
  package var documents: @Sendable (_ area: String) async throws -> [String: [UInt8]] = { _ in [:] }
  /// Changes these keys of an area, all or none; nil removes one. On the disk when it returns.
  package var save: @Sendable (_ changes: [String: [UInt8]?], _ area: String) async throws -> Void = { _, _ in }

  package init() {}
}

/// What became of the store. While it is lost all runs on, and it is tried again.
package enum StoreReport: Hashable, Sendable {
  case lost(String)
  case back
}

/// How the store stands.
package struct StoreStanding: Hashable, Sendable {
  package var path: String
  /// Why nothing is kept now.
  package var loss: String?

  package init(path: String, loss: String?) {
    self.path = path
    self.loss = loss
  }
}
