package import Model

/// Who of a pool does worse than its others, and worse than it used to: errors, and slow answers.
///
/// "Slow" is above a quantile of the pool so far, and each of several is a test with its part of the risk, for the reason
/// that `SlownessTest` gives. Each look's block bets on what the looks before showed (as in `SequentialTest`), and a CUSUM
/// of the bets' logarithms is kept above 0: under equal shares it reaches log c once in c looks on average at most, so
/// that the rate of false alarms is stated, however long it runs. Beyond chance, a difference must matter: it must exceed
/// what has been usual for this backend by `Settings.errors` or `Settings.slowness`.
///
/// Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (2022), for
/// the average run length of CUSUM over e-processes.
package struct DriftWatch: Sendable {
  package struct Settings: Sendable {
    /// Looks between two false alarms of one backend by errors, and likewise by slow answers, on average, at least.
    package var looksPerFalseAlarm = 100_000.0
    /// Above which of the pool's answers one is slow, in hundredths.
    package var quantiles = SlownessTest.quantiles
    /// Shares beyond the usual that matter: of errors, and of slow answers.
    package var errors = 0.02
    package var slowness = 0.15
    /// Looks without a difference after which a backend is as before.
    package var quiet = 12

    package init() {}
  }

  package struct Finding: Hashable, Sendable {
    /// "errors" or "slow answers".
    package var what: String
    /// Of the last looks.
    package var own: Double
    package var others: Double
  }

  package enum Event: Hashable, Sendable {
    case drifting(String, Finding)
    case recovered(String)
  }

  /// One share of a backend against that of its others.
  private struct Test: Sendable {
    /// The CUSUM, never below 0.
    var evidence = 0.0
    /// Of the last looks.
    var own = 0.0
    var others = 0.0
    /// What the difference has been over a long time.
    private var usual = 0.0
    private var looks = 0

    /// By how much the difference exceeds the usual.
    var excess: Double { own - others - usual }

    mutating func bet(_ new: SequentialTest.Count, _ rest: SequentialTest.Count, past: (own: Share, others: Share)) {
      guard new.total > 0, rest.total > 0 else { return }
      let gain = SequentialTest.gain(
        new, rest, bet: (canary: past.own.bet(with: past.others), control: past.others.bet(with: past.own)))
      evidence = min(max(0, evidence + gain), DriftWatch.most)
    }

    mutating func settle(own: Share, others: Share, isFlagged: Bool) {
      (self.own, self.others) = (own.value, others.value)
      // A drift must not become the usual; the first looks are the beginning of it.
      guard !isFlagged else { return }
      looks += 1
      usual += excess / Double(min(looks, 200))
    }
  }

  private struct Share {
    var hits: Double
    var total: Double

    var value: Double { total > 0 ? hits / total : 0 }

    /// Never 0 or 1, and drawn to what all have while there is little.
    func bet(with other: Share) -> Double {
      let pooled = (hits + other.hits + 0.02) / (total + other.total + 2)
      return (hits + pooled * 2) / (total + 2)
    }
  }

  /// Answers that fade with each look.
  private struct Memory: Sendable {
    private var total = 0.0
    private var errors = 0.0
    private(set) var latencies: [Double] = []

    var failed: Share { Share(hits: errors, total: total) }

    func slow(_ bound: Int) -> Share {
      Share(hits: latencies.dropFirst(bound).reduce(0, +), total: latencies.reduce(0, +))
    }

    mutating func fade(to rest: Double) {
      (total, errors) = (total * rest, errors * rest)
      for index in latencies.indices { latencies[index] *= rest }
    }

    mutating func add(_ side: CanaryBlock.Side) {
      total += Double(side.total)
      errors += Double(side.errors)
      if latencies.isEmpty { latencies = [Double](repeating: 0, count: side.latencies.count) }
      for (index, count) in side.latencies.enumerated() where index < latencies.count {
        latencies[index] += Double(count)
      }
    }
  }

  private struct Subject: Sendable {
    var errors = Test()
    /// One for each quantile.
    var slowness: [Test]
    var flagged: String?
    var quiet = 0
    private var own = Memory()
    private var others = Memory()

    init(_ settings: Settings) { slowness = settings.quantiles.map { _ in Test() } }

    /// - Parameter bounds: one for each quantile, drawn before these answers came; empty: not yet.
    mutating func look(_ block: CanaryBlock.Side, _ rest: CanaryBlock.Side, _ bounds: [Int]) {
      guard block.total > 0 else { return }
      let isFlagged = flagged != nil
      errors.bet(block.failed, rest.failed, past: (own.failed, others.failed))
      for (index, bound) in bounds.enumerated() {
        slowness[index].bet(block.slow(bound), rest.slow(bound), past: (own.slow(bound), others.slow(bound)))
      }
      own.fade(to: 0.9)
      own.add(block)
      others.fade(to: 0.9)
      others.add(rest)
      errors.settle(own: own.failed, others: others.failed, isFlagged: isFlagged)
      for (index, bound) in bounds.enumerated() {
        slowness[index].settle(own: own.slow(bound), others: others.slow(bound), isFlagged: isFlagged)
      }
    }

    mutating func forget() {
      errors.evidence = 0
      for index in slowness.indices { slowness[index].evidence = 0 }
    }
  }

  /// Evidence beyond this says nothing more, and would take long to be forgotten.
  private static let most = 30.0
  /// Fewer answers of the others in a look, and it is not one.
  private static let fewest: UInt64 = 20

  private let settings: Settings
  private var subjects: [String: Subject] = [:]
  /// All answers of the pool.
  private var pool = Memory()

  package init(_ settings: Settings = Settings()) { self.settings = settings }

  package var drifting: [String] { subjects.filter { $0.value.flagged != nil }.keys.sorted() }

  /// - Parameter blocks: what each backend that takes traffic did since the last look.
  package mutating func look(_ blocks: [String: CanaryBlock.Side]) -> [Event] {
    subjects = subjects.filter { blocks[$0.key] != nil }
    var events: [Event] = []
    let lines = settings.quantiles.compactMap { SlownessTest.bound($0, of: pool.latencies) }
    var all = CanaryBlock.Side()
    for block in blocks.values { all += block }
    for (name, block) in blocks.sorted(by: { $0.key < $1.key }) {
      let rest = all - block
      guard rest.total >= DriftWatch.fewest else { continue }
      var subject = subjects[name] ?? Subject(settings)
      subject.look(block, rest, lines)
      judge(&subject, name, atMost: blocks.count / 2, &events)
      subjects[name] = subject
    }
    learn(blocks)
    return events
  }

  private func judge(_ subject: inout Subject, _ name: String, atMost: Int, _ events: inout [Event]) {
    if let (what, test) = worst(subject) {
      subject.quiet = 0
      // When most of a pool changes, nobody drifts from it.
      guard subject.flagged == nil, drifting.count < atMost else { return }
      subject.flagged = what
      events.append(.drifting(name, Finding(what: what, own: test.own, others: test.others)))
    } else if subject.flagged != nil {
      subject.quiet += 1
      guard subject.quiet >= settings.quiet else { return }
      subject.flagged = nil
      subject.quiet = 0
      subject.forget()
      events.append(.recovered(name))
    }
  }

  /// What it is worse in; of several quantiles that with the most evidence.
  private func worst(_ subject: Subject) -> (what: String, Test)? {
    let alarm = SequentialTest.log(settings.looksPerFalseAlarm)
    func isWorse(_ test: Test, _ least: Double, _ needed: Double) -> Bool {
      test.excess > least && (subject.flagged != nil || test.evidence >= needed)
    }
    if isWorse(subject.errors, settings.errors, alarm) { return ("errors", subject.errors) }
    let each = alarm + SequentialTest.log(Double(max(1, settings.quantiles.count)))
    return subject.slowness.filter { isWorse($0, settings.slowness, each) }
      .max { $0.evidence < $1.evidence }.map { ("slow answers", $0) }
  }

  private mutating func learn(_ blocks: [String: CanaryBlock.Side]) {
    // Those that drift would move the lines towards themselves.
    let flagged = Set(drifting)
    for (name, block) in blocks where !flagged.contains(name) { pool.add(block) }
    pool.fade(to: 0.99)
  }
}

extension CanaryBlock.Side {
  fileprivate var failed: SequentialTest.Count { .init(hits: errors, total: total) }

  /// - Parameter part: what `whole` is a sum of, among others.
  fileprivate static func - (whole: Self, part: Self) -> Self {
    var rest = whole
    rest.total -= part.total
    rest.errors -= part.errors
    for (index, count) in part.latencies.enumerated() where index < rest.latencies.count {
      rest.latencies[index] -= count
    }
    return rest
  }
}
