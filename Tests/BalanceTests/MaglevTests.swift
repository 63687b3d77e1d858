import Balance
import Model
import Testing
import Wire

@Suite struct MaglevTests {
  func table(_ weights: [UInt32], names: [Int]? = nil) -> MaglevTable {
    let names = names ?? Array(weights.indices)
    return MaglevTable(weights: weights, identities: names.map { PickTable.identity("10.0.0.\($0):80") })
  }

  func owners(_ table: MaglevTable) -> [Int] { (0..<MaglevTable.size).map { table.lookup(UInt64($0)) } }

  func counts(_ owners: [Int], _ count: Int) -> [Int] {
    owners.reduce(into: Array(repeating: 0, count: count)) { $0[$1] += 1 }
  }

  @Test func oneOfAHundredLeaving() {
    let before = owners(table(Array(repeating: 100, count: 100)))
    var moved: [Double] = []
    for leaver in stride(from: 0, to: 100, by: 10) {
      var weights: [UInt32] = Array(repeating: 100, count: 100)
      weights[leaver] = 0
      let after = owners(table(weights))
      moved.append(Double(zip(before, after).count { $0 != $1 }) / Double(MaglevTable.size))
      #expect(!after.contains(leaver))
    }
    let held = counts(before, 100)
    let imbalance = Double(held.max() ?? 0) / (Double(MaglevTable.size) / 100)
    let mean = moved.reduce(0, +) / Double(moved.count)
    print(
      "maglev, 100 backends: max/mean \(rounded(imbalance, 4)); keys moved when one leaves: mean "
        + "\(rounded(mean * 100))% max \(rounded((moved.max() ?? 0) * 100))% (the least possible is 1%)")
    // Turns are equal, so places differ by one at most.
    #expect((held.max() ?? 0) - (held.min() ?? 0) <= 1)
    // The paper's figure for 65,537 places: the leaver's hundredth and one to three more.
    #expect(moved.allSatisfy { $0 < 0.04 })
  }

  @Test func weightsAreSharesOfPlaces() {
    let weights: [UInt32] = [100, 50, 0, 25, 1, 999]
    let held = counts(owners(table(weights)), weights.count)
    for (index, weight) in weights.enumerated() {
      let expected = Double(MaglevTable.size) * Double(weight) / 1175
      #expect(abs(Double(held[index]) - expected) <= 2, "\(held)")
    }
  }

  @Test func theLightestOfManyStillHasAPlace() {
    var weights: [UInt32] = Array(repeating: 6_553_500, count: 50)
    weights[17] = 1
    #expect(counts(owners(table(weights)), 50)[17] >= 1)
  }

  @Test func theOrderOfTheConfigurationDoesNotMatter() {
    let forward = owners(table([10, 20, 30], names: [1, 2, 3]))
    let backward = owners(table([30, 20, 10], names: [3, 2, 1]))
    #expect(zip(forward, backward).allSatisfy { $0 == 2 - $1 })
  }

  @Test func aGrowingWeightMovesOnlyWhatItGains() {
    let before = owners(table(Array(repeating: 100, count: 20)))
    var weights: [UInt32] = Array(repeating: 100, count: 20)
    weights[3] = 110
    let after = owners(table(weights))
    let moved = Double(zip(before, after).count { $0 != $1 }) / Double(MaglevTable.size)
    #expect(moved < 0.2, "\(moved)")
  }

  @Test func alternativesOfAFailedBackendSpreadOverAllOthers() {
    let pool = candidates(Array(repeating: 100, count: 20))
    var picker = Picker(policy: .maglev(.source), candidates: pool, seed: 1)
    var random = Random(seed: 9)
    let loads = ArrayLoads(counts: Array(repeating: 0, count: 20))
    var gained = Array(repeating: 0, count: 20)
    for _ in 0..<100_000 {
      var request = PickRequest(hash: random.next())
      guard let first = picker.pick(request, loads: loads, random: &random, now: epoch), first == 4 else { continue }
      request.tried.insert(first)
      let second = picker.pick(request, loads: loads, random: &random, now: epoch)
      #expect(second == picker.pick(request, loads: loads, random: &random, now: epoch))
      if let second { gained[second] += 1 }
    }
    #expect(gained[4] == 0)
    #expect(gained.indices.allSatisfy { $0 == 4 || gained[$0] > 150 }, "\(gained)")
  }

  @Test func anUnchangedPoolKeepsItsTables() {
    let first = PickTable(policy: .maglev(.uri), candidates: candidates([1, 2, 3]))
    let second = PickTable(policy: .maglev(.uri), candidates: candidates([1, 2, 3]), previous: first)
    let third = PickTable(policy: .maglev(.uri), candidates: candidates([1, 2, 4]), previous: first)
    #expect(owners(first.maglev) == owners(second.maglev))
    #expect(owners(first.maglev) != owners(third.maglev))
    #expect(PickTable(policy: .p2c, candidates: candidates([1]), previous: first).maglev.isEmpty)
  }
}
