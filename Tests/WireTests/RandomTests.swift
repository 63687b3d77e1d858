import Testing
import Wire

@Suite struct RandomTests {
  @Test func aSeedGivesTheSameNumbersAgain() {
    var one = Random(seed: 42)
    var two = Random(seed: 42)
    var other = Random(seed: 43)
    let first = (0..<100).map { _ in one.next() }
    #expect(first == (0..<100).map { _ in two.next() })
    #expect(first != (0..<100).map { _ in other.next() })
    var zero = Random(seed: 0)
    #expect(Set((0..<100).map { _ in zero.next() }).count == 100)
  }

  @Test(arguments: [1, 2, 3, 10, 1_000, UInt32.max]) func aBoundIsKeptAndReached(bound: UInt32) {
    var random = Random(seed: 9)
    var counts: [UInt32: Int] = [:]
    for _ in 0..<10_000 {
      let value = random.below(bound)
      #expect(value < bound)
      counts[value, default: 0] += 1
    }
    guard bound <= 10 else { return }
    let mean = 10_000 / Int(bound)
    #expect(counts.count == Int(bound))
    #expect(counts.values.allSatisfy { abs($0 - mean) < mean / 5 })
  }
}
