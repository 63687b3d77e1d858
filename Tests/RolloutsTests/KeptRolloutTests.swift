import Foundation
import Model
import Rollouts
import Testing

@Suite struct KeptRolloutTests {
  private func again(_ kept: KeptRollout) throws -> KeptRollout {
    try JSONDecoder().decode(KeptRollout.self, from: try JSONEncoder().encode(kept))
  }

  /// The process ends every seven seconds, with what ran lost; the rollout, which soaks for less, ends well all the same.
  @Test func aRolloutOutlivesAnyNumberOfEnds() throws {
    var pool = Pool(6) { plan in
      plan.method = .command(["/bin/update"])
      plan.batch = 2
      plan.maxUnavailable = 2
      plan.soak = .seconds(2)
    }
    var ends = 0
    for tick in 0..<500 where !pool.rollout.phase.isOver {
      pool.tick()
      guard tick % 7 == 0 else { continue }
      ends += 1
      let kept = try again(KeptRollout(pool.rollout, versionPath: nil, intents: [:]))
      #expect(kept.isSound(for: "web"))
      #expect(kept.rollout == pool.rollout)
      pool.rollout = try #require(kept.rollout)
      // What ran is cut off, and leaves the backend as it was.
      for update in pool.updates { pool.backends[update.backend]?.isUp = true }
      pool.updates = []
      var effects: [RolloutEffect] = []
      pool.rollout.recover(at: pool.now, into: &effects)
      for case .update(let name, _) in effects { pool.updates.append((name, pool.now + 3_000)) }
    }
    #expect(pool.rollout.phase == .completed)
    #expect(pool.backends.values.allSatisfy { $0.version == "2" && $0.isReady })
    #expect(pool.fewest >= 4)
    #expect(ends > 1)
  }

  @Test func aBackendThatSoakedIsTakenOutWhenItIsNotWellAfterTheRestart() {
    var pool = Pool(3)
    while !pool.rollout.items.contains(where: { if case .soaking = $0.step { true } else { false } }) { pool.tick() }
    var effects: [RolloutEffect] = []
    pool.rollout.recover(at: pool.now, into: &effects)
    pool.backends["b0"]?.isUp = false
    pool.run(300)
    #expect(pool.rollout.phase == .paused("b0: it is not up: 200"))
    #expect(pool.backends["b0"]?.isReady == false)
  }

  @Test func aCanaryIsTheSameAfterwards() throws {
    var effects: [Canary.Effect] = []
    var canary = Canary(plan, at: 1_000, into: &effects)
    var block = CanaryBlock(
      canary: .init(total: 100, errors: 1, latencies: [50, 50]),
      control: .init(total: 900, errors: 9, latencies: [500, 400]))
    for time in 2..<5 as Range<Int64> {
      block.canary.errors = UInt64(time)
      canary.handle(.looked(block), at: time * 1_000, into: &effects)
    }
    let kept = try again(KeptRollout(canary, serve: "v1"))
    #expect(kept.canary == canary)
    #expect(kept.isSound(for: "web"))
    #expect(!kept.isSound(for: "another"))
    canary.recover(at: 60_000)
    #expect(canary.samples == 300)
  }

  private var plan: CanaryPlan {
    var plan = CanaryPlan()
    (plan.pool, plan.version) = ("web", "v2")
    return plan
  }

  /// Every number and list of a document, made nonsense one after the other: nothing traps, whatever is taken.
  @Test func nonsenseIsRefusedOrHarmless() throws {
    var effects: [Canary.Effect] = []
    let canary = KeptRollout(Canary(plan, at: 1_000, into: &effects), serve: nil)
    var pool = Pool(3) { $0.method = .command(["/bin/update"]) }
    for _ in 0..<3 { pool.tick() }
    let rollout = KeptRollout(pool.rollout, versionPath: nil, intents: ["b0": .drain])
    var (refused, taken) = (0, 0)
    for document in [canary, rollout] {
      let object = try JSONSerialization.jsonObject(with: try JSONEncoder().encode(document))
      for wrong in [-1, Int.max, Int.min, 0] as [Int] {
        for changed in variants(object, wrong) {
          let data = try JSONSerialization.data(withJSONObject: changed, options: .fragmentsAllowed)
          guard let kept = try? JSONDecoder().decode(KeptRollout.self, from: data), kept.isSound(for: "web") else {
            refused += 1
            continue
          }
          taken += 1
          exercise(kept, pool)
        }
      }
    }
    #expect(refused > 50 && taken > 10)
  }

  /// Copies with one number, or one list, each replaced.
  private func variants(_ value: Any, _ wrong: Int) -> [Any] {
    if let object = value as? [String: Any] {
      return object.flatMap { key, inner in
        variants(inner, wrong).map { changed in
          var copy = object
          copy[key] = changed
          return copy
        }
      }
    }
    if let list = value as? [Any] {
      return [[Any]()]
        + list.indices.flatMap { index in
          variants(list[index], wrong).map { changed in
            var copy = list
            copy[index] = changed
            return copy
          }
        }
    }
    return value is NSNumber ? [wrong] : []
  }

  private func exercise(_ kept: KeptRollout, _ pool: Pool) {
    let now: Int64 = 1_800_000_000_000
    if var rollout = kept.rollout {
      var effects: [RolloutEffect] = []
      rollout.recover(at: now, into: &effects)
      for step in 0..<20 as Range<Int64> {
        rollout.handle(.observed(PoolObservation(backends: pool.backends)), at: now + step * 60_000, into: &effects)
      }
    }
    if var canary = kept.canary {
      var effects: [Canary.Effect] = []
      canary.recover(at: now)
      for step in 0..<20 as Range<Int64> {
        let block = CanaryBlock(
          canary: .init(total: 1_000, errors: 1, latencies: [500, 500]),
          control: .init(total: 1_000, errors: 1, latencies: [500, 500]))
        canary.handle(.looked(block), at: now + step * 60_000, into: &effects)
      }
    }
  }
}
