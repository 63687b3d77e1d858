import Reactor
import Testing

@testable import Proxy

@Suite struct ReliefTests {
  private func holders(_ chunks: [Int]) -> [Relief.Holder] {
    chunks.enumerated().map { Relief.Holder(trunk: UInt32($0.offset), chunks: $0.element) }
  }

  @Test func thoseThatHoldTheMostComeFirst() {
    #expect(Relief.order(holders([3, 90, 0, 40]), lent: 140).map(\.trunk) == [1, 3, 0, 2])
  }

  @Test func nobodyEndsWhereOthersHoldTheMost() {
    #expect(Relief.order(holders([3, 40, 7]), lent: 100).isEmpty)
    #expect(Relief.order(holders([3, 41, 7]), lent: 100).count == 3)
    #expect(Relief.order([], lent: 0).isEmpty)
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
