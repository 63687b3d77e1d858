package import Model

/// What is kept of a pool's rollout, so that another process of the node goes on where this one was.
///
/// It is written *before* anything is done (intent first): after a crash the states in `intents` are given again, which
/// does no harm where they were given already, and an update whose end was not seen is asked for again.
package struct KeptRollout: Codable, Hashable, Sendable {
  package static let format = 1
  /// Of backends, steps, requests: more than anybody has.
  private static let most = 1_000_000
  /// No clock says more: the year 9999, in milliseconds; counters above it are nonsense, too.
  private static let greatest: Int64 = 253_402_300_800_000

  package var format = KeptRollout.format
  /// One of both.
  package var rollout: Rollout?
  package var canary: Canary?
  package var versionPath: String?
  /// Backends that shall have another state, and perhaps have it not yet.
  package var intents: [String: AdministrativeState] = [:]
  /// What the file said of the pool's versions meanwhile: a canary that is over ends with it.
  package var serve: String?

  package init(_ rollout: Rollout, versionPath: String?, intents: [String: AdministrativeState]) {
    self.rollout = rollout
    self.versionPath = versionPath
    self.intents = intents
  }

  package init(_ canary: Canary, serve: String?) {
    self.canary = canary
    self.serve = serve
  }

  /// Whether this version can go on with it: what was read may be damaged, or of a later version.
  /// - Parameter pool: under whose name it was found.
  package func isSound(for pool: String) -> Bool {
    guard format == KeptRollout.format else { return false }
    switch (rollout, canary) {
    case (.some(let rollout), nil): return rollout.plan.pool == pool && rollout.isSound
    case (nil, .some(let canary)): return canary.plan.pool == pool && canary.isSound
    default: return false
    }
  }

  static func isSound(_ time: Int64) -> Bool { (0...greatest).contains(time) }
  static func isSound(_ count: UInt64) -> Bool { count <= UInt64(greatest) }
  static func isSound(_ span: Duration) -> Bool { span >= .zero && span <= .seconds(86_400 * 366) }
  static func isSound(_ counts: [UInt64]) -> Bool { counts.count <= most && counts.allSatisfy { isSound($0) } }
  static func isSound(number: Int) -> Bool { (0...most).contains(number) }
}

extension Rollout {
  fileprivate var isSound: Bool {
    for span in [plan.drainTimeout, plan.updateTimeout, plan.healthTimeout, plan.settle, plan.soak] {
      guard KeptRollout.isSound(span) else { return false }
    }
    for number in [plan.batch, plan.maxUnavailable, items.count, plan.capacity ?? 1, plan.rate ?? 1] {
      guard KeptRollout.isSound(number: number) else { return false }
    }
    guard plan.method.isSound, plan.undo.map(\.isSound) ?? true else { return false }
    guard Set(items.map(\.backend)).count == items.count else { return false }
    for item in items {
      switch item.step {
      case .pending, .done, .failed: break
      case .draining(let since), .updating(let since), .verifying(let since), .soaking(let since):
        guard KeptRollout.isSound(since) else { return false }
      }
    }
    return true
  }
}

extension RolloutPlan.Method {
  fileprivate var isSound: Bool {
    switch self {
    case .command(let words): words.first?.hasPrefix("/") == true
    case .webhook, .manual: true
    }
  }
}

extension Canary {
  fileprivate var isSound: Bool {
    guard plan.steps.indices.contains(step), plan.steps.allSatisfy({ (0...100).contains($0) }) else { return false }
    guard plan.mirrored.map({ (0...10_000).contains($0) }) ?? !plan.steps.contains(0) else { return false }
    guard KeptRollout.isSound(plan.hold), KeptRollout.isSound(plan.patience) else { return false }
    guard KeptRollout.isSound(plan.samples), KeptRollout.isSound(number: plan.capacity ?? 1),
      KeptRollout.isSound(number: plan.rate ?? 1)
    else { return false }
    guard !history.isEmpty, KeptRollout.isSound(number: history.count) else { return false }
    for step in history {
      guard KeptRollout.isSound(step.since), KeptRollout.isSound(step.until ?? 0) else { return false }
      guard step.canary.isSound, step.control.isSound, KeptRollout.isSound(number: step.looks ?? 0) else {
        return false
      }
    }
    return errors.isSound && slowness.isSound
  }
}

extension CanaryBlock.Side {
  fileprivate var isSound: Bool {
    KeptRollout.isSound(total) && KeptRollout.isSound(errors) && KeptRollout.isSound(latencies)
  }
}

extension SlownessTest {
  fileprivate var isSound: Bool {
    alpha >= 1e-9 && alpha < 1 && tests.count == SlownessTest.quantiles.count && tests.allSatisfy(\.isSound)
  }
}

extension SequentialTest {
  fileprivate var isSound: Bool {
    guard alpha >= 1e-9, alpha < 1, logEvidence.isFinite else { return false }
    return canary.isSound && control.isSound
  }
}

extension SequentialTest.Count {
  fileprivate var isSound: Bool { KeptRollout.isSound(total) && hits <= total }
}
