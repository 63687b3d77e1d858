/// What the API can ask about requests.
package protocol ExplainOperations: Sendable {
  func explain(_ request: ExplainRequest) async throws(AdminError) -> ExplainReport
  /// A sampled request by its trace's or its own id.
  func explain(sample id: String) async throws(AdminError) -> SamplesReport
  func samples() async -> SamplesReport
}

/// `POST /v1/explain`: what would become of a request that is not sent.
package struct ExplainRequest: Codable, Hashable, Sendable {
  package var method: String
  /// With scheme, host and path; the scheme and the port choose the listener.
  package var url: String
  /// Whole lines.
  package var headers: [String]?
  /// The client's address.
  package var from: String?
  /// Instead of the one that the URL leads to.
  package var listener: String?

  package init(method: String, url: String) {
    self.method = method
    self.url = url
  }
}

package struct ExplainReport: Codable, Hashable, Sendable {
  /// A rule of the listener, in order, up to the one that matched.
  package struct Rule: Codable, Hashable, Sendable {
    package var number: Int
    package var name: String?
    package var action: String
    /// What of it does not match; absent: it does.
    package var mismatch: String?

    package init(number: Int, name: String?, action: String, mismatch: String?) {
      self.number = number
      self.name = name
      self.action = action
      self.mismatch = mismatch
    }
  }

  package struct Candidate: Codable, Hashable, Sendable {
    package var backend: String
    package var version: String?
    package var verdict: String
    package var state: String
    package var weight: Int
    package var effectiveWeight: Double
    /// Requests in flight, over all workers.
    package var load: Int
    package var limit: Int?
    /// Of a thousand further requests like this one.
    package var drawn: Int
    package var isChosen: Bool
    package var why: String

    package init(
      backend: String, version: String?, verdict: String, state: String, weight: Int, effectiveWeight: Double,
      load: Int,
      limit: Int?, drawn: Int, isChosen: Bool, why: String
    ) {
      self.backend = backend
      self.version = version
      self.verdict = verdict
      self.state = state
      self.weight = weight
      self.effectiveWeight = effectiveWeight
      self.load = load
      self.limit = limit
      self.drawn = drawn
      self.isChosen = isChosen
      self.why = why
    }
  }

  /// A choice of a backend.
  package struct Pick: Codable, Hashable, Sendable {
    package var policy: String
    /// Of the worker's generator, before the choice.
    package var seed: String
    package var hash: String?
    package var version: String?
    package var persistent: String?
    package var candidates: [Candidate]
    package var chosen: String?
    /// The recorded inputs lead to the recorded choice.
    package var isReproduced: Bool

    package init(
      policy: String, seed: String, hash: String?, version: String?, persistent: String?, candidates: [Candidate],
      chosen: String?, isReproduced: Bool
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

  package var worker: Int
  package var generation: UInt64
  package var listener: String
  package var path: String
  package var rules: [Rule]
  package var pool: String?
  /// What the client would be answered without a backend.
  package var problem: String?
  /// What the client's site has to do with it.
  package var site: String?
  package var picks: [Pick]

  package init(
    worker: Int, generation: UInt64, listener: String, path: String, rules: [Rule], pool: String?, problem: String?,
    site: String? = nil, picks: [Pick]
  ) {
    self.site = site
    self.worker = worker
    self.generation = generation
    self.listener = listener
    self.path = path
    self.rules = rules
    self.pool = pool
    self.problem = problem
    self.picks = picks
  }
}

/// `GET /v1/samples` and `GET /v1/samples/{id}`: requests that were sampled, oldest first.
package struct SamplesReport: Codable, Hashable, Sendable {
  package struct Sample: Codable, Hashable, Sendable {
    package var trace: String
    package var requestID: String?
    package var time: String
    package var method: String
    package var host: String
    package var path: String
    package var client: String
    package var status: Int
    package var seconds: Double
    package var backend: String?
    package var tries: Int
    package var reason: String
    /// With an id only.
    package var explanation: ExplainReport?

    package init(
      trace: String, requestID: String?, time: String, method: String, host: String, path: String, client: String,
      status: Int, seconds: Double, backend: String?, tries: Int, reason: String, explanation: ExplainReport?
    ) {
      self.trace = trace
      self.requestID = requestID
      self.time = time
      self.method = method
      self.host = host
      self.path = path
      self.client = client
      self.status = status
      self.seconds = seconds
      self.backend = backend
      self.tries = tries
      self.reason = reason
      self.explanation = explanation
    }
  }

  package var samples: [Sample]

  package init(samples: [Sample]) { self.samples = samples }
}
