/// `Sun, 06 Nov 1994 08:49:37 GMT`: IMF-fixdate, RFC 9110 §5.6.7.
package struct HTTPDate: Sendable, BitwiseCopyable {
  package private(set) var bytes = InlineArray<29, UInt8>(repeating: 0x20)

  /// `seconds` since 1970, clamped to the years 1970–9999.
  package init(unixSeconds seconds: Int64) {
    let seconds = min(max(seconds, 0), 253_402_300_799)
    let days = seconds / 86_400
    let time = seconds % 86_400

    // Days to a civil date, in years that start on 1 March, so that a leap day comes last. Source: the
    // proleptic Gregorian calendar: 146,097 days in 400 years.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

    // 1 January 1970 was a Thursday.
    let weekday = (days + 4) % 7
    word(at: 0, weekday, "SunMonTueWedThuFriSat")
    bytes[3] = UInt8(ascii: ",")
    number(at: 5, day)
    word(at: 8, month - 1, "JanFebMarAprMayJunJulAugSepOctNovDec")
    number(at: 12, year / 100)
    number(at: 14, year % 100)
    number(at: 17, time / 3600)
    bytes[19] = UInt8(ascii: ":")
    number(at: 20, time / 60 % 60)
    bytes[22] = UInt8(ascii: ":")
    number(at: 23, time % 60)
    word(at: 26, 0, "GMT")
  }

  private mutating func number(at index: Int, _ value: Int64) {
    bytes[index] = 0x30 + UInt8(value / 10 % 10)
    bytes[index + 1] = 0x30 + UInt8(value % 10)
  }

  /// The `number`th three letters of `names`.
  private mutating func word(at index: Int, _ number: Int64, _ names: String) {
    for (offset, byte) in names.utf8.dropFirst(Int(number) * 3).prefix(3).enumerated() { bytes[index + offset] = byte }
  }
}
