package import Model

/// How long clients may still be sent to an address after it died, in the worst case.
///
/// The first failed check makes answers short-lived, the last one takes the address out. So the longest that an answer
/// with it lives is the later of two: one that was given just before the first sign, with the longest TTL; and one
/// that was given just before the verdict, with the shortest.
package struct NameFailoverBudget: Hashable, Sendable {
  /// Until the first failed check is known.
  package var firstSign: Duration
  /// Until the verdict is.
  package var detection: Duration
  /// Until answers follow a verdict.
  package var publication: Duration
  package var shortestTTL: Duration
  package var longestTTL: Duration
  /// What resolvers keep an answer for at least, whatever its TTL says.
  package var resolverFloor: Duration

  /// - Parameter sharing: how long another node's verdict takes to come, where a quorum waits for it.
  package init(
    _ probe: Probe, shortestTTL: Int, longestTTL: Int, sharing: Duration = .zero, resolverFloor: Duration = .zero
  ) {
    let latest = scaled(probe.every, 1 + probe.jitter)
    let fast = scaled(probe.fast ?? probe.every, 1 + probe.jitter)
    firstSign = latest + probe.timeout
    detection = firstSign + scaled(max(fast, probe.timeout), Double(max(probe.fall - 1, 0))) + sharing
    publication = .milliseconds(50)
    self.shortestTTL = .seconds(shortestTTL)
    self.longestTTL = .seconds(longestTTL)
    self.resolverFloor = resolverFloor
  }

  package var total: Duration {
    let beforeSign = firstSign + publication + max(longestTTL, resolverFloor)
    let beforeVerdict = detection + publication + max(shortestTTL, resolverFloor)
    // A resolver counts whole seconds.
    return max(beforeSign, beforeVerdict) + .seconds(1)
  }
}

private func scaled(_ duration: Duration, _ factor: Double) -> Duration {
  .nanoseconds(Int64(Double(duration.nanoseconds) * factor))
}
