internal import Admin
internal import Foundation
internal import Model
internal import Node
internal import Rollouts

/// The API's orders about rollouts.
extension Operations {
  func rollouts() async -> RolloutsReport { RolloutsReport(rollouts: await rolloutDriver.report()) }

  func start(_ request: RolloutRequest) async throws(AdminError) -> RolloutReport {
    let plan = try RolloutPlan(request, await node.topology)
    try await rolloutDriver.start(plan, versionPath: request.versionPath)
    return try await rollout(of: plan.pool)
  }

  func order(_ order: RolloutOrder, pool: String) async throws(AdminError) -> RolloutReport {
    try await rolloutDriver.order(RolloutEvent.Order(order), pool: pool)
    return try await rollout(of: pool)
  }

  func start(_ request: CanaryRequest) async throws(AdminError) -> RolloutReport {
    let plan = try CanaryPlan(request, await node.snapshot())
    try await rolloutDriver.start(plan)
    return try await rollout(of: plan.pool)
  }

  func rollout(of pool: String) async throws(AdminError) -> RolloutReport {
    guard let report = await rolloutDriver.report().first(where: { $0.pool == pool }) else {
      throw AdminError(.notFound, "pool \(pool) has no rollout", hint: "`sluice rollout start` begins one")
    }
    return report
  }
}

extension RolloutEvent.Order {
  init(_ order: RolloutOrder) {
    switch order {
    case .pause: self = .pause
    case .resume: self = .resume
    case .next: self = .next
    case .abort: self = .abort
    case .rollback: self = .rollback
    }
  }
}

extension RolloutPlan {
  /// - Throws: what is wrong with the request, in its own words.
  init(_ request: RolloutRequest, _ topology: Topology) throws(AdminError) {
    guard let pool = topology.pools.first(where: { $0.name == request.pool }) else {
      throw AdminError(Refusal.noSuchPool(request.pool), meaning: topology)
    }
    let names = pool.backends.map(\.name)
    let wanted = request.backends ?? names
    for name in wanted where !names.contains(name) {
      throw AdminError(Refusal.noSuchBackend(BackendKey(pool: pool.name, backend: name)), meaning: topology)
    }
    guard !wanted.isEmpty, Set(wanted).count == wanted.count else {
      throw .rollout("`backends` must name each backend once")
    }
    self.init(pool: pool.name, backends: wanted, method: try Method(request.update, "update"))
    if let undo = request.undo { self.undo = try Method(undo, "undo") }
    batch = try whole(request.batch, "batch", 1...names.count) ?? batch
    maxUnavailable = try whole(request.maxUnavailable, "max_unavailable", 1...names.count) ?? max(1, batch)
    capacity = try whole(request.capacity, "capacity", 1...1_000_000)
    rate = try whole(request.rate, "rate", 1...1_000_000_000)
    drainTimeout = try seconds(request.drainTimeout, "drain_timeout") ?? drainTimeout
    updateTimeout = try seconds(request.updateTimeout, "update_timeout") ?? updateTimeout
    healthTimeout = try seconds(request.healthTimeout, "health_timeout") ?? healthTimeout
    soak = try seconds(request.soak, "soak") ?? soak
    version = request.version
    guard (request.version == nil) == (request.versionPath == nil) else {
      throw .rollout("`version` and `version_path` belong together")
    }
    if let path = request.versionPath, !path.hasPrefix("/") || path.contains(where: { !$0.isASCII || $0 <= " " }) {
      throw .rollout("`version_path` must be a path such as /version")
    }
    guard let probe = pool.probe else {
      throw AdminError(
        .conflict, "pool \(pool.name) has no probe: nobody would know whether an updated backend is well",
        hint: "give the pool a probe")
    }
    settle = max(probe.every, .milliseconds(1)) * (max(probe.rise, probe.fall) + 1)
  }
}

extension CanaryPlan {
  /// - Throws: what is wrong with the request, in its own words.
  init(_ request: CanaryRequest, _ snapshot: NodeSnapshot) throws(AdminError) {
    guard let index = snapshot.topology.pools.firstIndex(where: { $0.name == request.pool }) else {
      throw AdminError(Refusal.noSuchPool(request.pool), meaning: snapshot.topology)
    }
    let pool = snapshot.topology.pools[index]
    guard pool.versionLabels.contains(request.version) else {
      throw AdminError(Refusal.noSuchVersion(pool: pool.name, request.version), meaning: snapshot.topology)
    }
    let members = zip(pool.backends, snapshot.standings[index]).filter { $0.0.version == request.version }
    guard members.contains(where: { $0.1.verdict.takesTraffic && $0.1.state == .ready }) else {
      throw AdminError(
        .conflict, "no backend of version \(request.version) is up and ready", hint: "`sluice status` says why")
    }
    self.init()
    (self.pool, version) = (pool.name, request.version)
    steps = request.steps ?? steps
    guard !steps.isEmpty, steps.allSatisfy({ (1...100).contains($0) }), zip(steps, steps.dropFirst()).allSatisfy(<)
    else { throw .rollout("`steps` must be growing percents of 1 to 100") }
    guard members.count < pool.backends.count || steps == [100] else {
      throw .rollout("every backend of the pool has version \(request.version): there is nothing to compare it with")
    }
    if let mirror = try part(request.mirror, "mirror", 0.0001...1) {
      guard steps != [100] || members.count < pool.backends.count else {
        throw .rollout("`mirror`: every backend has version \(request.version), and nobody's requests can be copied")
      }
      steps.insert(0, at: 0)
      mirrored = Int((mirror * 10_000).rounded())
    }
    hold = try seconds(request.hold, "hold") ?? hold
    patience = try seconds(request.patience, "patience") ?? patience
    samples = UInt64(try whole(request.samples, "samples", 0...100_000_000) ?? Int(samples))
    capacity = try whole(request.capacity, "capacity", 1...1_000_000)
    rate = try whole(request.rate, "rate", 1...1_000_000_000)
    falsePositives = try part(request.falseAlarms, "false_alarms", 0.000_001...0.5) ?? falsePositives
    mostErrors = try part(request.mostErrors, "most_errors", 0...1)
  }
}

private func part(_ value: Double?, _ name: String, _ range: ClosedRange<Double>) throws(AdminError) -> Double? {
  guard let value else { return nil }
  guard range.contains(value) else { throw .rollout("`\(name)` must be \(range.lowerBound) to \(range.upperBound)") }
  return value
}

private func whole(_ value: Int?, _ name: String, _ range: ClosedRange<Int>) throws(AdminError) -> Int? {
  guard let value else { return nil }
  guard range.contains(value) else {
    throw .rollout("`\(name)` must be \(range.lowerBound) to \(range.upperBound)")
  }
  return value
}

private func seconds(_ value: Double?, _ name: String) throws(AdminError) -> Duration? {
  guard let value else { return nil }
  guard value >= 0, value <= 86_400 else { throw .rollout("`\(name)` must be 0 to 86400 seconds") }
  return .milliseconds(Int64(value * 1_000))
}

extension RolloutPlan.Method {
  fileprivate init(_ asked: RolloutRequest.Method, _ name: String) throws(AdminError) {
    switch (asked.command, asked.webhook, asked.manual ?? false) {
    case (.some(let words), nil, false) where !words.isEmpty: self = .command(try Self.checked(words, name))
    case (nil, .some(let url), false) where url.isWeb: self = .webhook(url)
    case (nil, nil, true): self = .manual
    default:
      throw .rollout("`\(name)` must be a command with an absolute path, a webhook at an http:// URL, or manual")
    }
  }

  /// What could not be started is refused before the first backend is drained for it.
  private static func checked(_ words: [String], _ name: String) throws(AdminError) -> [String] {
    let program = words[0]
    // What a shell was given in quotes comes as one word.
    if words.count == 1, program.contains(" "), !FileManager.default.isExecutableFile(atPath: program) {
      throw .rollout(
        "`\(name)`: no shell runs the command, and '\(program)' is one word of it",
        hint:
          "give its words apart, as the last option: --command \(program); for a shell: --command /bin/sh -c '\(program)'"
      )
    }
    guard program.hasPrefix("/") else {
      throw .rollout(
        "`\(name)`: no shell looks for '\(program)': it must be an absolute path",
        hint: "`command -v \(program)` on the node says where it is")
    }
    guard program.contains("{") || FileManager.default.isExecutableFile(atPath: program) else {
      throw .rollout("`\(name)`: '\(program)' is no program on the node", hint: "the node runs it, as its own user")
    }
    return words
  }
}

extension String {
  /// What may stand in a request line as it is.
  fileprivate var isWeb: Bool { hasPrefix("http://") && utf8.allSatisfy { (0x21...0x7e).contains($0) } }
}

extension AdminError {
  fileprivate static func rollout(
    _ reason: String, hint: String = "`sluice help rollout` lists what there is"
  ) -> AdminError {
    AdminError(.unprocessable, reason, hint: hint)
  }
}
