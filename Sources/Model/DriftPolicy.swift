/// What becomes of a backend that does worse than its pool's others, before a probe or a failure in a row says so.
package struct DriftPolicy: Hashable, Sendable {
  package var isWatched = true
  /// What is left of its weight, in percent; 100: it is only told of.
  package var weight = 100
  /// Between two looks.
  package var every = Duration.seconds(5)

  package init() {}
}
