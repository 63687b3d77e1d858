/// How a new version takes over from an old one by shares of traffic.
package struct CanaryPlan: Codable, Hashable, Sendable {
  /// In hundredths of all traffic, growing; the last one is 100 for a whole takeover.
  package var steps = [1, 5, 25, 50, 100]
  /// At least so long on each step.
  package var hold = Duration.seconds(60)
  /// At least so many answers of the canary on each step.
  package var samples: UInt64 = 500
  /// Longer than this on a step without enough samples: it pauses and says so.
  package var patience = Duration.seconds(3_600)
  /// The greatest chance that a canary that is not worse is stopped, over all steps and both tests.
  package var falsePositives = 0.01

  package init() {}
}

/// What both versions did since the last look.
package struct CanaryBlock: Hashable, Sendable {
  package struct Side: Hashable, Sendable {
    /// Answers.
    package var total: UInt64
    /// Of those, failed ones.
    package var errors: UInt64
    /// How many answers fell into each latency bucket; the sides have the same buckets.
    package var latencies: [UInt64]

    package init(total: UInt64, errors: UInt64, latencies: [UInt64]) {
      self.total = total
      self.errors = errors
      self.latencies = latencies
    }
  }

  package var canary: Side
  package var control: Side

  package init(canary: Side, control: Side) {
    self.canary = canary
    self.control = control
  }
}
