import Health
import Model
import Prober
import Synchronization
import Testing

@Suite struct FindingsTests {
  final class Heard: Sendable {
    private let names = Mutex<[String]>([])

    func add(_ burst: [ProbeReport]) { names.withLock { $0 += burst.map(\.key.backend) } }
    var all: [String] { names.withLock { $0 } }
  }

  func report(_ name: String) -> ProbeReport {
    ProbeReport(key: BackendKey(pool: "web", backend: name), finding: .probe(.success))
  }

  @Test func whatOnlyRepeatsItselfIsHeardInOneBurst() {
    let heard = Heard()
    var reporter = Reporter { heard.add($0) }
    reporter.add(report("a"), isRoutine: true, at: 100)
    reporter.add(report("b"), isRoutine: true, at: 110)
    #expect(reporter.due == 100 + Reporter.hold)
    reporter.flush(at: 100 + Reporter.hold - 1)
    #expect(heard.all.isEmpty)
    reporter.flush(at: 100 + Reporter.hold)
    #expect(heard.all == ["a", "b"])
    #expect(reporter.due == nil)
  }

  @Test func newsIsHeardAtOnceAndInOrder() {
    let heard = Heard()
    var reporter = Reporter { heard.add($0) }
    reporter.add(report("a"), isRoutine: true, at: 100)
    reporter.add(report("news"), isRoutine: false, at: 101)
    #expect(heard.all == ["a", "news"])
    #expect(reporter.due == nil)
  }
}
