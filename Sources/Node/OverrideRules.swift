package import Model
package import Planner

/// An operator's word lasts through reloads as long as the file's own value is the one
/// that it was said over: who edits the backend's weight in the file means it.
extension Overrides {
  package mutating func set(_ order: Change.Order, for key: BackendKey) {
    switch order {
    case .state(let state): states[key] = state
    case .weight(let weight): weights[key] = weight
    }
  }

  /// Drops what a new file made void.
  /// - Returns: the backends that lost a word, with the reason, by name.
  package mutating func reconcile(
    from old: [BackendKey: Backend], to new: [BackendKey: Backend]
  ) -> [(key: BackendKey, reason: String)] {
    var dropped: [(key: BackendKey, reason: String)] = []
    for key in Set(states.keys).union(weights.keys) {
      guard let backend = new[key] else {
        (states[key], weights[key]) = (nil, nil)
        dropped.append((key, "the backend is gone"))
        continue
      }
      if states[key] != nil, backend.state != old[key]?.state {
        states[key] = nil
        dropped.append((key, "the file now says \(backend.state.rawValue)"))
      }
      if weights[key] != nil, backend.weight != old[key]?.weight {
        weights[key] = nil
        dropped.append((key, "the file now says weight \(backend.weight)"))
      }
    }
    return dropped.sorted { ($0.key.pool, $0.key.backend) < ($1.key.pool, $1.key.backend) }
  }
}

extension [String: VersionSplit] {
  /// What a rollout said of a pool lasts as operators' words do: until the file says another version, or has none of it.
  func surviving(_ old: Topology, _ new: Topology) -> Self {
    filter { name, split in
      guard let pool = new.pools.first(where: { $0.name == name }) else { return false }
      let before = old.pools.first { $0.name == name }?.versions.serve
      return pool.versions.serve == before && pool.versionLabels.contains(split.version)
    }
  }
}
