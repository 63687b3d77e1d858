import Model
import Telemetry
import Testing

@Suite struct DataPlaneStatisticsTests {
  @Test func workersAddUpByListenerAndBySlot() {
    var one = DataPlaneStatistics()
    one.workers = 1
    one.listeners["web"] = ListenerStatistics()
    one.listeners["web"]?.accepted = 3
    one.listeners["web"]?.responses.count(status: 200)
    one.backends[BackendSlot(1)] = BackendStatistics()
    one.backends[BackendSlot(1)]?.requests = 5

    var two = one
    two.listeners["db"] = ListenerStatistics()
    two.listeners["web"]?.responses.count(status: 503)

    var sum = one
    sum += two
    #expect(sum.workers == 2)
    #expect(sum.listeners.keys.sorted() == ["db", "web"])
    #expect(sum.listeners["web"]?.accepted == 6)
    #expect(sum.listeners["web"]?.responses.successful == 2)
    #expect(sum.listeners["web"]?.responses.serverError == 1)
    #expect(sum.backends[BackendSlot(1)]?.requests == 10)
  }

  @Test(arguments: [0, 99, 600, -1, Int.max])
  func aStatusOutsideTheClassesCountsNowhere(status: Int) {
    var counts = ResponseCounts()
    counts.count(status: status)
    #expect(counts == ResponseCounts())
  }
}
