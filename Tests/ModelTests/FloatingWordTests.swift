import Model
import Testing

@Suite struct FloatingWordTests {
  private var settings: FloatingSettings {
    var settings = FloatingSettings()
    settings.pools = [
      .init(name: "public", ranges: [address(0)...address(9)], vip: "front"),
      .init(name: "own", ranges: [address(20)...address(29)]),
    ]
    return settings
  }

  private func address(_ last: UInt8) -> IPAddress { IPAddress(203, 0, 113, last) }
  private func server(_ last: UInt8) -> IPAddress { IPAddress(10, 0, 0, last) }

  private func mapped(_ last: UInt8, _ server: UInt8, at time: UInt64, by node: String = "a") -> FloatingWord {
    FloatingWord(address(last), .mapped(self.server(server), pool: "public"), time: time, node: node)
  }

  private func table(_ words: [FloatingWord], _ rows: [FloatingIP] = []) -> (FloatingTable, [FloatingConflict]) {
    var conflicts: [FloatingConflict] = []
    let table = FloatingTable(words: words, rows: rows, settings, conflicts: &conflicts)
    return (table, conflicts)
  }

  @Test func aWordIsItsTextAgain() {
    for standing in [
      FloatingWord.Standing.released, .allocated(pool: "public"), .mapped(server(1), pool: "public"),
      .mapped(IPAddress("2001:db8::1")!, pool: "p q"),
    ] { #expect(FloatingWord.Standing(standing.text) == standing) }
    for text in ["", "mapped", "mapped x public", "mapped 10.0.0.1", "allocated", "gone", "released now"] {
      #expect(FloatingWord.Standing(text) == nil, "\(text)")
    }
  }

  @Test func ofTwoWordsThatContradictTheLaterCounts() {
    let (found, conflicts) = table([mapped(1, 1, at: 5), mapped(2, 1, at: 7)])
    #expect(found.entries[address(1)]?.fixed == nil && found.entries[address(2)]?.fixed == server(1))
    #expect(conflicts.map(\.address) == [address(1)])
    // Of one moment, by the node.
    let (equal, _) = table([mapped(1, 1, at: 7, by: "b"), mapped(2, 1, at: 7, by: "a")])
    #expect(equal.entries[address(1)]?.fixed == server(1) && equal.entries[address(2)]?.fixed == nil)
  }

  @Test func aServersOwnAddressDoesNotFloat() {
    let onto = FloatingWord(address(1), .mapped(address(2), pool: "public"), time: 9, node: "a")
    let (later, _) = table([mapped(2, 2, at: 5), onto])
    #expect(later.entries.keys.sorted() == [address(1)])
    let (earlier, _) = table([mapped(2, 2, at: 10), onto])
    #expect(earlier.entries[address(1)]?.fixed == nil && earlier.entries[address(2)]?.fixed == server(2))
  }

  @Test func rowsOfThisNodeAloneGiveWay() {
    let rows = [
      FloatingIP(address: address(20), pool: "own", fixed: server(1)),
      FloatingIP(address: address(21), pool: "own", fixed: server(2)),
    ]
    let (found, conflicts) = table([mapped(1, 1, at: 5)], rows)
    #expect(found.entries[address(20)]?.fixed == nil && found.entries[address(21)]?.fixed == server(2))
    #expect(conflicts.count == 1)
  }

  @Test func poolsThatAreNotHereAreLeftToOthers() {
    let other = FloatingWord(IPAddress(192, 0, 2, 1), .mapped(server(9), pool: "public"), time: 9, node: "a")
    // And yet it counts where it contradicts, as on the nodes that have it.
    let (found, _) = table([other, mapped(1, 9, at: 5), FloatingWord(address(3), .released, time: 1, node: "a")])
    #expect(found.sorted == [FloatingIP(address: address(1), pool: "public")])
  }

  @Test func nodesMayCallThePoolOfAnAddressWhatTheyLike() {
    let (found, _) = table([FloatingWord(address(1), .mapped(server(1), pool: "elsewhere"), time: 9, node: "a")])
    #expect(found.sorted == [FloatingIP(address: address(1), pool: "public", fixed: server(1))])
    let plan = FloatingPlan(found, settings, activeVIPs: ["front"])
    #expect(plan.mappings == [address(1): server(1)])
    var renamed = settings
    renamed.pools[0].name = "new"
    #expect(FloatingPlan(found, renamed, activeVIPs: ["front"]) == plan)
    renamed.pools.removeFirst()
    #expect(FloatingPlan(found, renamed, activeVIPs: ["front"]) == FloatingPlan(), "its pool is gone")
  }

  @Test(arguments: 0..<60) func whateverOrderWordsComeInNodesAgreeAndNothingIsMappedTwice(seed: Int) {
    var dice = Dice(seed: UInt64(seed) &+ 1)
    var words: [IPAddress: FloatingWord] = [:]
    for _ in 0..<40 {
      let place = address(UInt8(dice.below(10))), time = dice.below(8), node = ["a", "b", "c"][Int(dice.below(3))]
      // Servers may be floating addresses by mistake.
      let fixed = dice.below(6) == 0 ? address(UInt8(dice.below(10))) : server(UInt8(dice.below(5)))
      let standing: FloatingWord.Standing =
        switch dice.below(4) {
        case 0: .released
        case 1: .allocated(pool: "public")
        default: .mapped(fixed, pool: "public")
        }
      words[place] = FloatingWord(place, standing, time: time, node: node)
    }
    let (found, _) = table(words.values.sorted { $0.address < $1.address })
    for _ in 0..<5 { #expect(table(words.values.shuffled(using: &dice)).0 == found) }
    let servers = found.sorted.compactMap(\.fixed)
    #expect(Set(servers).count == servers.count && servers.allSatisfy { found.entries[$0] == nil })
    for entry in found.sorted { #expect(words[entry.address]?.entry != nil) }
  }
}

/// xorshift64*.
private struct Dice: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 }

  mutating func below(_ limit: UInt64) -> UInt64 { (next() >> 11) % limit }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }
}
