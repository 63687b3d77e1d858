/// `GET /v1/events?after=N`: what happened, oldest first.
package struct EventsReport: Codable, Hashable, Sendable {
  package struct Event: Codable, Hashable, Sendable {
    /// Grows by one with every event since the node started.
    package var id: UInt64
    /// UTC, "2026-01-31T12:34:56.789Z".
    package var time: String
    package var kind: String
    /// What it is about: a "pool/backend", a listener, or empty for the node.
    package var subject: String
    package var message: String
    /// The event that led to it; none: it came from outside, as the message says.
    package var cause: UInt64?

    package init(id: UInt64, time: String, kind: String, subject: String, message: String, cause: UInt64? = nil) {
      self.id = id
      self.time = time
      self.kind = kind
      self.subject = subject
      self.message = message
      self.cause = cause
    }
  }

  package var events: [Event]
  /// The `after` that asks for what comes next.
  package var next: UInt64

  package init(events: [Event], next: UInt64) {
    self.events = events
    self.next = next
  }
}

/// `POST /v1/reload` and `POST /v1/check`: what changed, or what would.
package struct ChangeReport: Codable, Hashable, Sendable {
  package var generation: UInt64
  /// In traffic terms, one line each; empty when nothing changes.
  package var changes: [String]

  package init(generation: UInt64, changes: [String]) {
    self.generation = generation
    self.changes = changes
  }
}

/// `GET /v1/health`: the process lives and its node answers.
package struct HealthReport: Codable, Hashable, Sendable {
  package var status: String
  package var phase: StatusReport.Phase

  package init(status: String, phase: StatusReport.Phase) {
    self.status = status
    self.phase = phase
  }
}

/// `PUT /v1/backends/{pool}/{backend}/weight`.
package struct WeightOrder: Codable, Hashable, Sendable {
  package var weight: Int

  package init(weight: Int) { self.weight = weight }
}

/// A backend's administrative state, as in the path of the order.
package enum StateOrder: String, Codable, Sendable, CaseIterable { case ready, drain, maintenance }

/// Any answer that is not 2xx.
package struct ErrorReport: Codable, Hashable, Sendable {
  package var error: String
  /// What to do next.
  package var hint: String
  /// With 422: each fault with its place, "file:line:column: …".
  package var diagnostics: [String]?

  package init(error: String, hint: String, diagnostics: [String]? = nil) {
    self.error = error
    self.hint = hint
    self.diagnostics = diagnostics
  }
}
