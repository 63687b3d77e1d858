import Model

/// What a division by version makes of effective weights, so that they tell each backend's true share.
///
/// The side with more keeps its weights, the other is scaled to it. A side without anybody leaves its part to the
/// other one, unless the split gives that nothing at all: a version that nobody released takes no clients.
enum Division {
  static func divide(_ pool: Pool, _ standings: inout [Standing], by split: VersionSplit) {
    var sums = (chosen: 0, others: 0)
    for (backend, standing) in zip(pool.backends, standings) {
      if backend.version == split.version {
        sums.chosen += standing.effectiveWeight
      } else {
        sums.others += standing.effectiveWeight
      }
    }
    let share = Double(split.share) / Double(VersionSplit.whole)
    for (index, backend) in pool.backends.enumerated() {
      let weight = standings[index].effectiveWeight
      standings[index].versionWeight = weight
      guard weight > 0 else { continue }
      let isChosen = backend.version == split.version
      guard split.serves(backend.version) else {
        standings[index].effectiveWeight = 0
        continue
      }
      guard sums.chosen > 0, sums.others > 0, split.share > 0, split.share < VersionSplit.whole else { continue }
      // What this side's sum must be, beside the other's.
      let wanted =
        isChosen
        ? Double(sums.others) * share / (1 - share) : Double(sums.chosen) * (1 - share) / share
      let own = Double(isChosen ? sums.chosen : sums.others)
      guard wanted < own else { continue }
      standings[index].effectiveWeight = max(1, Int(Double(weight) * wanted / own + 0.5))
    }
  }
}
