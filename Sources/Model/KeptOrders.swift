/// Operators' words that outlive a restart.
package struct KeptOrders: Hashable, Sendable {
  package var overrides: [KeptOverride]
  package var drains: [KeptDrain]

  package init(overrides: [KeptOverride] = [], drains: [KeptDrain] = []) {
    self.overrides = overrides
    self.drains = drains
  }
}

/// A word on a backend, with what the file said when it was said: where the file says something else, it is void.
package struct KeptOverride: Hashable, Sendable {
  package var key: BackendKey
  package var state: AdministrativeState?
  package var weight: Int?
  package var fileState: AdministrativeState
  package var fileWeight: Int

  package init(
    key: BackendKey, state: AdministrativeState?, weight: Int?, fileState: AdministrativeState, fileWeight: Int
  ) {
    self.key = key
    self.state = state
    self.weight = weight
    self.fileState = fileState
    self.fileWeight = fileWeight
  }
}

/// A site that is drained.
package struct KeptDrain: Hashable, Sendable {
  package var site: String
  /// Milliseconds since 1970; nil: until it is taken back.
  package var until: Int64?

  package init(site: String, until: Int64?) {
    self.site = site
    self.until = until
  }
}
