import Model

/// Successes and failures in a row of an active probe, and what they amount to.
struct ProbeTally: Hashable, Sendable {
  enum State: Hashable, Sendable {
    /// No probe: up, and nobody asks.
    case unprobed
    /// `failures` in a row so far, below `fall`.
    case up(failures: Int)
    /// `successes` in a row so far, below `rise`; unless `proven`, the first is enough.
    case down(successes: Int, proven: Bool)
  }

  private(set) var state: State
  private(set) var reason: String

  init(_ probe: Probe?) {
    switch probe?.initial {
    case nil: (state, reason) = (.unprobed, "no probe")
    case .up: (state, reason) = (.up(failures: 0), "not probed yet, up until then")
    case .down: (state, reason) = (.down(successes: 0, proven: false), "not probed yet")
    }
  }

  /// Counting starts anew.
  init(_ probe: Probe?, recalling memory: BackendHealth.Memory) {
    self.init(probe)
    guard probe != nil else { return }
    state = memory.isUp ? .up(failures: 0) : .down(successes: 0, proven: memory.isProven)
    reason = memory.reason
  }

  /// Whether it has been up, or refuted, so that one success alone does not make it up.
  var isProven: Bool { if case .down(_, false) = state { false } else { true } }

  var isUp: Bool {
    switch state {
    case .unprobed, .up: true
    case .down: false
    }
  }

  /// Whether one more result may change the verdict: time for the faster interval.
  var isChanging: Bool {
    switch state {
    case .unprobed: false
    case .up(let failures): failures > 0
    case .down(let successes, let proven): successes > 0 || !proven
    }
  }

  mutating func count(_ outcome: ProbeOutcome, _ probe: Probe) {
    switch (state, outcome) {
    case (.unprobed, _): break
    case (.up, .success):
      (state, reason) = (.up(failures: 0), "probe succeeded")
    case (.up(let failures), .failure(let why)):
      if failures + 1 >= probe.fall {
        (state, reason) = (.down(successes: 0, proven: true), why)
      } else {
        state = .up(failures: failures + 1)
      }
    case (.down(let successes, let proven), .success):
      if !proven || successes + 1 >= probe.rise {
        (state, reason) = (.up(failures: 0), "probe succeeded")
      } else {
        state = .down(successes: successes + 1, proven: true)
      }
    case (.down, .failure(let why)):
      (state, reason) = (.down(successes: 0, proven: true), why)
    }
  }

  /// A reload changed the probe: what is known stays, what was being counted starts anew.
  mutating func reconfigure(from old: Probe?, to new: Probe?) {
    guard old != new else { return }
    switch (state, new) {
    case (_, nil): self = ProbeTally(nil)
    case (.unprobed, .some): (state, reason) = (.up(failures: 0), "not probed yet, up before the probe was added")
    case (.up, .some): state = .up(failures: 0)
    case (.down(_, let proven), .some): state = .down(successes: 0, proven: proven)
    }
  }
}
