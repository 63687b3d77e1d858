package import Model

/// A request that nobody sent, to be explained.
package struct ExplainQuestion: Hashable, Sendable {
  package var listener: String
  /// A whole HTTP/1.1 head; empty: a connection of a TCP listener.
  package var head: [UInt8]
  package var source: IPAddress

  package init(listener: String, head: [UInt8], source: IPAddress) {
    self.listener = listener
    self.head = head
    self.source = source
  }
}

/// What a worker does, or did, with a request.
package struct Explanation: Hashable, Sendable {
  package var worker: Int
  package var generation: UInt64
  /// An index into the listener's routes; nil: none.
  package var route: Int?
  package var pool: String?
  /// Why it goes to no pool; nil: it does.
  package var problem: String?
  /// What the client's site has to do with it; nil: nothing.
  package var site: String?
  /// The path as routes see it.
  package var path = ""
  /// One for each try; one for a request that nobody sent.
  package var picks: [Pick] = []

  package init(worker: Int, generation: UInt64) {
    self.worker = worker
    self.generation = generation
  }

  /// A choice of a backend, with all that it followed from.
  package struct Pick: Hashable, Sendable {
    package struct Candidate: Hashable, Sendable {
      package var backend: String
      package var standing: Standing
      package var version: String?
      /// Requests in flight on it, over all workers.
      package var load: Int
      package var limit: Int?
      package var wasTried: Bool
      /// Of `Pick.draws` further picks from the same state, how many it would get.
      package var drawn: Int

      package init(
        backend: String, standing: Standing, version: String?, load: Int, limit: Int?, wasTried: Bool, drawn: Int
      ) {
        self.backend = backend
        self.standing = standing
        self.version = version
        self.load = load
        self.limit = limit
        self.wasTried = wasTried
        self.drawn = drawn
      }
    }

    package static let draws = 1_000

    package var policy: BalancePolicy
    /// The state of the worker's generator, in hexadecimal.
    package var seed: String
    /// Of the key, for policies that hash.
    package var hash: UInt64?
    /// The version that the client belongs to: a label, or "others"; nil: nothing is divided.
    package var version: String?
    /// The backend that persistence holds the client to.
    package var persistent: String?
    package var candidates: [Candidate]
    /// An index; nil: nobody.
    package var chosen: Int?
    /// Whether the same inputs lead to the same choice again.
    package var isReproduced: Bool

    package init(
      policy: BalancePolicy, seed: String, hash: UInt64?, version: String?, persistent: String?,
      candidates: [Candidate],
      chosen: Int?, isReproduced: Bool
    ) {
      self.policy = policy
      self.seed = seed
      self.hash = hash
      self.version = version
      self.persistent = persistent
      self.candidates = candidates
      self.chosen = chosen
      self.isReproduced = isReproduced
    }
  }
}

/// A sampled request with its picks.
package struct SampledRequest: Hashable, Sendable {
  package var request: TracedRequest
  package var explanation: Explanation
  /// The rules at that time, and what they were asked; an empty head was too long to be kept.
  package var routes: [Route]
  package var question: ExplainQuestion

  package init(request: TracedRequest, explanation: Explanation, routes: [Route], question: ExplainQuestion) {
    self.request = request
    self.explanation = explanation
    self.routes = routes
    self.question = question
  }
}
