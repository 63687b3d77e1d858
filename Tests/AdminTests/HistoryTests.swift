import Admin
import Testing

@Suite struct HistoryTests {
  private func status(requests: UInt64, slow: UInt64 = 0) -> StatusReport {
    var listener = ListenerReport(name: "web", protocol: "http", binds: [])
    listener.requests = requests
    listener.requestTimes.count = requests
    // All of them between 64 and 128 µs, but for the slow ones.
    listener.requestTimes.below = LatencyReport.bounds.map { $0 == 64 ? 0 : $0 < 1 << 20 ? requests - slow : requests }
    return StatusReport(
      phase: .serving, generation: 1, uptimeSeconds: 0, version: "0", workers: 1, listeners: [listener], pools: [])
  }

  @Test func aSampleIsTheDifferenceOfTwoReports() {
    var history = History()
    history.record(status(requests: 1_000), at: 10_000)
    #expect(history.samples.isEmpty)
    history.record(status(requests: 1_500), at: 15_000)
    let sample = history.samples.first?.listeners.first
    #expect(sample?.requests == 100)
    #expect(sample?.p50 ?? 0 > 64e-6 && sample?.p50 ?? 1 < 128e-6)
  }

  @Test func aPercentileIsOfItsIntervalAlone() {
    var history = History()
    history.record(status(requests: 1_000_000), at: 0)
    history.record(status(requests: 1_000_010, slow: 10), at: 5_000)
    #expect(history.samples.last?.listeners.first?.p50 ?? 0 > 0.5)
  }

  @Test func anHourIsKeptOldestFirst() {
    var history = History()
    for step in 0...(History.capacity + 10) { history.record(status(requests: UInt64(step)), at: Int64(step) * 5_000) }
    #expect(history.samples.count == History.capacity)
    #expect(history.samples.map(\.time) == history.samples.map(\.time).sorted())
    #expect(history.samples.last?.time == Int64(History.capacity + 10) * 5_000)
  }

  @Test func aClockThatWasSetBackStartsAnew() {
    var history = History()
    for time in [10_000, 15_000, 4_000, 9_000] as [Int64] { history.record(status(requests: 1), at: time) }
    #expect(history.samples.map(\.time) == [9_000])
  }

  @Test func countersThatStartAgainAreNoNegativeRates() {
    var history = History()
    history.record(status(requests: 1_000), at: 0)
    history.record(status(requests: 5), at: 5_000)
    #expect(history.samples.last?.listeners.first?.requests == 1)
  }
}
