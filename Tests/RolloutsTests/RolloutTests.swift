import Rollouts
import Testing
import Wire

/// A pool in virtual time: drained backends empty themselves, updates take a while, and all of it can go wrong.
struct Pool {
  var backends: [String: BackendObservation] = [:]
  var perSecond: Int?
  var updates: [(backend: String, ends: Int64)] = []
  var now: Int64 = 0
  var rollout: Rollout
  var notes: [String] = []
  /// The least number of backends that carried traffic at once.
  var fewest = Int.max
  /// What an update leaves behind.
  var updateResult: (String, Rollout.Direction) -> (failure: String?, isUp: Bool, version: String) = { _, direction in
    (nil, true, direction == .forward ? "2" : "1")
  }

  init(_ count: Int, _ change: (inout RolloutPlan) -> Void = { _ in }) {
    let names = (0..<count).map { "b\($0)" }
    var plan = RolloutPlan(pool: "web", backends: names, method: .command(["update", "{backend}"]))
    plan.version = "2"
    change(&plan)
    rollout = Rollout(plan)
    for name in names {
      backends[name] = BackendObservation(inFlight: 3, isUp: true, isReady: true, reason: "200", version: "1")
    }
  }

  mutating func tick(_ event: RolloutEvent? = nil) {
    now += 1_000
    var effects: [RolloutEffect] = []
    if let event { rollout.handle(event, at: now, into: &effects) }
    for update in updates where update.ends <= now {
      let result = updateResult(update.backend, rollout.direction)
      backends[update.backend]?.isUp = result.isUp
      backends[update.backend]?.version = result.version
      rollout.handle(.updated(update.backend, failure: result.failure), at: now, into: &effects)
    }
    updates.removeAll { $0.ends <= now }
    rollout.handle(.observed(PoolObservation(backends: backends, perSecond: perSecond)), at: now, into: &effects)
    for effect in effects {
      switch effect {
      case .drain(let name):
        backends[name]?.isReady = false
        backends[name]?.inFlight = 1
      case .admit(let name):
        backends[name]?.isReady = true
        backends[name]?.inFlight = 3
      case .update(let name, _):
        backends[name]?.isUp = false
        updates.append((name, now + 3_000))
      case .note(let text): notes.append(text)
      }
    }
    for name in backends.keys where backends[name]?.isReady == false { backends[name]?.inFlight = 0 }
    fewest = min(fewest, backends.values.count { $0.isUp && $0.isReady })
  }

  mutating func run(_ limit: Int = 2_000) {
    for _ in 0..<limit where !rollout.phase.isOver { tick() }
  }
}

@Suite struct RolloutTests {
  @Test(arguments: [(1, 1), (2, 2), (3, 2), (10, 4)])
  func everyBackendIsUpdatedAndNeverMoreAreOutThanAllowed(batch: Int, unavailable: Int) {
    var pool = Pool(10) { plan in
      plan.batch = batch
      plan.maxUnavailable = unavailable
    }
    pool.run()
    #expect(pool.rollout.phase == .completed)
    #expect(pool.backends.values.allSatisfy { $0.version == "2" && $0.isReady })
    #expect(pool.fewest >= 10 - min(batch, unavailable))
  }

  @Test func aFailedUpdatePausesWithTheReasonAndKeepsTheBackendOut() {
    var pool = Pool(4)
    pool.updateResult = { name, _ in name == "b1" ? ("exit status 3", false, "1") : (nil, true, "2") }
    pool.run(200)
    #expect(pool.rollout.phase == .paused("b1: update failed: exit status 3"))
    #expect(pool.backends["b1"]?.isReady == false)
    #expect(pool.backends["b2"]?.version == "1" && pool.backends["b2"]?.isReady == true)
    #expect(pool.fewest >= 3)
  }

  @Test func whatTheProbeSaidBeforeTheUpdateDoesNotCount() {
    var pool = Pool(2) { $0.settle = .seconds(5) }
    // The verdict is still the old version's for a while after the update.
    pool.updateResult = { _, _ in (nil, true, "2") }
    for _ in 0..<200 {
      if case .verifying(let since) = pool.rollout.items[0].step, pool.now - since >= 3_000 {
        pool.backends["b0"]?.isUp = false
      }
      #expect(pool.backends["b0"]?.isReady == false || pool.rollout.items[0].step == .pending)
      pool.tick()
    }
    guard case .paused(let reason) = pool.rollout.phase else { return #expect(Bool(false)) }
    #expect(reason.hasPrefix("b0: it is not up"))
  }

  @Test func aBackendThatComesBackWithTheWrongVersionIsNotAdmitted() {
    var pool = Pool(3)
    pool.updateResult = { _, _ in (nil, true, "1") }
    pool.run(200)
    guard case .paused(let reason) = pool.rollout.phase else { return #expect(Bool(false)) }
    #expect(reason == "b0: it reports version 1, not 2")
    #expect(pool.backends["b0"]?.isReady == false)
  }

  @Test func anUpdateThatHangsIsGivenUp() {
    var pool = Pool(3) { $0.updateTimeout = .seconds(2) }
    pool.run(50)
    guard case .paused(let reason) = pool.rollout.phase else { return #expect(Bool(false)) }
    #expect(reason.hasPrefix("b0: the update took longer than"))
  }

  @Test func resumeTriesAgain() {
    var pool = Pool(3)
    pool.updateResult = { _, _ in ("no", false, "1") }
    pool.run(60)
    pool.updateResult = { _, _ in (nil, true, "2") }
    pool.tick(.order(.resume))
    pool.run()
    #expect(pool.rollout.phase == .completed)
    #expect(pool.backends.values.allSatisfy { $0.version == "2" && $0.isReady })
  }

  @Test func rollbackUndoesWhatWasDoneAndNothingElse() {
    var pool = Pool(4)
    pool.updateResult = { name, direction in
      direction == .back ? (nil, true, "1") : name == "b2" ? ("no", false, "?") : (nil, true, "2")
    }
    pool.run(200)
    pool.tick(.order(.rollback))
    pool.run()
    #expect(pool.rollout.phase == .aborted("rolled back"))
    #expect(pool.backends.values.allSatisfy { $0.version == "1" && $0.isReady })
    #expect(!pool.notes.contains("b3: updated"))
  }

  @Test func aPauseFinishesTheBatchAndBeginsNoOther() {
    var pool = Pool(3)
    pool.tick()
    pool.tick(.order(.pause))
    pool.run(60)
    #expect(pool.backends.values.count { $0.version == "2" } == 1)
    #expect(pool.backends.values.allSatisfy { $0.isReady })
  }

  @Test func anAbortLeavesTheRestAloneAndReady() {
    var pool = Pool(3)
    pool.tick()
    pool.tick(.order(.abort))
    #expect(pool.rollout.phase == .aborted("by order"))
    #expect(pool.backends.values.allSatisfy { $0.isReady && $0.version == "1" })
  }

  @Test func itWaitsWhileOthersAreOut() {
    var pool = Pool(4)
    pool.backends["b3"]?.isUp = false
    var plan = RolloutPlan(pool: "web", backends: ["b0", "b1"], method: .command(["x"]))
    plan.version = "2"
    pool.rollout = Rollout(plan)
    pool.run(30)
    #expect(pool.rollout.waiting == "1 other backends take no traffic, and no more than 1 may")
    #expect(pool.notes.count { $0.hasPrefix("waits") } == 1)
    pool.backends["b3"]?.isUp = true
    pool.run()
    #expect(pool.rollout.phase == .completed)
  }

  @Test func itWaitsWhileTheRestCouldNotCarryTheLoad() {
    var pool = Pool(3) { $0.capacity = 4 }
    // 9 in flight need all three of four each.
    pool.run(20)
    #expect(pool.rollout.waiting == "9 requests in flight need 3 of 3 backends")
    for name in pool.backends.keys { pool.backends[name]?.inFlight = 2 }
    pool.run()
    #expect(pool.rollout.phase == .completed)
  }

  @Test func itWaitsWhileTheRestCouldNotAnswerTheRate() {
    var pool = Pool(3) { ($0.capacity, $0.rate) = (9, 100) }
    pool.run(3)
    #expect(pool.rollout.waiting == "the pool's requests a second are being counted")
    pool.perSecond = 201
    pool.run(3)
    // 9 in flight need one of nine; 201 a second need three of a hundred.
    #expect(pool.rollout.waiting == "201 requests a second need 3 of 3 backends")
    pool.perSecond = 200
    pool.run()
    #expect(pool.rollout.phase == .completed && pool.fewest == 2)
  }

  @Test func aManualRolloutGoesOnWhenTold() {
    var pool = Pool(2) { $0.method = .manual }
    for name in ["b0", "b1"] {
      pool.run(30)
      #expect(pool.rollout.waiting == "update \(name) by hand, then `sluice rollout next`")
      #expect(pool.backends[name]?.isReady == false && pool.fewest == 1)
      pool.backends[name]?.version = "2"
      pool.tick(.order(.next))
    }
    pool.run()
    #expect(pool.rollout.phase == .completed)
  }

  @Test func aRestartGoesOnWhereItWas() {
    var random = Random(seed: 3)
    for _ in 0..<200 {
      var pool = Pool(5)
      let stop = Int(random.below(60))
      for _ in 0..<stop { pool.tick() }
      // The process is gone, and with it the updates that ran.
      pool.updates = []
      var effects: [RolloutEffect] = []
      pool.rollout.recover(at: pool.now, into: &effects)
      for case .update(let name, _) in effects { pool.updates.append((name, pool.now + 3_000)) }
      pool.run()
      #expect(pool.rollout.phase == .completed)
      #expect(pool.backends.values.allSatisfy { $0.version == "2" && $0.isReady })
    }
  }
}
