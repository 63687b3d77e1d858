/// `POST /v1/rollouts/canary`: bring a version into service by shares of clients. Durations are seconds.
package struct CanaryRequest: Codable, Hashable, Sendable {
  package var pool: String
  package var version: String
  /// In percent, growing; absent: 1, 5, 25, 50, 100.
  package var steps: [Int]?
  /// Before the first step: the share of requests that it gets copies of, 0 to 1; absent: there is no such step.
  package var mirror: Double?
  package var hold: Double?
  /// Answers of the canary on each step.
  package var samples: Int?
  package var patience: Double?
  /// The greatest chance of stopping a version that is not worse, 0 to 1.
  package var falseAlarms: Double?
  /// The share of errors that ends it whatever the others do, 0 to 1.
  package var mostErrors: Double?
  /// Requests that one backend can carry at once.
  package var capacity: Int?
  package var rate: Int?

  package enum CodingKeys: String, CodingKey {
    case pool, version, steps, mirror, hold, samples, patience, capacity, rate
    case falseAlarms = "false_alarms"
    case mostErrors = "most_errors"
  }

  package init(pool: String, version: String) {
    self.pool = pool
    self.version = version
  }
}

/// A canary with its evidence.
package struct CanaryReport: Codable, Hashable, Sendable {
  /// What one version did.
  package struct Side: Codable, Hashable, Sendable {
    package var answers: UInt64
    package var errors: UInt64
    /// Seconds; absent without answers.
    package var p50: Double?
    package var p99: Double?

    package init(answers: UInt64, errors: UInt64, p50: Double? = nil, p99: Double? = nil) {
      self.answers = answers
      self.errors = errors
      self.p50 = p50
      self.p99 = p99
    }
  }

  package struct Step: Codable, Hashable, Sendable {
    /// In percent.
    package var share: Int
    package var since: String
    package var seconds: Double
    package var canary: Side
    package var control: Side

    package init(share: Int, since: String, seconds: Double, canary: Side, control: Side) {
      self.share = share
      self.since = since
      self.seconds = seconds
      self.canary = canary
      self.control = control
    }
  }

  /// How near a test is to stopping the canary.
  package struct Test: Codable, Hashable, Sendable {
    /// "errors" or "slow answers".
    package var name: String
    package var canary: Side
    package var control: Side
    /// 0 to 1; 1 stops it.
    package var evidence: Double

    package init(name: String, canary: Side, control: Side, evidence: Double) {
      self.name = name
      self.canary = canary
      self.control = control
      self.evidence = evidence
    }
  }

  package var version: String
  /// In percent, now.
  package var share: Int
  package var plan: [Int]
  /// Answers that the step wants.
  package var samples: UInt64
  package var falseAlarms: Double
  /// Those that were taken; the last one is the present.
  package var steps: [Step]
  package var tests: [Test]

  package init(
    version: String, share: Int, plan: [Int], samples: UInt64, falseAlarms: Double, steps: [Step], tests: [Test]
  ) {
    self.version = version
    self.share = share
    self.plan = plan
    self.samples = samples
    self.falseAlarms = falseAlarms
    self.steps = steps
    self.tests = tests
  }
}
