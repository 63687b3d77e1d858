/// The backend that a key's hash belongs to (`MaglevTable`); when it was tried or is
/// full, the key's next alternative, the same one on every worker and node.
package enum Maglev {
  @inlinable package static func pick(
    _ table: PickTable, hash: UInt64, tried: TriedSet, loads: some LoadView
  ) -> Int? {
    guard !table.maglev.isEmpty else { return nil }
    var hash = hash
    for _ in 0..<16 {
      let index = table.maglev.lookup(hash)
      if table.accepts(index, tried, loads) { return index }
      hash = MaglevTable.mix(hash)
    }
    return amongRemaining(table, hash, tried, loads)
  }

  /// When nearly everybody is excluded: the hash's place on the line of the remaining weights.
  @inlinable static func amongRemaining(
    _ table: PickTable, _ hash: UInt64, _ tried: TriedSet, _ loads: some LoadView
  ) -> Int? {
    var sum: UInt64 = 0
    for index in table.candidates.indices where table.accepts(index, tried, loads) {
      sum &+= UInt64(table.candidates[index].weight)
    }
    var point = hash.multipliedFullWidth(by: sum).high
    var last: Int?
    // Loads may have moved since the first pass: then the last that accepts will do.
    for index in table.candidates.indices where table.accepts(index, tried, loads) {
      let weight = UInt64(table.candidates[index].weight)
      if point < weight { return index }
      point &-= weight
      last = index
    }
    return last
  }
}
