import Rollouts
import Testing

@Suite struct PoolLoadTests {
  @Test func aRateIsTheMeanOfWholeWindows() {
    var meter = RateMeter()
    // What came before the first look is of no time.
    meter.count(5_000, at: 10_000)
    for look in 1..<20 as Range<Int64> { meter.count(10, at: 10_000 + look * 100) }
    #expect(meter.perSecond == nil)
    meter.count(11, at: 12_000)
    #expect(meter.perSecond == 101)
    meter.count(0, at: 14_000)
    #expect(meter.perSecond == 0)
  }

  @Test func aClockThatIsSetBackBeginsAnew() {
    var meter = RateMeter()
    meter.count(0, at: 10_000)
    meter.count(400, at: 12_000)
    meter.count(1_000_000, at: 5_000)
    #expect(meter.perSecond == 200)
    meter.count(100, at: 7_000)
    #expect(meter.perSecond == 50)
    meter.count(.max, at: 9_000)
    #expect(meter.perSecond == 500_000_000_000)
  }

  @Test func theLimitThatNeedsMoreBackendsIsTheOneThatIsSaid() {
    let load = PoolLoad(inFlight: 61, perSecond: 900)
    #expect(Need(capacity: nil, rate: nil, of: load) == nil)
    #expect(Need(capacity: 10, rate: 300, of: load) == .backends(7, load: "61 requests in flight"))
    #expect(Need(capacity: 10, rate: 100, of: load) == .backends(9, load: "900 requests a second"))
    #expect(Need(capacity: 10, rate: nil, of: load, share: 50) == .backends(4, load: "61 requests in flight"))
    #expect(Need(capacity: 10, rate: 1, of: PoolLoad(inFlight: 61)) == .unknown)
    #expect(Need(capacity: 10, rate: nil, of: PoolLoad(inFlight: 61)) == .backends(7, load: "61 requests in flight"))
  }
}
