/// What the balanced names and aliases of all zones are answered with now; replaced whole when health changes.
package struct DynamicView: Sendable {
  /// In the order of `Zones.dynamicOwners`.
  package let sets: [CompiledSet]
  /// Where each set's counters begin in a worker's `turns`.
  let turnStarts: [Int]
  let turnCount: Int

  /// - Parameter sets: nil: not known yet, which is SERVFAIL.
  package init(_ sets: [CompiledSet?] = []) {
    self.sets = sets.map { $0 ?? .unknown }
    var starts: [Int] = []
    var next = 0
    for set in self.sets {
      starts.append(next)
      next += set.groups.count
    }
    turnStarts = starts
    turnCount = next
  }
}
