package import Model

/// How a new version takes over from the others by shares of clients.
package struct CanaryPlan: Codable, Hashable, Sendable {
  /// What takes over, and in which pool.
  package var pool = ""
  package var version = ""
  /// In hundredths of all clients, growing; the last one is 100 for a whole takeover. 100 alone is blue/green.
  /// 0, as the first, is the step on which it gets copies only.
  package var steps = [1, 5, 25, 50, 100]
  /// How many of the requests it gets copies of on that step, in ten-thousandths.
  package var mirrored: Int?
  /// At least so long on each step.
  package var hold = Duration.seconds(60)
  /// At least so many answers of the canary on each step.
  package var samples: UInt64 = 500
  /// Longer than this on a step without enough samples: it pauses and says so.
  package var patience = Duration.seconds(3_600)
  /// The greatest chance that a canary that is not worse is stopped, over all steps and both tests.
  package var falsePositives = 0.01
  /// More errors than this share of at least `CanaryPlan.fewest` answers on a step end it, whatever the others do; for
  /// the step on which there are no others.
  package var mostErrors: Double?
  /// Requests that one backend can carry at once; a step that needs more than there are waits.
  package var capacity: Int?
  /// Requests a second that one backend can answer, likewise.
  package var rate: Int?

  /// Looks at answers of both sides before the step of copies is over: a test bets on each look by those before it, so that
  /// any number of answers in one look shows nothing.
  package static let fewestLooks = 6
  /// Answers before `mostErrors` is asked.
  package static let fewest: UInt64 = 50

  package init() {}
}

/// What both versions did since the last look, and what the canary's pool could carry.
package struct CanaryBlock: Hashable, Sendable {
  package struct Side: Codable, Hashable, Sendable {
    /// Answers.
    package var total: UInt64
    /// Of those, failed ones.
    package var errors: UInt64
    /// How many answers fell into each latency bucket; the sides have the same buckets.
    package var latencies: [UInt64]

    package init(total: UInt64 = 0, errors: UInt64 = 0, latencies: [UInt64] = []) {
      self.total = total
      self.errors = errors
      self.latencies = latencies
    }

    static func += (left: inout Side, right: Side) {
      left.total += right.total
      left.errors += right.errors
      if left.latencies.isEmpty { return left.latencies = right.latencies }
      for (index, count) in right.latencies.enumerated() where index < left.latencies.count {
        left.latencies[index] += count
      }
    }
  }

  package var canary: Side
  package var control: Side
  /// Backends of the canary that are up and ready.
  package var carrying = 1
  /// Of both versions.
  package var load = PoolLoad()

  package init(canary: Side, control: Side) {
    self.canary = canary
    self.control = control
  }
}

/// What a canary did on one step: the evidence that is kept.
package struct CanaryStep: Codable, Hashable, Sendable {
  package var share: Int
  /// Milliseconds since 1970.
  package var since: Int64
  /// nil: still on it.
  package var until: Int64?
  package var canary = CanaryBlock.Side()
  package var control = CanaryBlock.Side()
  /// At which both sides had answers; nil: none yet.
  package var looks: Int?

  package init(share: Int, since: Int64) {
    self.share = share
    self.since = since
  }
}
