import Kernel
import Model
import Reactor
import Wire

/// Rates per source for all workers: a fixed table of token buckets, without locks.
///
/// A bucket is one number, the theoretical arrival time of GCRA (ITU-T I.371): an
/// event is admitted when it is not more than the burst ahead of it. A set of four
/// holds the sources that hash to it; the one whose bucket has been full longest makes
/// room for a newcomer, so a flood of sources forgets idle ones first. The sets are
/// picked by a keyed hash. Two workers that race for a free way may admit one event too many.
final class RateTable: Sendable {
  private static let ways = 4
  private static let sets = 1 << 15

  private let cells: SharedCounters
  private let key = (Clock.entropy(), Clock.entropy())

  init() throws(Errno) { cells = try SharedCounters(rows: RateTable.sets, columns: RateTable.ways * 2) }

  /// Whether an event of `source` is within the rate. `purpose` keeps rates of different rules apart.
  func admit(_ source: IPAddress, purpose: UInt64, _ rate: Rate, now: Instant) -> Bool {
    var sip = SipHash(key: key)
    sip.update(purpose)
    sip.update(source.high)
    sip.update(source.low)
    let hash = sip.finish()
    let row = Int(truncatingIfNeeded: hash) & (RateTable.sets - 1)
    let tag = Int(truncatingIfNeeded: hash | 1)
    let way = find(row, tag)
    let increment = Int(max(1, rate.period.nanoseconds / Int64(max(1, rate.count))))
    let tolerance = increment * max(1, rate.burst)
    let clock = Int(now.nanoseconds)
    while true {
      let stored = cells.load(row, way * 2 + 1)
      let arrival = max(stored, clock)
      let next = arrival + increment
      if next - clock > tolerance { return false }
      if cells.exchange(row, way * 2 + 1, expected: stored, with: next) { return true }
    }
  }

  private func find(_ row: Int, _ tag: Int) -> Int {
    var oldest = 0
    var oldestTime = Int.max
    for way in 0..<RateTable.ways {
      if cells.load(row, way * 2) == tag { return way }
      let time = cells.load(row, way * 2 + 1)
      if time < oldestTime {
        oldestTime = time
        oldest = way
      }
    }
    cells.store(row, oldest * 2, tag)
    cells.store(row, oldest * 2 + 1, 0)
    return oldest
  }
}
