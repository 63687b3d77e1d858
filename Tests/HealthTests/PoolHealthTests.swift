import Health
import Model
import Testing

@Suite struct PoolHealthTests {
  func pool(_ count: Int, maxEjected: Double = 0.5, slowStart: Duration = .zero, probe: Bool = false) -> Pool {
    var pool = Pool(
      name: "web",
      backends: (0..<count).map {
        Backend(name: "b\($0)", address: .ip(Endpoint(IPAddress(10, 0, 0, UInt8($0 % 250)), 80)))
      })
    var outlier = OutlierPolicy()
    outlier.maxEjectedShare = maxEjected
    pool.outlier = outlier
    pool.slowStart = slowStart
    if probe { pool.probe = Probe(kind: .tcp(send: [], expect: nil)) }
    return pool
  }

  func ejected(_ health: PoolHealth) -> Int {
    health.pool.backends.count { health.verdict($0.name)?.state == .ejected }
  }

  func trip(_ health: inout PoolHealth, _ name: String, at now: Instant = epoch) -> [PoolHealth.Effect] {
    var effects: [PoolHealth.Effect] = []
    health.handle(.trip(failures: 5, reason: "connect: refused"), backend: name, at: now, into: &effects)
    return effects
  }

  @Test(arguments: [(1, 0.5, 0), (2, 0.5, 1), (2, 0.0, 1), (10, 0.5, 5), (10, 0.25, 2), (10, 0.0, 1), (4, 1.0, 3)])
  func atMostTheShareIsEjected(count: Int, share: Double, expected: Int) {
    var health = PoolHealth(pool(count, maxEjected: share), at: epoch)
    var refused = 0
    for index in 0..<count {
      for effect in trip(&health, "b\(index)") { if case .ejectionRefused = effect { refused += 1 } }
    }
    #expect(ejected(health) == expected)
    #expect(refused == count - expected)
  }

  @Test func aDownBackendIsNobodyToRelyOn() {
    var health = PoolHealth(pool(2, probe: true), at: epoch)
    var effects: [PoolHealth.Effect] = []
    health.handle(.probe(.success), backend: "b0", at: epoch, into: &effects)
    #expect(trip(&health, "b0") == [.ejectionRefused("b0", reason: "5 consecutive failures: connect: refused")])
    health.handle(.probe(.success), backend: "b1", at: epoch, into: &effects)
    #expect(trip(&health, "b0").count == 1)
    #expect(health.verdict("b0")?.state == .ejected)
  }

  @Test func theDriverSleepsExactlyUntilTheNextTimer() {
    var health = PoolHealth(pool(5), at: epoch)
    #expect(health.nextTimer == nil)
    _ = trip(&health, "b1", at: epoch)
    _ = trip(&health, "b3", at: epoch + .seconds(3))
    #expect(health.nextTimer == epoch + .seconds(10))
    var effects: [PoolHealth.Effect] = []
    health.tick(at: epoch + .seconds(9), into: &effects)
    #expect(effects.isEmpty)
    health.tick(at: epoch + .seconds(10), into: &effects)
    #expect(health.verdict("b1")?.state == .up && health.nextTimer == epoch + .seconds(13))
    health.tick(at: epoch + .seconds(13), into: &effects)
    #expect(health.nextTimer == nil && effects.count == 2)
  }

  @Test func aReloadKeepsHealthByNameAndAddress() {
    var health = PoolHealth(pool(3, slowStart: .seconds(10), probe: true), at: epoch)
    var effects: [PoolHealth.Effect] = []
    for name in ["b0", "b1", "b2"] { health.handle(.probe(.success), backend: name, at: epoch, into: &effects) }
    _ = trip(&health, "b2", at: epoch)
    effects = []
    var next = pool(4, slowStart: .seconds(10), probe: true)
    next.backends[1].address = .ip(Endpoint(.loopbackV4, 81))
    next.backends.swapAt(0, 2)
    health.reconfigure(next, at: epoch + .seconds(1), into: &effects)
    #expect(effects.isEmpty)
    #expect(health.verdict("b0") == Verdict(.up, reason: "probe succeeded", since: epoch))
    #expect(health.verdict("b2")?.state == .ejected)
    #expect(health.verdict("b1")?.reason == "not probed yet")
    health.handle(.probe(.success), backend: "b3", at: epoch + .seconds(2), into: &effects)
    #expect(health.verdict("b3")?.state == .warming)
    health.reconfigure(pool(1), at: epoch + .seconds(3), into: &effects)
    #expect(health.verdict("b2") == nil && health.nextTimer == nil)
    // Late results of a backend that is gone.
    effects = []
    health.handle(.probe(.success), backend: "b2", at: epoch + .seconds(4), into: &effects)
    #expect(effects.isEmpty)
  }

  @Test func outliersThatAreNoLongerLookedForComeBack() {
    var health = PoolHealth(pool(3), at: epoch)
    _ = trip(&health, "b0")
    var next = pool(3)
    next.outlier = nil
    var effects: [PoolHealth.Effect] = []
    health.reconfigure(next, at: epoch + .seconds(1), into: &effects)
    #expect(health.verdict("b0")?.state == .up && health.nextTimer == nil)
  }

  @Test func aDayOfAFlappingBackend() {
    // One backend fails a minute after each return; the ejections grow to their limit.
    var health = PoolHealth(pool(4), at: epoch)
    var effects: [PoolHealth.Effect] = []
    var now = epoch
    var out = Duration.zero
    for _ in 0..<200 {
      now = now + .seconds(60)
      _ = trip(&health, "b0", at: now)
      guard let timer = health.nextTimer else { break }
      out += timer - now
      now = timer
      health.tick(at: now, into: &effects)
    }
    #expect(out > .seconds(200 * 280))
    #expect(health.verdict("b1")?.since == epoch)
  }
}
