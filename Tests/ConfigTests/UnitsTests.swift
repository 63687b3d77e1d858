import Config
import Model
import Testing
import Wire

@Suite struct UnitsTests {
  @Test(arguments: [
    ("500ms", Duration.milliseconds(500)), ("2s", .seconds(2)), ("1m", .seconds(60)), ("1h", .seconds(3600)),
    ("1d", .seconds(86_400)), ("0s", .zero), ("007s", .seconds(7)), ("3650d", .seconds(3650 * 86_400)),
  ])
  func durationsRead(text: String, expected: Duration) { #expect(Units.duration(text) == expected) }

  @Test(arguments: [
    "", "5", "s", "5 s", "-5s", "1.5s", "5S", "5sec", "1h30m", "3651d", "99999999999999999999s", "٣s", "5s ",
  ])
  func otherDurationsDoNot(text: String) { #expect(Units.duration(text) == nil) }

  @Test(arguments: [
    ("0", Int64(0)), ("512", 512), ("512B", 512), ("64KiB", 65_536), ("10MiB", 10_485_760), ("1GiB", 1 << 30),
    ("8388607TiB", 8_388_607 << 40),
  ])
  func sizesRead(text: String, expected: Int64) { #expect(Units.size(text) == expected) }

  @Test(arguments: ["", "KiB", "1KB", "1.5KiB", "-1", "1 KiB", "8388608TiB", "9223372036854775808"])
  func otherSizesDoNot(text: String) { #expect(Units.size(text) == nil) }

  @Test(arguments: [("0%", 0.0), ("50%", 0.5), ("100%", 1), ("12.5%", 0.125), ("0.125%", 0.00125)])
  func sharesRead(text: String, expected: Double) { #expect(Units.share(text) == expected) }

  @Test(arguments: ["", "%", "50", "101%", "100.1%", "-1%", "1.%", ".5%", "1.2.3%", "5 %", "1.1234%"])
  func otherSharesDoNot(text: String) { #expect(Units.share(text) == nil) }

  @Test(arguments: [
    ("100/s", Rate(count: 100, period: .seconds(1), burst: 100)),
    ("100/s burst 200", Rate(count: 100, period: .seconds(1), burst: 200)),
    ("5/m", Rate(count: 5, period: .seconds(60), burst: 5)),
    ("1/h burst 3", Rate(count: 1, period: .seconds(3600), burst: 3)),
  ])
  func ratesReadAndPrint(text: String, expected: Rate) {
    #expect(Units.rate(text) == expected)
    #expect(Units.text(expected) == text)
  }

  @Test(arguments: [
    "", "100", "/s", "0/s", "100/d", "100/s burst", "100/s burst 0", "100/s of 3", "-1/s", "1/s burst 2 3",
  ])
  func otherRatesDoNot(text: String) { #expect(Units.rate(text) == nil) }

  @Test func whatIsPrintedReadsBack() {
    var random = Random(seed: 11)
    for _ in 0..<2_000 {
      let unit: Int64 = [1, 1_000, 60_000, 3_600_000, 86_400_000][Int(random.below(5))]
      let duration = Duration.milliseconds(Int64(random.below(3_000)) * unit)
      #expect(Units.duration(Units.text(duration)) == duration)
      let size = Int64(random.below(5_000)) << Int64(random.below(5) * 10)
      #expect(Units.size(Units.text(size: size)) == size)
    }
    #expect(Units.text(.zero) == "0s")
    #expect(Units.text(.seconds(90)) == "90s")
    #expect(Units.text(size: 0) == "0")
  }
}
