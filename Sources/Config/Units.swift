package import Model

/// Durations, sizes, shares and rates as they are written, and back.
package enum Units {
  /// "500ms", "2s", "1m", "1h", "1d"; at most ten years.
  package static func duration(_ text: String) -> Duration? {
    let (digits, unit) = split(text)
    guard let count = number(digits), let factor = milliseconds[unit], count <= 3_650 * 86_400_000 / factor else {
      return nil
    }
    return .milliseconds(count * factor)
  }

  /// "64KiB", "10MiB", "1GiB", or bytes; at most 8 EiB.
  package static func size(_ text: String) -> Int64? {
    let (digits, unit) = split(text)
    guard let count = number(digits), let shift = ["": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40][unit],
      count <= Int64.max >> Int64(shift)
    else { return nil }
    return count << Int64(shift)
  }

  /// "50%" as 0.5; from 0 to 100, with at most three decimals.
  package static func share(_ text: String) -> Double? {
    guard text.hasSuffix("%") else { return nil }
    let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let whole = number(parts[0]), whole <= 100 else { return nil }
    guard parts.count == 2 else { return Double(whole) / 100 }
    guard parts[1].count <= 3, let decimals = number(parts[1]) else { return nil }
    let scale: Int64 = [1: 10, 2: 100, 3: 1000][parts[1].count] ?? 1000
    let value = Double(whole * scale + decimals) / Double(100 * scale)
    return value <= 1 ? value : nil
  }

  /// "100/s", "100/s burst 200"; per s, m or h. The burst is the count unless given.
  package static func rate(_ text: String) -> Rate? {
    let words = text.split(separator: " ")
    guard words.count == 1 || (words.count == 3 && words[1] == "burst") else { return nil }
    let parts = words[0].split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = number(parts[0]), (1...1_000_000_000).contains(count),
      let period = ["s": 1, "m": 60, "h": 3600][String(parts[1])]
    else { return nil }
    let burst = words.count == 3 ? number(words[2]) : count
    guard let burst, (1...1_000_000_000).contains(burst) else { return nil }
    return Rate(count: Int(count), period: .seconds(period), burst: Int(burst))
  }

  /// The shortest form that reads back; below a millisecond is lost.
  package static func text(_ duration: Duration) -> String {
    let count = duration.milliseconds
    for unit in ["d", "h", "m", "s"] {
      if let factor = milliseconds[unit], count != 0 || unit == "s", count % factor == 0 {
        return "\(count / factor)\(unit)"
      }
    }
    return "\(count)ms"
  }

  package static func text(size: Int64) -> String {
    for (unit, shift) in [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, Int64)]
    where size != 0 && size % (1 << shift) == 0 { return "\(size >> shift)\(unit)" }
    return "\(size)"
  }

  package static func text(_ rate: Rate) -> String {
    let unit = rate.period == .seconds(3600) ? "h" : rate.period == .seconds(60) ? "m" : "s"
    return "\(rate.count)/\(unit)" + (rate.burst == rate.count ? "" : " burst \(rate.burst)")
  }

  private static let milliseconds: [String: Int64] = [
    "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
  ]

  private static func split(_ text: String) -> (digits: Substring, unit: String) {
    let end = text.firstIndex { !$0.isASCII || !$0.isNumber } ?? text.endIndex
    return (text[..<end], String(text[end...]))
  }

  /// Decimal digits only, and no more than fit.
  static func number(_ digits: Substring) -> Int64? {
    guard !digits.isEmpty, digits.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
    return Int64(digits)
  }
}
