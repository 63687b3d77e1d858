import Model
import Node
import Testing

@Suite struct EventLogTests {
  @Test func itKeepsTheLastOnesAndTheirNumbers() {
    var log = EventLog(capacity: 3)
    for number in 1...5 { log.append(.up, "s", "\(number)", at: Int64(number)) }
    #expect(log.events(after: 0).map(\.message) == ["3", "4", "5"])
    #expect(log.events(after: 4).map(\.id) == [5])
    #expect(log.events(after: 5).isEmpty)
    #expect(log.events(after: .max).isEmpty)
    #expect(log.next == 6)
  }
}
