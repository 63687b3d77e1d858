import Testing

@testable import sluice

@Suite struct ExpiryTests {
  private let day: Int64 = 86_400
  private let end: Int64 = 1_900_000_000

  /// Looks every hour, from 40 days before the end to 2 days behind it.
  private func notices(_ notices: inout ExpiryNotices, _ file: String, end: Int64) -> [(hoursLeft: Int64, days: Int)] {
    stride(from: 40 * 24, through: -48, by: -1).compactMap { hours in
      notices.due(file, end: end, now: end - Int64(hours) * 3600).map { (Int64(hours), $0) }
    }
  }

  @Test func eachThresholdIsToldOfOnceWhenItIsCrossed() {
    var told = ExpiryNotices()
    let found = notices(&told, "a.pem", end: end)
    #expect(found.map(\.days) == [30, 7, 1, 0])
    #expect(found.map(\.hoursLeft) == [30 * 24, 7 * 24, 24, -1])
  }

  @Test func aThresholdBeginsAtItsSecond() {
    for days in Expiry.thresholds {
      let start = end - Int64(days) * day
      var (before, at) = (ExpiryNotices(), ExpiryNotices())
      #expect(before.due("a.pem", end: end, now: start - 1) != days)
      #expect(at.due("a.pem", end: end, now: start) == days)
    }
    var told = ExpiryNotices()
    #expect(told.due("a.pem", end: end, now: end) == 1)
    #expect(told.due("a.pem", end: end, now: end + 1) == 0)
  }

  @Test func whoStartsLateHearsTheShortestAlone() {
    var told = ExpiryNotices()
    #expect(told.due("a.pem", end: end, now: end - 3 * day) == 7)
    #expect(told.due("a.pem", end: end, now: end - 2 * day) == nil)
    #expect(told.due("a.pem", end: end, now: end - day) == 1)
  }

  @Test func aReloadOfTheSameCertificateRepeatsNothingAndAnotherOneStartsAnew() {
    var told = ExpiryNotices()
    #expect(told.due("a.pem", end: end, now: end - 20 * day) == 30)
    // The same one, from the same file, by however many listeners.
    for _ in 0..<3 { #expect(told.due("a.pem", end: end, now: end - 20 * day + 5) == nil) }
    // Renewed: there is time; and its own end comes.
    let renewed = end + 70 * day
    #expect(told.due("a.pem", end: renewed, now: end - 19 * day) == nil)
    #expect(notices(&told, "a.pem", end: renewed).map(\.days) == [30, 7, 1, 0])
  }

  @Test func aClockThatIsSetBackRepeatsNothing() {
    var told = ExpiryNotices()
    #expect(told.due("a.pem", end: end, now: end - 6 * day) == 7)
    #expect(told.due("a.pem", end: end, now: end - 8 * day) == nil)
    #expect(told.due("a.pem", end: end, now: end - 6 * day) == nil)
    #expect(told.due("a.pem", end: end, now: end - day) == 1)
  }

  @Test func filesHaveTheirOwn() {
    var told = ExpiryNotices()
    #expect(told.due("a.pem", end: end, now: end - 6 * day) == 7)
    #expect(told.due("b.pem", end: end, now: end - 6 * day) == 7)
  }
}
