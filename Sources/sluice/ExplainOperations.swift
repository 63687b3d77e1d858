internal import Admin
internal import Foundation
internal import Model
internal import Node
internal import Telemetry

/// The API's questions about requests.
extension Operations {
  func explain(_ request: ExplainRequest) async throws(AdminError) -> ExplainReport {
    let topology = await node.topology
    let target = try ExplainTarget(request)
    let listener = try target.listener(request.listener, topology)
    let question = ExplainQuestion(
      listener: listener.name, head: listener.transport == .http ? target.head : [], source: target.source)
    let found = node.ports.explain.request(question)
    return ExplainReport(found, listener: listener.name, rules: rules(listener.routes, question, until: found.route))
  }

  /// The rules that were tried, up to the one that was taken.
  private func rules(_ routes: [Route], _ question: ExplainQuestion, until taken: Int?) -> [ExplainReport.Rule] {
    routes.prefix(taken.map { $0 + 1 } ?? routes.count).enumerated().map { index, route in
      let mismatch: String? =
        index == taken ? nil : node.ports.explain.mismatch(route, question) ?? "an earlier one was taken"
      return ExplainReport.Rule(number: index + 1, name: route.name, action: route.words, mismatch: mismatch)
    }
  }

  func samples() async -> SamplesReport {
    SamplesReport(samples: node.ports.explain.samples(nil).map { SamplesReport.Sample($0, rules: nil) })
  }

  func explain(sample id: String) async throws(AdminError) -> SamplesReport {
    let found = node.ports.explain.samples(id)
    guard !found.isEmpty else {
      throw AdminError(
        .notFound, "no sampled request has the id \(id)",
        hint: "`sluice explain --recent` lists those that are kept; `tracing.sample` says how many are")
    }
    return SamplesReport(
      samples: found.map { sample in
        // Of a head that was too long to be kept, only the rule that was taken is known.
        let tried =
          sample.question.head.isEmpty ? [] : rules(sample.routes, sample.question, until: sample.explanation.route)
        return SamplesReport.Sample(sample, rules: tried)
      })
  }
}

/// A URL and what belongs to it, as a head.
struct ExplainTarget {
  let head: [UInt8]
  let source: IPAddress
  private let isSecure: Bool
  private let port: Int

  init(_ request: ExplainRequest) throws(AdminError) {
    func refused(_ reason: String) -> AdminError {
      AdminError(.unprocessable, reason, hint: "`sluice help explain` has an example")
    }
    let parts = [request.method, request.url] + (request.headers ?? [])
    guard parts.allSatisfy({ $0.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }) else {
      throw refused("method, URL and headers must not hold control characters")
    }
    guard let scheme = request.url.range(of: "://"), ["http", "https"].contains(request.url[..<scheme.lowerBound])
    else { throw refused("the URL must begin with http:// or https://") }
    isSecure = request.url.hasPrefix("https")
    let rest = request.url[scheme.upperBound...].prefix { $0 != "#" }
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let target = rest.dropFirst(authority.count)
    guard !authority.isEmpty else { throw refused("the URL has no host") }
    let last = authority.lastIndex(of: ":").flatMap {
      authority.hasSuffix("]") ? nil : Int(authority[$0...].dropFirst())
    }
    port = last ?? (isSecure ? 443 : 80)
    let path = target.hasPrefix("/") ? "\(target)" : "/\(target)"
    head = Array(
      "\(request.method) \(path) HTTP/1.1\r\nHost: \(authority)\r\n\((request.headers ?? []).map { "\($0)\r\n" }.joined())\r\n"
        .utf8)
    guard let source = IPAddress(request.from ?? "127.0.0.1") else {
      throw refused("\(request.from ?? "") is no IP address")
    }
    self.source = source
  }

  /// The listener that the URL leads to: by name, by its port, or the only one of its kind.
  func listener(_ name: String?, _ topology: Topology) throws(AdminError) -> Listener {
    if let name {
      if let found = topology.listeners.first(where: { $0.name == name }) { return found }
      throw AdminError(.notFound, "there is no listener \(name)", hint: "`sluice status` lists them")
    }
    let kind = topology.listeners.filter { $0.transport == .http && ($0.tls != nil) == isSecure }
    let bound = kind.filter { listener in
      listener.binds.contains { if case .ip(let endpoint) = $0.address { Int(endpoint.port) == port } else { false } }
    }
    if let found = bound.first ?? (kind.count == 1 ? kind[0] : nil) { return found }
    throw AdminError(
      .unprocessable, "no listener for \(isSecure ? "https" : "http") on port \(port)",
      hint: "name one with --listener: " + topology.listeners.map(\.name).joined(separator: ", "))
  }
}

extension Route {
  fileprivate var words: String {
    guard let mirror else { return action.words }
    let share = (mirror.share * 10_000).rounded() / 100
    let percent = share == share.rounded() ? "\(Int(share))" : "\(share)"
    return "\(action.words), and copies of \(percent)% to pool \(mirror.pool)"
  }
}

extension Action {
  fileprivate var words: String {
    switch self {
    case .pool(let pool): "pool \(pool)"
    case .split(let shares): "pools " + shares.map { "\($0.pool) (\($0.weight))" }.joined(separator: ", ")
    case .redirect: "redirect"
    case .respond(let response): "respond \(response.status)"
    }
  }
}

extension ExplainReport {
  init(_ found: Explanation, listener: String, rules: [Rule]) {
    self.init(
      worker: found.worker, generation: found.generation, listener: listener, path: found.path, rules: rules,
      pool: found.pool, problem: found.problem, site: found.site, picks: found.picks.map { Pick($0) })
  }
}

extension ExplainReport.Pick {
  fileprivate init(_ pick: Explanation.Pick) {
    let chosen = pick.chosen.map { pick.candidates[$0].backend }
    self.init(
      policy: pick.policy.name, seed: pick.seed, hash: pick.hash.map { TraceContext.hexadecimal($0) },
      version: pick.version, persistent: pick.persistent,
      candidates: pick.candidates.enumerated().map { index, one in
        ExplainReport.Candidate(
          backend: one.backend, version: one.version, verdict: one.standing.verdict.state.rawValue,
          state: one.standing.state.rawValue, weight: one.standing.weight,
          effectiveWeight: Double(one.standing.effectiveWeight) / 100, load: one.load, limit: one.limit,
          drawn: one.drawn, isChosen: index == pick.chosen, why: pick.why(index))
      }, chosen: chosen, isReproduced: pick.isReproduced)
  }
}

extension Explanation.Pick {
  /// Why a candidate was, or was not, chosen.
  fileprivate func why(_ index: Int) -> String {
    let one = candidates[index]
    if index == chosen { return one.backend == persistent ? "the client belongs to it" : "chosen" }
    if one.wasTried { return "it was tried" }
    if one.standing.state != .ready { return "it is set to \(one.standing.state.rawValue)" }
    if !one.standing.verdict.takesTraffic {
      return "\(one.standing.verdict.state.rawValue): \(one.standing.verdict.reason)"
    }
    if let version, version == "others" ? one.standing.effectiveWeight == 0 : one.version != version {
      return "another version"
    }
    if one.standing.effectiveWeight == 0, one.drawn == 0 {
      return one.standing.weight == 0 ? "its weight is 0" : "it stands by"
    }
    if let limit = one.limit, one.load >= limit { return "it is full" }
    if let persistent, chosen.map({ candidates[$0].backend }) == persistent {
      return "the client belongs to \(persistent)"
    }
    return one.drawn > 0 ? "another one's turn" : "others were preferred"
  }
}

extension SamplesReport.Sample {
  /// - Parameter rules: nil: it is not to be explained.
  fileprivate init(_ sample: SampledRequest, rules: [ExplainReport.Rule]?) {
    let request = sample.request
    let date = Date(timeIntervalSince1970: Double(request.started) / 1_000_000)
    self.init(
      trace: request.context.traceID, requestID: request.requestID,
      time: date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)), method: request.method,
      host: request.host, path: request.path, client: "\(SocketAddress.ip(request.client))", status: request.status,
      seconds: Double(request.ended - request.started) / 1e6, backend: request.lastTry?.backend, tries: request.tries,
      reason: request.ending,
      explanation: rules.map { ExplainReport(sample.explanation, listener: request.listener, rules: $0) })
  }
}
