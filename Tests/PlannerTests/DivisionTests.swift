import Model
import Planner
import Testing

@Suite struct DivisionTests {
  private func pool() -> Pool {
    var pool = makePool([100, 100, 50, 50])
    for (index, version) in ["v1", "v1", "v2", "v2"].enumerated() { pool.backends[index].version = version }
    return pool
  }

  private func divided(_ share: Int, _ health: String = "uuuu") -> World {
    world(pool(), health) { $0.splits["web"] = VersionSplit("v2", share: share * 100) }
  }

  @Test(arguments: [
    (0, "uuuu", [10_000, 10_000, 0, 0]),
    (1, "uuuu", [10_000, 10_000, 101, 101]),
    (50, "uuuu", [5_000, 5_000, 5_000, 5_000]),
    (90, "uuuu", [556, 556, 5_000, 5_000]),
    (100, "uuuu", [0, 0, 5_000, 5_000]),
    // A side without anybody leaves its part to the other one.
    (10, "uudd", [10_000, 10_000, 0, 0]),
    (10, "dduu", [0, 0, 5_000, 5_000]),
    // But nobody gets what was not released.
    (0, "dduu", [0, 0, 0, 0]),
    (100, "uudd", [0, 0, 0, 0]),
    // A side keeps its part with fewer backends.
    (50, "uduu", [10_000, 0, 5_000, 5_000]),
  ])
  func weightsTellTheTrueShares(share: Int, health: String, expected: [Int]) {
    #expect(divided(share, health).weights == expected)
  }

  @Test func withinAVersionTheWeightsStay() {
    let standings = divided(0).standings[0]
    #expect(standings.map(\.versionWeight) == [10_000, 10_000, 5_000, 5_000])
    #expect(world(pool(), "uuuu").standings[0].map(\.versionWeight) == [10_000, 10_000, 5_000, 5_000])
  }

  @Test func theFilesWordHoldsUntilARolloutSpeaks() {
    var pool = pool()
    pool.versions.serve = "v1"
    #expect(world(pool, "uuuu").weights == [10_000, 10_000, 0, 0])
    #expect(world(pool, "uuuu").splits == ["web": VersionSplit("v1", share: VersionSplit.whole)])
    #expect(
      world(pool, "uuuu") { $0.splits["web"] = VersionSplit("v2", share: 5_000) }.weights == [
        5_000, 5_000, 5_000, 5_000,
      ])
  }
}
