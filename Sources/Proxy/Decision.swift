import Balance
import Model
import Telemetry
import Wire

/// Loads as they were at one moment.
struct RecordedLoads: LoadView {
  private let loads: [UInt32: Int]

  init(_ standings: [Standing], _ live: LiveLoads) {
    loads = Dictionary(
      standings.map { ($0.slot.index, live.inFlight($0.slot)) }, uniquingKeysWith: { first, _ in first })
  }

  func inFlight(_ slot: BackendSlot) -> Int { loads[slot.index] ?? 0 }
}

/// A pick with everything that it depends on, so that it can be made again.
struct Decision: Sendable {
  /// Of larger pools nothing is recorded: a pick must not cost a request its time.
  static let mostBackends = 256

  let pool: CompiledPool
  let request: PickRequest
  let version: UInt8
  /// By persistence: the index to go to; -1: none.
  let wanted: Int
  let loads: RecordedLoads
  let now: Instant
  /// As they were before the pick. Copies share their arrays until one of them changes.
  let picker: Picker
  let versionPicker: Picker?
  let random: Random

  /// What a pick leaves behind.
  struct Outcome {
    var index: Int?
    var isPersistent = false
    var picker: Picker
    var versionPicker: Picker?
    var random: Random
  }

  /// The pick itself, by the code that serves requests.
  func make() -> Outcome {
    var outcome = Outcome(picker: picker, versionPicker: versionPicker, random: random)
    if pool.holds(wanted, tried: request.tried, loads: loads) {
      outcome.index = wanted
      outcome.isPersistent = true
      return outcome
    }
    outcome.index = outcome.versionPicker?.pick(request, loads: loads, random: &outcome.random, now: now)
    if outcome.index == nil {
      outcome.index = outcome.picker.pick(request, loads: loads, random: &outcome.random, now: now)
    }
    return outcome
  }

  /// How often each backend would be picked if it went on from here.
  private func draws() -> [Int] {
    var outcome = Outcome(picker: picker, versionPicker: versionPicker, random: random)
    var counts = [Int](repeating: 0, count: pool.standings.count)
    for _ in 0..<Explanation.Pick.draws {
      var index = outcome.versionPicker?.pick(request, loads: loads, random: &outcome.random, now: now)
      if index == nil { index = outcome.picker.pick(request, loads: loads, random: &outcome.random, now: now) }
      if let index { counts[index] += 1 }
    }
    return counts
  }

  /// - Parameter chosen: what was picked when it counted.
  func explained(chosen: Int?) -> Explanation.Pick {
    let again = make()
    let counts = again.isPersistent ? pool.standings.indices.map { $0 == wanted ? Explanation.Pick.draws : 0 } : draws()
    let candidates = zip(pool.model.backends, pool.standings).enumerated().map { index, pair in
      Explanation.Pick.Candidate(
        backend: pair.0.name, standing: pair.1, version: pair.0.version, load: loads.inFlight(pair.1.slot),
        limit: pool.limit(index), wasTried: request.tried.contains(index), drawn: counts[index])
    }
    let group = Int(version)
    let label = pool.split.flatMap { split -> String? in
      guard group <= split.labels.count else { return nil }
      return group < split.labels.count ? String(decoding: split.labels[group], as: UTF8.self) : "others"
    }
    return Explanation.Pick(
      policy: pool.model.policy, seed: random.state, hash: picker.hashes ? request.hash : nil, version: label,
      persistent: wanted >= 0 && wanted < candidates.count ? candidates[wanted].backend : nil, candidates: candidates,
      chosen: chosen, isReproduced: again.index == chosen)
  }
}

extension CompiledPool {
  /// Whether a client that belongs to a backend still goes there.
  @inline(__always) func holds(_ wanted: Int, tried: TriedSet, loads: some LoadView) -> Bool {
    guard wanted >= 0, wanted < standings.count, !tried.contains(wanted) else { return false }
    let standing = standings[wanted]
    guard standing.acceptsPersistent else { return false }
    return limit(wanted).map { loads.inFlight(standing.slot) < $0 } ?? true
  }
}
