/// A moment in UTC, in microseconds since 1970.
package struct Timestamp: Hashable, Comparable, Sendable {
  package var microseconds: Int

  package init(microseconds: Int) { self.microseconds = microseconds }

  package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }
  package static func + (left: Self, right: Duration) -> Self {
    Self(
      microseconds: left.microseconds + Int(right.components.seconds) * 1_000_000
        + Int(right.components.attoseconds / 1_000_000_000_000))
  }
  package static func - (left: Self, right: Self) -> Duration { .microseconds(left.microseconds - right.microseconds) }

  /// `2026-11-23T10:17:32.406631`: no zone, as this API has always written it.
  package var text: String {
    let (days, time) = microseconds.floorDivided(by: 86_400_000_000)
    // Days to a date: the civil calendar in eras of 400 years, with years that begin in March.
    let shifted = days + 719_468
    let era = shifted.floorDivided(by: 146_097)
    let day = era.remainder
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
    let ordinal = day - (365 * year + year / 4 - year / 100)
    let month = (5 * ordinal + 2) / 153
    let seconds = time / 1_000_000
    return [
      "\(pad(year + era.quotient * 400 + (month >= 10 ? 1 : 0), 4))-\(pad(month < 10 ? month + 3 : month - 9, 2))-"
        + pad(ordinal - (153 * month + 2) / 5 + 1, 2),
      "\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2)).\(pad(time % 1_000_000, 6))",
    ].joined(separator: "T")
  }

  private func pad(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

extension Int {
  fileprivate func floorDivided(by divisor: Int) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

/// Where a change gets its time and its new identifiers from.
package struct Source: Sendable {
  package var now: Timestamp
  package var makeID: @Sendable () -> String

  package init(now: Timestamp, makeID: @escaping @Sendable () -> String) {
    self.now = now
    self.makeID = makeID
  }
}
