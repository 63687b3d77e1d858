import Admin
import Foundation
import Logging

/// A node with one pool and one backend, whose name is a Unix socket's address.
actor FakeNode: AdminOperations {
  static let backendName = "unix:/run/app one.sock"
  fileprivate(set) var orders: [String] = []

  var backend: BackendReport {
    BackendReport(
      name: FakeNode.backendName, address: "unix:/run/app one.sock", state: "ready", verdict: "up", reason: "200 OK",
      sinceSeconds: 1, weight: 100, effectiveWeight: 100, priority: 0)
  }

  func peers() -> PeersReport {
    PeersReport(node: "a", site: nil, peers: [], overrides: [])
  }

  func nameService() -> NameServiceReport { NameServiceReport(zones: [], names: [], sites: [], counters: [:]) }

  func nameAnswer(_ name: String, _ type: String, client: String?) -> NameAnswerReport {
    NameAnswerReport(text: "\(name) \(type) \(client ?? "-")")
  }

  func nameBudget(_ name: String, resolverFloor: Double) -> NameBudgetReport {
    NameBudgetReport(
      name: name, slowest: "pool web", firstSign: 1, detection: 2, publication: 0, shortestTTL: 5, longestTTL: 60,
      resolverFloor: resolverFloor, total: 62)
  }

  func order(site: String, drained seconds: Double?) throws(AdminError) -> NameServiceReport {
    guard site == "eu-1" else { throw AdminError(.notFound, "there is no site \(site)", hint: "look") }
    orders.append("site \(seconds.map { "\($0)" } ?? "ready")")
    return nameService()
  }

  func floatingIPs() -> FloatingReport { FloatingReport() }

  func floating(_ verb: FloatingVerb, _ body: FloatingOrderBody) throws(AdminError) -> FloatingReport.Address {
    orders.append(verb.rawValue)
    return .init(
      address: body.address ?? "192.0.2.1", pool: body.pool ?? "public", fixed: body.fixed, failover: nil, isHere: true)
  }

  func phase() -> StatusReport.Phase { .serving }

  func status() -> StatusReport {
    StatusReport(
      phase: .serving, generation: 7, uptimeSeconds: 12.5, version: "0.1.0", workers: 2,
      listeners: [ListenerReport(name: "web", protocol: "http", binds: ["127.0.0.1:8080"])],
      pools: [PoolReport(name: "web", policy: "p2c", backends: [backend])])
  }

  func history() -> HistoryReport { HistoryReport(samples: []) }
  func panels() -> PanelsReport { PanelsReport(panels: []) }

  func events(after: UInt64) -> EventsReport {
    let all = (1...3).map { EventsReport.Event(id: UInt64($0), time: "t", kind: "up", subject: "web/b", message: "m") }
    return EventsReport(events: all.filter { $0.id > after }, next: 3)
  }

  func set(_ state: StateOrder, pool: String, backend: String) throws(AdminError) -> BackendReport {
    try find(pool, backend)
    orders.append(state.rawValue)
    var report = self.backend
    report.state = state.rawValue
    return report
  }

  func set(weight: Int, pool: String, backend: String) throws(AdminError) -> BackendReport {
    try find(pool, backend)
    orders.append("weight \(weight)")
    return self.backend
  }

  func reload() throws(AdminError) -> ChangeReport {
    throw AdminError(.unprocessable, "the file is not valid", hint: "mend it", diagnostics: ["a.yaml:1:1: no"])
  }

  func check(_ text: String, name: String) throws(AdminError) -> ChangeReport {
    ChangeReport(generation: 7, changes: ["\(name) has \(text.utf8.count) bytes"])
  }

  func bgpStatus() -> BGPStatusReport {
    BGPStatusReport(autonomousSystem: 65001, routerID: "192.0.2.2", leaving: nil, peers: [], announcements: [])
  }

  func bgpRoutes(peer: String) throws(AdminError) -> BGPRoutesReport {
    guard peer == "rack@198.18.1.2" else {
      throw AdminError(.notFound, "there is no peer \(peer)", hint: "`sluice bgp status` lists them")
    }
    return BGPRoutesReport(peer: peer, announced: [], received: [])
  }

  func bgp(_ order: AnnouncementOrder, announcement: String) -> BGPStatusReport {
    orders.append("\(order.rawValue) \(announcement)")
    return bgpStatus()
  }

  func bgp(_ order: BGPNodeOrder) -> BGPStatusReport {
    orders.append("bgp \(order.rawValue)")
    return bgpStatus()
  }

  func vips() -> VIPsReport {
    var report = VIPsReport()
    report.vips = [
      VIPStatusReport(
        name: "front", interface: "eth0", addresses: ["192.0.2.1"], routerId: 51, version: 3, intervalMilliseconds: 100)
    ]
    return report
  }

  func order(_ order: VIPWish, vip: String, drain: Double, to: String?) throws(AdminError) -> VIPStatusReport {
    guard let found = vips().vips.first(where: { $0.name == vip }) else {
      throw AdminError(.notFound, "there is no vip \(vip)", hint: "`sluice vip list` shows them")
    }
    orders.append("\(order.rawValue) \(vip)")
    return found
  }

  private func find(_ pool: String, _ backend: String) throws(AdminError) {
    guard pool == "web", backend == FakeNode.backendName else {
      throw AdminError(.notFound, "there is no backend \(pool)/\(backend)", hint: "`sluice status` lists them")
    }
  }
}

/// A directory below /tmp that is gone when the closure returns, and a quiet logger.
func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
  let directory = "/tmp/sluice-admin-\(UInt32.random(in: .min ... .max))"
  try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: directory) }
  return try await body(directory)
}

let quiet: Logger = {
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  return logger
}()

/// The API on a socket of its own for the time of the closure.
func withServer(_ body: (AdminClient, FakeNode) async throws -> Void) async throws {
  try await withDirectory { directory in
    let node = FakeNode()
    let socket = "\(directory)/run/admin.sock"
    let server = try await AdminServer.start(socket: socket, port: nil, operations: node, logger: quiet)
    do {
      try await body(AdminClient(socket: socket, deadline: .seconds(5)), node)
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }
}

extension AdminClient.Answer {
  var text: String { String(decoding: body, as: UTF8.self) }
  func decoded<Report: Decodable>(_: Report.Type) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(body))
  }
}

extension FakeNode: LifecycleOperations {
  func upgrade(within seconds: Int) throws(AdminError) -> UpgradeReport {
    orders.append("upgrade within \(seconds)")
    return UpgradeReport(process: 4711, draining: 3)
  }

  func apply(_ text: String, name: String, confirmWithin: Int?) throws(AdminError) -> ApplyReport {
    orders.append("apply \(name) \(text) \(confirmWithin ?? 0)")
    return ApplyReport(generation: 8, changes: ["+ pool api"], confirmWithin: confirmWithin)
  }

  func confirm() throws(AdminError) -> ApplyReport {
    throw AdminError(.conflict, "nothing awaits confirmation", hint: "apply something first")
  }

  func revert() throws(AdminError) -> ApplyReport {
    throw AdminError(.conflict, "nothing awaits confirmation", hint: "apply something first")
  }

  func diff(_ text: String, name: String) throws(AdminError) -> DiffReport {
    DiffReport(changes: [], shares: [], opened: [], closed: [], clients: [:], backends: [:])
  }
}

extension FakeNode: RolloutOperations {
  func rollouts() -> RolloutsReport { RolloutsReport(rollouts: []) }

  func start(_ request: RolloutRequest) throws(AdminError) -> RolloutReport {
    orders.append("rollout \(request.pool) \(request.update.command ?? [])")
    return RolloutReport(
      pool: request.pool, phase: "running", reason: nil, direction: "forward", waiting: nil, backends: [])
  }

  func start(_ request: CanaryRequest) throws(AdminError) -> RolloutReport {
    orders.append("canary \(request.pool) \(request.version) \(request.steps ?? [])")
    return RolloutReport(
      pool: request.pool, phase: "running", reason: nil, direction: "forward", waiting: nil, backends: [])
  }

  func rollout(of pool: String) throws(AdminError) -> RolloutReport { try order(.pause, pool: pool) }

  func order(_ order: RolloutOrder, pool: String) throws(AdminError) -> RolloutReport {
    throw AdminError(.notFound, "pool \(pool) has no rollout", hint: "begin one")
  }
}

extension FakeNode: ExplainOperations {
  func explain(_ request: ExplainRequest) throws(AdminError) -> ExplainReport {
    orders.append("explain \(request.method) \(request.url)")
    return ExplainReport(
      worker: 0, generation: 1, listener: "web", path: "/", rules: [], pool: nil, problem: nil, picks: [])
  }

  func explain(sample id: String) throws(AdminError) -> SamplesReport { SamplesReport(samples: []) }
  func samples() -> SamplesReport { SamplesReport(samples: []) }
}
