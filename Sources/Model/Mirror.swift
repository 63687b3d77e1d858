/// A share of a route's requests goes to another pool too, as copies; what comes back is read and thrown away.
package struct Mirror: Hashable, Sendable {
  package var pool: String
  /// Of the requests, 0...1.
  package var share = 1.0
  /// Bytes of a request's body, as it is framed; a longer one is not copied.
  package var body = 32 * 1024
  /// Copies under way in one worker, from all routes together; beyond it none is begun.
  package var inFlight = 64
  /// From a copy's start to the head of its response; the rest has as long again.
  package var timeout = Duration.seconds(5)

  package init(pool: String) { self.pool = pool }
}

extension World {
  /// Pools whose backends get copies: of a route's requests, or of a canary's others.
  package var poolsWithCopies: Set<String> {
    Set(
      topology.listeners.flatMap(\.routes).compactMap(\.mirror?.pool) + splits.filter { $0.value.mirrored != nil }.keys)
  }
}
