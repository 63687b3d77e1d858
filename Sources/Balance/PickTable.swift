package import Model
package import Wire

/// A pool as its balancer sees it now: immutable, built once when a pool changes and
/// shared by all workers (copying it copies references to its arrays).
package struct PickTable: Sendable {
  package let policy: BalancePolicy
  package let candidates: [Candidate]
  /// What hash policies know a backend by; equal on all nodes.
  package let identities: [UInt64]
  /// The sum of all weights; 0: nobody can be picked.
  package let totalWeight: UInt64
  /// How many candidates have weight.
  package let pickable: Int
  package let alias: AliasTable
  /// Empty unless the policy hashes.
  package let maglev: MaglevTable

  /// - Parameters:
  ///   - identities: one for each candidate; left out, the slot stands for it.
  ///   - previous: the pool's table until now; what did not change is taken from it.
  package init(
    policy: BalancePolicy, candidates: [Candidate], identities: [UInt64]? = nil, previous: PickTable? = nil
  ) {
    let identities = identities ?? candidates.map { MaglevTable.mix(UInt64($0.slot.index)) }
    let weights = candidates.map(\.weight)
    self.policy = policy
    self.candidates = candidates
    self.identities = identities
    totalWeight = weights.reduce(0) { $0 + UInt64($1) }
    pickable = weights.count { $0 > 0 }
    let previousWeights = previous?.candidates.map(\.weight)
    if let previous, previousWeights == weights {
      alias = previous.alias
    } else {
      alias = AliasTable(weights: weights)
    }
    switch policy {
    case .maglev, .boundedLoad:
      if let previous, !previous.maglev.isEmpty, previousWeights == weights, previous.identities == identities {
        maglev = previous.maglev
      } else {
        maglev = MaglevTable(weights: weights, identities: identities)
      }
    default: maglev = .empty
    }
  }

  /// The table of a World's pool; `standings` belong to the pool's backends.
  package init(pool: Pool, standings: [Standing], previous: PickTable? = nil) {
    let candidates = zip(pool.backends, standings).map { backend, standing in
      Candidate(
        slot: standing.slot, weight: UInt32(clamping: standing.effectiveWeight),
        capacity: (standing.maxConnections ?? backend.maxConnections).map { UInt32(clamping: $0) }
          ?? Candidate.unlimited)
    }
    let identities = pool.backends.map { PickTable.identity($0.name) }
    self.init(policy: pool.policy, candidates: candidates, identities: identities, previous: previous)
  }

  /// A backend's identity in hash policies: its name under a fixed key, so that nodes agree.
  package static func identity(_ name: String) -> UInt64 {
    var sip = SipHash(key: (0x6261_636b_656e_642d, 0x6964_656e_7469_7479))
    sip.update(name)
    return sip.finish()
  }

  /// Whether the candidate may be picked: it has weight and room, and was not tried.
  @inlinable func accepts(_ index: Int, _ tried: TriedSet, _ loads: some LoadView) -> Bool {
    let candidate = candidates[index]
    guard candidate.weight > 0, !tried.contains(index) else { return false }
    return candidate.capacity == .max || loads.inFlight(candidate.slot) < Int(candidate.capacity)
  }

  /// An acceptable candidate other than `excluded`, in proportion to the weights.
  ///
  /// Rejecting draws keeps the proportions; after eight in vain (most of the weight is
  /// excluded) one pass over all candidates draws exactly among those that remain.
  @inlinable func draw(
    besides excluded: Int = -1, _ tried: TriedSet, _ loads: some LoadView, _ random: inout Random
  ) -> Int? {
    guard !alias.isEmpty else { return nil }
    for _ in 0..<8 {
      let index = alias.draw(&random)
      if index != excluded, accepts(index, tried, loads) { return index }
    }
    var chosen: Int?
    var sum: UInt64 = 0
    for index in candidates.indices where index != excluded && accepts(index, tried, loads) {
      let weight = UInt64(candidates[index].weight)
      sum &+= weight
      if random.below(wide: sum) < weight { chosen = index }
    }
    return chosen
  }
}
