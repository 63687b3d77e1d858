/// Consistent hashing in which no backend holds more than `factor` times its share of
/// what is in flight: a key whose backend is that full goes to its next alternative.
///
/// Room is ⌈factor × (all in flight + 1) × weight / all weights⌉. The sum of what is in
/// flight is exact up to 64 backends; in larger pools each pick renews 64 of the terms.
/// Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded
/// Loads", SODA 2018; alternatives by `MaglevTable.mix`.
package struct BoundedLoad {
  @usableFromInline var seen: [Int]
  @usableFromInline var sum = 0
  @usableFromInline var cursor = 0
  @usableFromInline let factor: Double

  package init(_ table: PickTable, factor: Double) {
    seen = Array(repeating: 0, count: table.candidates.count)
    self.factor = max(1, factor)
  }

  @inlinable package mutating func pick(
    _ table: PickTable, hash: UInt64, tried: TriedSet, loads: some LoadView
  ) -> Int? {
    guard !table.maglev.isEmpty else { return nil }
    renewSum(table, loads)
    var probe = hash
    for _ in 0..<32 {
      let index = table.maglev.lookup(probe)
      if hasRoom(index, table, loads), table.accepts(index, tried, loads) { return index }
      probe = MaglevTable.mix(probe)
    }
    let count = table.candidates.count
    let start = Int(probe % UInt64(count))
    for offset in 0..<count {
      let index = start + offset < count ? start + offset : start + offset - count
      if hasRoom(index, table, loads), table.accepts(index, tried, loads) { return index }
    }
    // Those with room were tried: the bound yields to the request.
    return Maglev.pick(table, hash: hash, tried: tried, loads: loads)
  }

  @inlinable mutating func renewSum(_ table: PickTable, _ loads: some LoadView) {
    for _ in 0..<min(64, seen.count) {
      let candidate = table.candidates[cursor]
      let inFlight = candidate.weight > 0 ? max(0, loads.inFlight(candidate.slot)) : 0
      sum &+= inFlight &- seen[cursor]
      seen[cursor] = inFlight
      cursor = cursor + 1 == seen.count ? 0 : cursor + 1
    }
  }

  @inlinable func hasRoom(_ index: Int, _ table: PickTable, _ loads: some LoadView) -> Bool {
    let candidate = table.candidates[index]
    let room = factor * Double(sum &+ 1) * Double(candidate.weight) / Double(table.totalWeight)
    // A whole number is below ⌈room⌉ exactly when it is below room; whose last bit may be off.
    return Double(loads.inFlight(candidate.slot)) < room - 1e-6
  }
}
