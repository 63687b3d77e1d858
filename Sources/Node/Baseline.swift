package import Model
package import Planner

/// How a node stood at a moment, to compare with what comes: a preview made from it costs the node nothing, and may
/// be made when what it tells of is in force already.
package struct Baseline: Sendable {
  let truth: Truth
  let world: World?
  let now: Instant

  /// What a load of this configuration changes, in words, as if its newcomers were up.
  package func preview(_ topology: Topology) -> WorldDiff { truth.preview(topology, after: world, at: now) }
}
