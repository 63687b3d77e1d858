internal import Model
internal import Node
internal import Rollouts
internal import Telemetry

/// A canary with what its backends had counted at the last look.
struct CanaryRun: Sendable {
  /// Looks are this far apart, in milliseconds: blocks must not depend on what is in them.
  static let interval: Int64 = 500

  /// Counts are kept this often, in milliseconds; what decides is kept at once.
  static let keeping: Int64 = 5_000

  private struct Reading {
    let slot: BackendSlot
    let side: CanaryBlock.Side
  }

  var canary: Canary
  private var last: [String: Reading] = [:]
  private var traffic = PoolTraffic()
  private var lookedAt: Int64 = .min
  var keptAt: Int64 = .min

  init(_ canary: Canary) { self.canary = canary }

  func isKept(at now: Int64) -> Bool { keptAt != .min && (0..<CanaryRun.keeping).contains(now - keptAt) }

  /// What was counted since the last look; nil when it is too soon for another.
  mutating func look(_ snapshot: NodeSnapshot, at now: Int64) -> CanaryBlock? {
    guard lookedAt == .min || now - lookedAt >= CanaryRun.interval || now < lookedAt else { return nil }
    let isFirst = lookedAt == .min
    lookedAt = now
    var block = CanaryBlock(canary: .init(), control: .init())
    block.carrying = 0
    // What gets copies only carries nothing of the load: the others carry all of it.
    let copied = canary.mirrored == nil ? nil : canary.plan.version
    var readings: [String: Reading] = [:]
    for (pool, standings) in zip(snapshot.topology.pools, snapshot.standings) where pool.name == canary.plan.pool {
      for (backend, standing) in zip(pool.backends, standings) {
        let counts = snapshot.statistics.backends[standing.slot] ?? BackendStatistics()
        let reading = Reading(slot: standing.slot, side: CanaryBlock.Side(counts))
        readings[backend.name] = reading
        let isCanary = backend.version == canary.plan.version
        if copied == nil || !isCanary { block.load.inFlight += Int(clamping: counts.inFlight) }
        if isCanary, standing.verdict.takesTraffic, standing.state == .ready { block.carrying += 1 }
        let old = last[backend.name]
        let news = reading.side.since(old?.slot == standing.slot ? old?.side : nil)
        if isCanary { block.canary.add(news) } else { block.control.add(news) }
      }
    }
    last = readings
    if isFirst {
      // What was there before the canary began is no evidence.
      block.canary = .init()
      block.control = .init()
    }
    traffic.look(canary.plan.pool, snapshot, at: now, without: copied)
    block.load.perSecond = traffic.perSecond
    return block
  }
}

extension CanaryBlock.Side {
  init(_ counts: BackendStatistics) {
    let answers = counts.responses
    self.init(
      total: answers.successful + answers.redirection + answers.clientError + answers.serverError + counts.failures,
      errors: answers.serverError + counts.failures, latencies: counts.responseTimes.counts)
  }

  /// - Parameter old: nil: the backend's counters began at 0.
  func since(_ old: CanaryBlock.Side?) -> CanaryBlock.Side {
    guard let old, old.total <= total, old.errors <= errors else { return self }
    var result = self
    result.total -= old.total
    result.errors -= old.errors
    for (index, count) in old.latencies.enumerated() where index < result.latencies.count {
      result.latencies[index] -= min(count, result.latencies[index])
    }
    return result
  }

  fileprivate mutating func add(_ other: CanaryBlock.Side) {
    total += other.total
    errors += other.errors
    if latencies.isEmpty { latencies = [UInt64](repeating: 0, count: LatencyScale.buckets) }
    for (index, count) in other.latencies.enumerated() { latencies[index] += count }
  }
}
