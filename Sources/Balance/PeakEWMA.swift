package import Model
package import Wire

/// Power of two choices by expected latency: a peak-sensitive, decaying average of
/// what a backend took, times what is already in flight there.
///
/// - A slower answer raises the average to itself at once; faster ones lower it with
///   the time constant `decay`. An average that nothing renews decays as well, so that
///   a backend that was slow is tried again. A fast failure never lowers it.
/// - score = average × (in flight × mean weight / weight + 1). With equal weights this is
///   Finagle's form. The second draw wins only with a clearly better score: noise between
///   equally fast backends then leaves the shares to the weights of the draw.
/// - A backend that this worker has not heard of yet counts as average.
/// - Decay is by 1 / (1 + t / decay) instead of e^(-t / decay): the same for small steps,
///   no `exp` on the hot path.
///
/// Source: Twitter Finagle, "P2C + Peak EWMA" load balancer; linkerd.
package struct PeakEWMA {
  @usableFromInline struct Average: BitwiseCopyable {
    /// Nanoseconds; negative: unknown.
    @usableFromInline var latency: Double
    @usableFromInline var renewed: Int64

    @usableFromInline init() {
      latency = -1
      renewed = 0
    }

    @inlinable var isKnown: Bool { latency >= 0 }

    /// What remains of the average after the time that nothing renewed it.
    @inlinable func decayed(at now: Instant) -> Double {
      latency * PeakEWMA.decay / (PeakEWMA.decay + Double(max(0, now.nanoseconds &- renewed)))
    }

    @inlinable mutating func observe(_ sample: Double, at now: Instant) {
      if !isKnown || sample >= latency {
        latency = sample
      } else {
        let elapsed = Double(max(0, now.nanoseconds &- renewed))
        let kept = PeakEWMA.decay / (PeakEWMA.decay + elapsed)
        latency = latency * kept + sample * (1 - kept)
      }
      renewed = now.nanoseconds
    }
  }

  /// The time constant in nanoseconds: 10 s, as Finagle's and linkerd's.
  @inlinable static var decay: Double { 10e9 }
  /// How much better the second draw's score must be.
  @inlinable static var margin: Double { 1.25 }

  @usableFromInline var averages: [Average]
  /// Over all backends: the guess for those that are unknown.
  @usableFromInline var overall = Average()
  @usableFromInline var meanWeight: Double

  package init(_ table: PickTable) {
    averages = Array(repeating: Average(), count: table.candidates.count)
    meanWeight = table.pickable == 0 ? 1 : Double(table.totalWeight) / Double(table.pickable)
  }

  /// Backends that stay keep their averages.
  package mutating func resume(_ old: PeakEWMA, oldTable: PickTable, table: PickTable) {
    overall = old.overall
    if oldTable.candidates.elementsEqual(table.candidates, by: { $0.slot == $1.slot }) {
      averages = old.averages
      return
    }
    var known: [UInt32: Average] = [:]
    for (candidate, average) in zip(oldTable.candidates, old.averages) { known[candidate.slot.index] = average }
    for index in averages.indices { averages[index] = known[table.candidates[index].slot.index] ?? Average() }
  }

  /// What a request took, in nanoseconds to the response's head (or to the connection, for TCP).
  @inlinable package mutating func observe(latency: Int64, backend: Int, failed: Bool, now: Instant) {
    guard averages.indices.contains(backend) else { return }
    var sample = Double(max(0, latency))
    // A refusal is quick, and must not look like a fast server.
    if failed { sample = max(sample, 2 * expected(backend, now)) }
    averages[backend].observe(sample, at: now)
    overall.observe(sample, at: now)
  }

  @inlinable func expected(_ backend: Int, _ now: Instant) -> Double {
    if averages[backend].isKnown { return averages[backend].decayed(at: now) }
    return overall.isKnown ? overall.decayed(at: now) : 1
  }

  @inlinable package mutating func pick(
    _ table: PickTable, tried: TriedSet, loads: some LoadView, random: inout Random, now: Instant
  ) -> Int? {
    guard let first = table.draw(tried, loads, &random) else { return nil }
    guard table.pickable > 1, let second = table.draw(besides: first, tried, loads, &random) else { return first }
    return score(second, table, loads, now) * PeakEWMA.margin < score(first, table, loads, now) ? second : first
  }

  @inlinable func score(_ index: Int, _ table: PickTable, _ loads: some LoadView, _ now: Instant) -> Double {
    let candidate = table.candidates[index]
    let backlog = Double(max(0, loads.inFlight(candidate.slot))) * meanWeight / Double(candidate.weight)
    return max(1, expected(index, now)) * (backlog + 1)
  }
}
