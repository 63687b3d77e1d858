package import Wire

/// Draws two different backends in proportion to the weights and takes the one with
/// fewer requests in flight for its weight; the first drawn among equals.
///
/// The largest backlog falls from ln n / ln ln n (random) to ln ln n / ln 2, for two reads.
/// Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
/// IEEE Trans. Parallel and Distributed Systems 12(10), 2001.
package enum PowerOfTwo {
  @inlinable package static func pick(
    _ table: PickTable, tried: TriedSet, loads: some LoadView, random: inout Random
  ) -> Int? {
    guard let first = table.draw(tried, loads, &random) else { return nil }
    guard table.pickable > 1, let second = table.draw(besides: first, tried, loads, &random) else { return first }
    let one = table.candidates[first]
    let other = table.candidates[second]
    let oneLoad = UInt64(UInt32(clamping: loads.inFlight(one.slot))) &* UInt64(other.weight)
    let otherLoad = UInt64(UInt32(clamping: loads.inFlight(other.slot))) &* UInt64(one.weight)
    return otherLoad < oneLoad ? second : first
  }
}
