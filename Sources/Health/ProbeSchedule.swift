package import Model
import Wire

/// When each probe is due: O(log n) per probe, and never two of one backend at once.
///
/// First probes come as soon as they can, at most 2,000 a second, so that verdicts
/// precede requests; each then takes a phase of its own in the interval (golden-ratio
/// steps by index), and seeded jitter keeps nodes apart.
package struct ProbeSchedule: Sendable {
  package struct Pace: Hashable, Sendable {
    package var every: Duration
    /// While the verdict is about to change.
    package var fast: Duration
    /// Each interval varies by up to this share of itself.
    package var jitter: Double

    package init(every: Duration, fast: Duration? = nil, jitter: Double = 0) {
      self.every = every
      self.fast = fast ?? every
      self.jitter = min(max(jitter, 0), 1)
    }

    package init(_ probe: Probe) { self.init(every: probe.every, fast: probe.fast, jitter: probe.jitter) }
  }

  private struct Entry: Hashable, Sendable {
    var due: Instant
    var id: Int
    var stamp: UInt64
  }

  private struct Target: Sendable {
    var pace: Pace
    /// Of the entry in the heap that counts; older ones are leftovers.
    var stamp: UInt64
    var phase: Double
    var started: Instant?
    /// Still in the line of first probes, not yet in its own phase.
    var isFirst = true
    var isRunning = false
    var isChanging = false
  }

  static let firstSpacing = Duration.microseconds(500)

  private var heap: [Entry] = []
  private var targets: [Int: Target] = [:]
  private var random: Random
  private var stamps: UInt64 = 0
  private var entered: UInt64 = 0
  /// Where the line of first probes ends.
  private var lineEnd = Instant(nanoseconds: .min)

  package init(seed: UInt64) { random = Random(seed: seed) }

  package var count: Int { targets.count }

  /// When the next probe is due.
  package var nextDue: Instant? { heap.first?.due }

  /// Adds a target, or changes a known one's pace, which keeps its turn unless the new pace is sooner.
  package mutating func set(_ id: Int, pace: Pace, at now: Instant) {
    if var target = targets[id] {
      guard target.pace != pace else { return }
      target.pace = pace
      targets[id] = target
      if !target.isRunning { schedule(id, min(due(id) ?? now, now + interval(target))) }
      return
    }
    entered &+= 1
    let phase = Double((entered &* 0x9e37_79b9_7f4a_7c15) >> 11) / 9_007_199_254_740_992
    targets[id] = Target(pace: pace, stamp: 0, phase: phase)
    lineEnd = max(now, lineEnd + ProbeSchedule.firstSpacing)
    schedule(id, lineEnd)
  }

  package mutating func remove(_ id: Int) {
    targets[id] = nil
    dropLeftovers()
  }

  /// Probes a target as soon as possible (back from maintenance).
  package mutating func hasten(_ id: Int, at now: Instant) {
    guard let target = targets[id], !target.isRunning else { return }
    schedule(id, now)
  }

  /// The next target whose probe is to start now; call until nil.
  package mutating func popDue(at now: Instant) -> Int? {
    guard let first = heap.first, first.due <= now else { return nil }
    removeFirst()
    targets[first.id]?.isRunning = true
    targets[first.id]?.started = now
    dropLeftovers()
    return first.id
  }

  /// A probe ended: the next starts one interval after this one's start, or now if it took longer.
  /// - Parameter changing: whether the verdict is about to change; nil: as said last.
  package mutating func finished(_ id: Int, changing: Bool? = nil, at now: Instant) {
    guard var target = targets[id], target.isRunning else { return }
    target.isChanging = changing ?? target.isChanging
    target.isRunning = false
    targets[id] = target
    scheduleNext(id, at: now)
  }

  /// Says whether the target's verdict is about to change; takes effect on the wait that runs now.
  ///
  /// What a probe found is judged elsewhere, so this comes a moment after `finished`.
  package mutating func setChanging(_ id: Int, _ changing: Bool, at now: Instant) {
    guard var target = targets[id], target.isChanging != changing else { return }
    target.isChanging = changing
    targets[id] = target
    if !target.isRunning { scheduleNext(id, at: now) }
  }

  private mutating func scheduleNext(_ id: Int, at now: Instant) {
    // Who has not been probed yet keeps its place in the line.
    guard let target = targets[id], let started = target.started else { return }
    var wait = interval(target)
    if target.isFirst, !target.isChanging {
      // Away from the line, to the target's own phase: half an interval to one and a half.
      wait = .nanoseconds(Int64(Double(target.pace.every.nanoseconds) * (0.5 + target.phase)))
      targets[id]?.isFirst = false
    }
    schedule(id, max(now, started + wait))
  }

  private mutating func interval(_ target: Target) -> Duration {
    let base = Double((target.isChanging ? target.pace.fast : target.pace.every).nanoseconds)
    let unit = Double(random.next() >> 11) / 9_007_199_254_740_992
    return .nanoseconds(Int64(max(1_000_000, base * (1 + target.pace.jitter * (2 * unit - 1)))))
  }

  private func due(_ id: Int) -> Instant? {
    guard let stamp = targets[id]?.stamp else { return nil }
    return heap.first { $0.id == id && $0.stamp == stamp }?.due
  }

  private mutating func schedule(_ id: Int, _ due: Instant) {
    stamps &+= 1
    targets[id]?.stamp = stamps
    heap.append(Entry(due: due, id: id, stamp: stamps))
    siftUp(heap.count - 1)
    dropLeftovers()
  }

  /// INVARIANT: the heap's first entry, if any, counts.
  private mutating func dropLeftovers() {
    while let first = heap.first, isLeftover(first) { removeFirst() }
  }

  private func isLeftover(_ entry: Entry) -> Bool {
    guard let target = targets[entry.id] else { return true }
    return target.stamp != entry.stamp || target.isRunning
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    siftDown(0)
  }

  private func precedes(_ one: Int, _ other: Int) -> Bool {
    (heap[one].due, heap[one].stamp) < (heap[other].due, heap[other].stamp)
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    while index > 0, precedes(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count && precedes(child, least) { least = child }
      guard least != index else { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}
