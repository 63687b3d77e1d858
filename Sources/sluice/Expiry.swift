/// When an operator hears of a certificate's end.
enum Expiry {
  /// Days, the longest first.
  static let thresholds = [30, 7, 1]

  /// The shortest of them that so many seconds are within; nil: there is time.
  static func threshold(_ left: Int64) -> Int? { thresholds.last { left <= Int64($0) * 86_400 } }
}

/// What an operator was told of certificates that end: each threshold once, for as long as the certificate is the same.
struct ExpiryNotices {
  /// By a certificate's file: its end, and the shortest threshold that was told of.
  private var told: [String: (end: Int64, days: Int)] = [:]

  /// The threshold, in days, that is to be told of now; 0: it has expired. `end`, `now`: seconds since 1970.
  mutating func due(_ file: String, end: Int64, now: Int64) -> Int? {
    guard let days = end < now ? 0 : Expiry.threshold(end - now) else { return nil }
    // A clock that was set back tells of nothing twice.
    if let last = told[file], last.end == end, last.days <= days { return nil }
    told[file] = (end, days)
    return days
  }
}
