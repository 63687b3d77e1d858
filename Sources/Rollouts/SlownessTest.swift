/// Is the canary slower than its control? A sequential test at each of several quantiles of the control, each with its
/// part of the risk (Bonferroni).
///
/// One line alone can be blind: where a tenth of all answers meet a pause of the machine, the control's 90th percentile
/// is the length of that pause, and beyond it a slower canary looks like the others. The lines move with what is known,
/// and are drawn before the answers that they divide come; what came before them is counted anew at each, so that the
/// bets fit them and every test stays exact.
package struct SlownessTest: Hashable, Sendable {
  /// Of the control's answers, in hundredths.
  package static let quantiles: [UInt64] = [25, 50, 75, 90]
  /// No line is drawn below this bucket, which begins at 1,024 µs as the data plane counts. Who gets few requests answers
  /// each a little later than who gets many, of colder caches: parts of a millisecond are no reason to stop.
  package static let least = 36
  /// Answers of the control before there are lines.
  static let fewest: UInt64 = 100

  /// The greatest chance of a false alarm, of all together.
  package let alpha: Double
  /// One for each quantile.
  private(set) var tests: [SequentialTest]

  /// - Parameter alpha: above 0, below 1.
  package init(alpha: Double) {
    self.alpha = alpha
    let part = alpha / Double(SlownessTest.quantiles.count)
    tests = SlownessTest.quantiles.map { _ in SequentialTest(alpha: part) }
  }

  package var isWorse: Bool { tests.contains(where: \.isWorse) }

  /// The one with the most evidence: the first to say that the canary is slower, if any does.
  package var leading: SequentialTest {
    tests.dropFirst().reduce(tests[0]) { $1.logEvidence > $0.logEvidence ? $1 : $0 }
  }

  /// A line: the first bucket above a quantile in hundredths; nil while there is too little to say.
  /// - Parameter latencies: how many answers fell into each bucket.
  static func bound(_ quantile: UInt64, of latencies: [Double]) -> Int? {
    let total = latencies.reduce(0, +)
    guard total >= Double(fewest) else { return nil }
    var seen = 0.0
    for (index, count) in latencies.enumerated() {
      seen += count
      if seen * 100 >= total * Double(quantile) { return max(index + 1, least) }
    }
    return nil
  }

  /// - Parameter past: all answers before these.
  package mutating func observe(_ new: CanaryBlock, past: CanaryBlock) {
    for (index, quantile) in SlownessTest.quantiles.enumerated() {
      guard let bound = past.control.bound(quantile) else { return }
      tests[index].recount(canary: past.canary.slow(bound), control: past.control.slow(bound))
      tests[index].observe(canary: new.canary.slow(bound), control: new.control.slow(bound))
    }
  }
}

extension SlownessTest: Codable {
  private enum CodingKeys: CodingKey { case alpha, tests }

  /// What was kept when there was one line only has no `tests`: its evidence begins anew.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    self.init(alpha: try fields.decode(Double.self, forKey: .alpha))
    if let kept = try fields.decodeIfPresent([SequentialTest].self, forKey: .tests) { tests = kept }
  }
}

extension CanaryBlock.Side {
  fileprivate func bound(_ quantile: UInt64) -> Int? { SlownessTest.bound(quantile, of: latencies.map { Double($0) }) }

  /// How many of its answers were slower than a line.
  func slow(_ bound: Int) -> SequentialTest.Count {
    .init(hits: latencies.dropFirst(bound).reduce(0, +), total: latencies.reduce(0, +))
  }
}
