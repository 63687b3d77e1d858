import Model
import Testing

@Suite struct InstantTests {
  @Test func timesAddAndSubtract() {
    let start = Instant(nanoseconds: 5)
    #expect(start + .milliseconds(2) == Instant(nanoseconds: 2_000_005))
    #expect(Instant(nanoseconds: 2_000_005) - start == .milliseconds(2))
    #expect(start < start + .nanoseconds(1))
    #expect(start - (start + .seconds(1)) == .seconds(-1))
    #expect(start + .seconds(Int64.max) == Instant(nanoseconds: .max))
    #expect(Instant(nanoseconds: -5) + .seconds(Int64.min) == Instant(nanoseconds: .min))
  }

  @Test func nanosecondsSaturate() {
    #expect(Duration.seconds(Int64.max).nanoseconds == .max)
    #expect(Duration.seconds(Int64.min).nanoseconds == .min)
    #expect(Duration.seconds(9_223_372_037).nanoseconds == .max)
    #expect(
      Duration(secondsComponent: 9_223_372_036, attosecondsComponent: 999_999_999_000_000_000).nanoseconds == .max)
    #expect(
      Duration(secondsComponent: -9_223_372_036, attosecondsComponent: -999_999_999_000_000_000).nanoseconds == .min)
    #expect(Duration.milliseconds(-1).nanoseconds == -1_000_000)
    #expect(Duration.microseconds(1_999).milliseconds == 1)
  }
}
