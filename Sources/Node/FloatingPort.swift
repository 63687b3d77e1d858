package import Model

/// The mappings of floating addresses, as the node sees them. Nothing here holds the node up.
package struct FloatingPort: Sendable {
  /// What the store kept.
  package var restore: @Sendable () async throws -> FloatingRecord = { FloatingRecord() }
  /// What the kernel does now, from before this process, for when the store cannot say.
  package var adopt: @Sendable () async -> FloatingPlan = { FloatingPlan() }
  /// Keeps exactly these; on the disk when it returns.
  package var save: @Sendable (FloatingRecord) async throws -> Void = { _ in }
  /// Makes rules and addresses so, where they are not.
  /// - Throws: with the old rules in force.
  package var apply: @Sendable (FloatingPlan) async throws -> FloatingOutcome = { _ in FloatingOutcome() }

  package init() {}
}

/// What came of making rules and addresses so.
package struct FloatingOutcome: Hashable, Sendable {
  /// What is not as it should be beside the rules, in words.
  package var troubles: [String] = []
  /// What somebody else had undone, in words.
  package var repairs: [String] = []

  package init() {}
}
