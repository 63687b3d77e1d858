internal import Admin
internal import Foundation
internal import Model
internal import Node
internal import Rollouts

/// What of rollouts outlives the process: a document for each pool, written before anything is done by it.
extension RolloutDriver {
  static let area = "rollouts"

  /// - Returns: why it is not on the disk; nil: it is, or nothing shall be kept.
  func keep(_ document: KeptRollout, _ pool: String) async -> String? {
    let store = node.ports.store
    guard store.path != nil else { return nil }
    do {
      try await store.save([pool: try Handover.encode(document)], RolloutDriver.area)
      return nil
    } catch {
      return "\(error)"
    }
  }

  static func lost(_ reason: String) -> String { "its state cannot be kept: \(reason)" }

  static func notKept(_ reason: String) -> AdminError {
    AdminError(
      .conflict, "the rollout is not begun, since \(lost(reason))", hint: "`sluice status` says when the store is back")
  }

  // MARK: Start

  /// Before the node begins: takes in what was kept.
  /// - Returns: how pools are to be divided from the first client on.
  func restore(_ topology: Topology) async -> [String: VersionSplit] {
    let store = node.ports.store
    guard store.path != nil else { return [:] }
    let documents: [String: [UInt8]]
    // Whoever has the store says that it is lost.
    do { documents = try await store.documents(RolloutDriver.area) } catch { return [:] }
    var splits: [String: VersionSplit] = [:]
    for (name, bytes) in documents.sorted(by: { $0.key < $1.key }) {
      guard let kept = try? JSONDecoder().decode(KeptRollout.self, from: Data(bytes)), kept.isSound(for: name) else {
        await node.note(.rollout, "\(name): what was kept of its rollout is not understood, and left alone")
        continue
      }
      let pool = topology.pools.first { $0.name == name }
      if let rollout = kept.rollout {
        // Of a pool that is gone only what is under way matters: it pauses, and says why.
        guard pool != nil || !rollout.phase.isOver else { continue }
        runs[name] = Run(rollout: rollout, versionPath: kept.versionPath, intents: kept.intents)
      } else if let canary = kept.canary {
        // One that is over holds until the file says something new of the pool's versions.
        guard let pool, !canary.phase.isOver || pool.versions.serve == kept.serve else { continue }
        canaries[name] = CanaryRun(canary)
        splits[name] = canary.split
      }
    }
    return splits
  }

  /// The node serves, and no process before it acts any more: goes on.
  func resume() async {
    for pool in runs.keys.sorted() { await inTurn { await $0.resume(pool) } }
    for pool in canaries.keys.sorted() where isUnderWay(pool) {
      canaries[pool]?.canary.recover(at: node.ports.wallClock())
      await node.note(.rollout, "\(pool): goes on after a restart")
    }
    keepLooking()
  }

  private func resume(_ pool: String) async {
    guard var run = runs[pool] else { return }
    let intents = run.intents
    if isUnderWay(pool) {
      let event = await node.note(.rollout, "\(pool): goes on after a restart")
      runs[pool]?.word = event
    }
    var effects: [RolloutEffect] = []
    run.rollout.recover(at: node.ports.wallClock(), into: &effects)
    runs[pool]?.rollout = run.rollout
    for (backend, state) in intents.sorted(by: { $0.key < $1.key }) {
      _ = await fulfil(state, pool, backend, because: runs[pool]?.word)
    }
    await carryOut(effects, pool)
    if let run = runs[pool] { _ = await keep(KeptRollout(run), pool) }
  }

  // MARK: A successor

  /// Begins nothing more, and returns when no update runs.
  /// - Throws: with everything going on as before.
  func hold(within limit: Duration) async throws(Failure) {
    guard node.ports.store.path != nil || running.isEmpty else {
      throw Failure(
        "pool \(running[0]) is being rolled out, which a new process would not know: nothing is kept without `state`",
        hint: "wait until it is done, or `sluice rollout abort \(running[0])`")
    }
    isHeld = true
    // What was decided before may begin an update yet.
    await inTurn { _ in }
    let deadline = node.ports.now() + limit
    while !updating.isEmpty, node.ports.now() < deadline {
      try? await Task.sleep(for: .milliseconds(20))
    }
    if let one = updating.sorted().first {
      release()
      throw Failure("the update of \(one) has not ended within \(limit)", hint: "try again when it has")
    }
    // What was being written is written.
    await inTurn { _ in }
  }

  /// There is no successor.
  func release() {
    isHeld = false
    keepLooking()
  }
}

extension KeptRollout {
  init(_ run: RolloutDriver.Run) { self.init(run.rollout, versionPath: run.versionPath, intents: run.intents) }
}
