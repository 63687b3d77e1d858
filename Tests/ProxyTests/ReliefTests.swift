import Reactor
import Testing

@testable import Proxy

@Suite struct ReliefTests {
  private func holders(_ chunks: [Int]) -> [Relief.Holder] {
    chunks.enumerated().map { Relief.Holder(number: UInt32($0.offset), chunks: $0.element) }
  }

  /// Which kind ends, in which order.
  private func choice(_ trunks: [Int], _ readers: [Relief.Holder], lent: Int) -> String {
    switch Relief.choose(trunks: holders(trunks), readers: readers, lent: lent) {
    case .trunks(let holders): "trunks \(holders.map(\.number))"
    case .readers(let holders): "readers \(holders.map(\.number))"
    case .nobody: "nobody"
    }
  }

  @Test func ofTrunksThoseThatHoldTheMostComeFirst() {
    #expect(choice([3, 90, 0, 40], [], lent: 140) == "trunks [1, 3, 0, 2]")
  }

  @Test func ofReadersThoseThatStandStillTheLongestComeFirst() {
    let readers = [(48, 500), (48, 100), (1, 300)].enumerated().map {
      Relief.Holder(number: UInt32($0.offset), chunks: $0.element.0, moved: $0.element.1)
    }
    #expect(choice([90], readers, lent: 200) == "readers [1, 2, 0]")
    #expect(choice([97], readers, lent: 200) == "trunks [0]")
  }

  @Test func nobodyEndsWhereOthersHoldTheMost() {
    #expect(choice([3, 23, 7], [], lent: 100) == "nobody")
    #expect(choice([3, 24, 7], [], lent: 100) == "trunks [1, 2, 0]")
    #expect(choice([], holders([33]), lent: 100) == "nobody")
    #expect(choice([], holders([34]), lent: 100) == "readers [0]")
    #expect(choice([], [], lent: 0) == "nobody")
  }

  @Test func aLookThatHelpedMayBeFollowedAtOnceAndOneInVainWaits() {
    var relief = Relief()
    #expect(relief.isDue(1000))
    relief.looked(1000, helped: true)
    #expect(relief.isDue(1000))
    relief.looked(1000, helped: false)
    #expect(!relief.isDue(1000) && !relief.isDue(1099) && relief.isDue(1100))
    relief.looked(1100, helped: true)
    #expect(relief.isDue(1100))
  }

  @Test func aChainCountsTheChunksThatItHoldsAndNotItsBytes() {
    var pool = BufferPool(bytes: 1 << 20)
    var chain = Chain()
    #expect(chain.chunks == 0)
    let bytes = [UInt8](repeating: 0, count: 4097)
    for (count, chunks) in [(1, 1), (4095, 1), (1, 2), (4096, 3)] {
      #expect(pool.append(bytes.span.extracting(0..<count), to: &chain))
      #expect(chain.chunks == chunks && pool.lent == chunks)
    }
    pool.release(&chain)
    #expect(chain.chunks == 0 && pool.lent == 0)
  }
}
