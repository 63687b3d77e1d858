package import Wire

/// A backend drawn in proportion to the weights, whatever its load: O(1).
/// Source: `AliasTable`.
package enum RandomPick {
  @inlinable package static func pick(
    _ table: PickTable, tried: TriedSet, loads: some LoadView, random: inout Random
  ) -> Int? {
    table.draw(tried, loads, &random)
  }
}
