package import Model

/// Who of a pool does worse than its others, and worse than it used to: errors, and slow answers.
///
/// "Slow" is above the others' 90th percentile so far. Each look's block bets on what the looks before showed (as in
/// `SequentialTest`), and a CUSUM of the bets' logarithms is kept above 0: under equal shares it reaches log c once in
/// c looks on average at most, so that the rate of false alarms is stated, however long it runs. Beyond chance, a
/// difference must matter: it must exceed what has been usual for this backend by `Settings.errors` or
/// `Settings.slowness`.
///
/// Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection" (2022), for
/// the average run length of CUSUM over e-processes.
package struct DriftWatch: Sendable {
  package struct Settings: Sendable {
    /// Looks between two false alarms of one backend and test, on average, at least.
    package var looksPerFalseAlarm = 100_000.0
    /// Shares beyond the usual that matter: of errors, and of slow answers, of which a tenth is usual.
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
    var own = Decayed()
    var others = Decayed()
    /// The CUSUM, never below 0.
    var evidence = 0.0
    /// What the difference has been over a long time.
    var usual = 0.0
    var looks = 0

    var difference: Double { own.share - others.share }

    mutating func look(_ new: SequentialTest.Count, _ rest: SequentialTest.Count, isFlagged: Bool) {
      guard new.total > 0, rest.total > 0 else { return }
      let gain = SequentialTest.gain(
        new, rest, bet: (canary: own.bet(with: others), control: others.bet(with: own)))
      evidence = min(max(0, evidence + gain), DriftWatch.most)
      own.add(new)
      others.add(rest)
      // A drift must not become the usual; the first looks are the beginning of it.
      guard !isFlagged else { return }
      looks += 1
      usual += (difference - usual) / Double(min(looks, 200))
    }
  }

  /// Counts that fade by a tenth with each look.
  private struct Decayed: Sendable {
    var hits = 0.0
    var total = 0.0

    var share: Double { total > 0 ? hits / total : 0 }

    mutating func add(_ count: SequentialTest.Count) {
      hits = hits * 0.9 + Double(count.hits)
      total = total * 0.9 + Double(count.total)
    }

    /// Never 0 or 1, and drawn to what all have while there is little.
    func bet(with other: Decayed) -> Double {
      let pooled = (hits + other.hits + 0.02) / (total + other.total + 2)
      return (hits + pooled * 2) / (total + 2)
    }
  }

  private struct Subject: Sendable {
    var errors = Test()
    var slowness = Test()
    var flagged: String?
    var quiet = 0
  }

  /// Evidence beyond this says nothing more, and would take long to be forgotten.
  private static let most = 30.0
  /// Fewer answers of the others in a look, and it is not one.
  private static let fewest: UInt64 = 20

  private let settings: Settings
  private var subjects: [String: Subject] = [:]
  /// All answers of the pool, fading.
  private var latencies: [Double] = []

  package init(_ settings: Settings = Settings()) { self.settings = settings }

  package var drifting: [String] { subjects.filter { $0.value.flagged != nil }.keys.sorted() }

  /// - Parameter blocks: what each backend that takes traffic did since the last look.
  package mutating func look(_ blocks: [String: CanaryBlock.Side]) -> [Event] {
    subjects = subjects.filter { blocks[$0.key] != nil }
    var events: [Event] = []
    let bound = slowBound
    for (name, block) in blocks.sorted(by: { $0.key < $1.key }) {
      var rest = CanaryBlock.Side()
      for (other, side) in blocks where other != name { rest += side }
      guard rest.total >= DriftWatch.fewest else { continue }
      var subject = subjects[name] ?? Subject()
      let isFlagged = subject.flagged != nil
      subject.errors.look(
        .init(hits: block.errors, total: block.total), .init(hits: rest.errors, total: rest.total), isFlagged: isFlagged
      )
      if let bound {
        subject.slowness.look(DriftWatch.slow(block, bound), DriftWatch.slow(rest, bound), isFlagged: isFlagged)
      }
      judge(&subject, name, atMost: blocks.count / 2, &events)
      subjects[name] = subject
    }
    learn(blocks)
    return events
  }

  private func judge(_ subject: inout Subject, _ name: String, atMost: Int, _ events: inout [Event]) {
    let needed = SequentialTest.log(settings.looksPerFalseAlarm)
    let tests = [("errors", subject.errors, settings.errors), ("slow answers", subject.slowness, settings.slowness)]
    let worse = tests.first {
      $0.1.difference - $0.1.usual > $0.2 && (subject.flagged != nil || $0.1.evidence >= needed)
    }
    if let (what, test, _) = worse {
      subject.quiet = 0
      // When most of a pool changes, nobody drifts from it.
      guard subject.flagged == nil, drifting.count < atMost else { return }
      subject.flagged = what
      events.append(.drifting(name, Finding(what: what, own: test.own.share, others: test.others.share)))
    } else if subject.flagged != nil {
      subject.quiet += 1
      guard subject.quiet >= settings.quiet else { return }
      subject.flagged = nil
      (subject.quiet, subject.errors.evidence, subject.slowness.evidence) = (0, 0, 0)
      events.append(.recovered(name))
    }
  }

  private mutating func learn(_ blocks: [String: CanaryBlock.Side]) {
    // Those that drift would move the bound towards themselves.
    let flagged = Set(drifting)
    for (name, block) in blocks where !flagged.contains(name) {
      if latencies.isEmpty { latencies = [Double](repeating: 0, count: block.latencies.count) }
      for index in latencies.indices where index < block.latencies.count {
        latencies[index] += Double(block.latencies[index])
      }
    }
    for index in latencies.indices { latencies[index] *= 0.99 }
  }

  /// The first bucket above the pool's 90th percentile; nil before there are a hundred answers.
  private var slowBound: Int? {
    let total = latencies.reduce(0, +)
    guard total >= 100 else { return nil }
    var seen = 0.0
    for (index, count) in latencies.enumerated() {
      seen += count
      if seen >= total * 0.9 { return index + 1 }
    }
    return nil
  }

  private static func slow(_ side: CanaryBlock.Side, _ bound: Int) -> SequentialTest.Count {
    .init(hits: side.latencies.dropFirst(bound).reduce(0, +), total: side.latencies.reduce(0, +))
  }
}
