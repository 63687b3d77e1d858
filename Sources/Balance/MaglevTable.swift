/// A lookup table that maps a hash to a backend, evenly by weight, and moves few
/// keys when a backend comes or goes.
///
/// Every backend prefers the table's places in an order of its own (a permutation
/// from its identity); backends take turns to claim their next free place, a heavier
/// one more often. The table depends on identities and weights only, not on the
/// order of the configuration, so that nodes agree. Building costs O(size · ln size).
/// Source: D. E. Eisenbud et al., "Maglev: A Fast and Reliable Software Network
/// Load Balancer", NSDI 2016, §3.4.
package struct MaglevTable: Sendable {
  /// A prime, so that every skip visits all places.
  package static let size = 65_537

  /// The candidate's index at each place; empty when nobody has weight.
  @usableFromInline let places: [UInt32]

  package static let empty = MaglevTable(places: [])

  private init(places: [UInt32]) { self.places = places }

  package init(weights: [UInt32], identities: [UInt64]) {
    let owners = weights.indices.filter { weights[$0] > 0 && $0 < identities.count }.sorted {
      (identities[$0], $0) < (identities[$1], $1)
    }
    guard let heaviest = owners.map({ weights[$0] }).max() else {
      self = .empty
      return
    }
    let size = MaglevTable.size
    let total = owners.reduce(UInt64(0)) { $0 + UInt64(weights[$1]) }
    var turns = Turns(heaviest: UInt64(heaviest), rounds: size, count: owners.count)
    // Even the lightest comes in before the table is full.
    let half = Int(UInt64(size) * UInt64(heaviest) / total / 2)
    var next = owners.map { Int(identities[$0] % UInt64(size)) }
    let skip = owners.map { Int(MaglevTable.mix(identities[$0]) % UInt64(size - 1)) + 1 }
    for owner in owners.indices { turns.enter(owner, weight: UInt64(weights[owners[owner]]), latest: half) }

    let free = UInt32.max
    var places = [UInt32](repeating: free, count: size)
    var filled = 0
    while filled < size, let owner = turns.take() {
      var place = next[owner]
      while places[place] != free {
        place += skip[owner]
        if place >= size { place -= size }
      }
      places[place] = UInt32(truncatingIfNeeded: owners[owner])
      place += skip[owner]
      next[owner] = place >= size ? place - size : place
      filled += 1
    }
    self.places = places
  }

  @inlinable package var isEmpty: Bool { places.isEmpty }

  /// The index that the hash belongs to; the table must not be empty.
  @inlinable package func lookup(_ hash: UInt64) -> Int {
    // `size` as a literal: a constant to divide by.
    Int(places[Int(hash % 65_537)])
  }

  /// The next hash in a key's own sequence of alternatives (splitmix64's finalizer).
  ///
  /// Jumping anew, instead of walking to the neighbour, spreads what a full or failed
  /// backend sheds over all others in proportion to their weights.
  /// Source: J. Chen, B. Coleman, A. Shrivastava, "Revisiting Consistent Hashing with
  /// Bounded Loads", AAAI 2021.
  @inlinable package static func mix(_ hash: UInt64) -> UInt64 {
    var z = hash &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z &>> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z &>> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z &>> 31)
  }
}

/// Whose turn it is: the heaviest once in every round, one of half its weight in every second.
///
/// A calendar of rounds with a chain of owners in each, so that light backends cost
/// nothing in the rounds that they sit out.
private struct Turns {
  private let heaviest: UInt64
  private var first: [Int32]
  private var last: [Int32]
  private var following: [Int32]
  private var weight: [UInt64]
  private var taken: [UInt64]
  private var round = 0

  init(heaviest: UInt64, rounds: Int, count: Int) {
    self.heaviest = heaviest
    first = [Int32](repeating: -1, count: rounds)
    last = first
    following = [Int32](repeating: -1, count: count)
    weight = [UInt64](repeating: 0, count: count)
    taken = weight
  }

  mutating func enter(_ owner: Int, weight: UInt64, latest: Int) {
    self.weight[owner] = weight
    schedule(owner, min(due(owner), latest))
  }

  mutating func take() -> Int? {
    while round < first.count {
      let owner = Int(first[round])
      guard owner >= 0 else {
        round += 1
        continue
      }
      first[round] = following[owner]
      taken[owner] += 1
      schedule(owner, max(due(owner), round + 1))
      return owner
    }
    return nil
  }

  private func due(_ owner: Int) -> Int { Int((2 * taken[owner] + 1) * heaviest / (2 * weight[owner])) }

  private mutating func schedule(_ owner: Int, _ round: Int) {
    guard round < first.count else { return }
    following[owner] = -1
    if first[round] < 0 {
      first[round] = Int32(owner)
    } else {
      following[Int(last[round])] = Int32(owner)
    }
    last[round] = Int32(owner)
  }
}
