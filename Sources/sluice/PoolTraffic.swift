internal import Model
internal import Node
internal import Rollouts
internal import Telemetry

/// How many requests a second a pool's backends get, from their counters look by look.
struct PoolTraffic: Sendable {
  private struct Reading {
    let slot: BackendSlot
    let requests: UInt64
  }

  private var last: [String: Reading] = [:]
  private var meter = RateMeter()
  var perSecond: Int? { meter.perSecond }

  /// - Parameters:
  ///   - now: milliseconds.
  ///   - version: of backends that get copies only, which nobody sent; nil: none do.
  mutating func look(_ pool: String, _ snapshot: NodeSnapshot, at now: Int64, without version: String? = nil) {
    guard let index = snapshot.topology.pools.firstIndex(where: { $0.name == pool }) else { return }
    var readings: [String: Reading] = [:]
    var news: UInt64 = 0
    for (backend, standing) in zip(snapshot.topology.pools[index].backends, snapshot.standings[index]) {
      let reading = Reading(slot: standing.slot, requests: snapshot.statistics.backends[standing.slot]?.requests ?? 0)
      readings[backend.name] = reading
      if version != nil, backend.version == version { continue }
      // A backend with another slot counts from 0.
      let before = last[backend.name].flatMap { $0.slot == reading.slot ? $0.requests : nil } ?? 0
      if reading.requests > before { news += reading.requests - before }
    }
    // What was counted before the first look is no rate.
    meter.count(last.isEmpty ? 0 : news, at: now)
    last = readings
  }
}
