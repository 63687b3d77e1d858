package import Wire

/// The backend with the fewest requests in flight for its weight; among equals, one
/// drawn in proportion to the weights, so that an idle pool follows them too.
///
/// Looks at every backend: exact, O(n). For hundreds of backends `PowerOfTwo` does
/// nearly as well for two reads.
/// Source: W. Zhang, "Linux Virtual Server for Scalable Network Services", 2000,
/// weighted least-connection scheduling.
package enum LeastConnections {
  @inlinable package static func pick(
    _ table: PickTable, tried: TriedSet, loads: some LoadView, random: inout Random
  ) -> Int? {
    var best: Int?
    var bestLoad: UInt64 = 0
    var bestWeight: UInt64 = 1
    var tied: UInt64 = 0
    for index in table.candidates.indices {
      let candidate = table.candidates[index]
      guard candidate.weight > 0, !tried.contains(index) else { continue }
      let inFlight = loads.inFlight(candidate.slot)
      guard candidate.capacity == .max || inFlight < Int(candidate.capacity) else { continue }
      let weight = UInt64(candidate.weight)
      let load = UInt64(UInt32(clamping: inFlight))
      // load / weight against bestLoad / bestWeight, without dividing: both fit 32 bits.
      let mine = load &* bestWeight
      let rival = bestLoad &* weight
      if best == nil || mine < rival {
        tied = weight
      } else if mine == rival {
        tied &+= weight
        guard random.below(wide: tied) < weight else { continue }
      } else {
        continue
      }
      best = index
      bestLoad = load
      bestWeight = weight
    }
    return best
  }
}
