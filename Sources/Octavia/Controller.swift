internal import Foundation
package import Logging
internal import OctaviaModel

/// A controller from its start to its end: API, worker, health manager and housekeeping over one database.
package struct Controller: Sendable {
  let settings: Settings
  let logger: Logger
  /// This program, which amphorae run, too.
  let binary: String

  package init(settings: Settings, binary: String, logger: Logger) {
    self.settings = settings
    self.binary = binary
    self.logger = logger
  }

  /// Returns when its task is cancelled.
  /// - Parameter ready: called once the API answers.
  package func run(ready: @escaping @Sendable () -> Void) async throws {
    let store = try openStore()
    let deployment = makeDeployment()
    let parts = try await assemble(store)
    let worker = Worker(
      store: store, performer: parts.performer, settings: settings.health, logger: logger, now: Self.now,
      makeID: Self.makeID)
    var api = API(
      store: store, deployment: deployment, authentication: authentication(parts.cloud), networks: parts.networks,
      now: Self.now, makeID: Self.makeID, wake: { worker.wake() })
    api.healthcheck = settings.healthcheck
    api.baseURI = settings.baseURI
    let finished = api
    let keeper = Housekeeper(
      store: store, performer: parts.performer, settings: settings, logger: logger, now: Self.now)
    let health = HealthManager(
      store: store, settings: settings.health, logger: logger, now: Self.now, makeID: Self.makeID,
      wake: { worker.wake() }, stranger: { keeper.look() })
    await keeper.reconcile(isStart: true)
    let floating = settings.floatingSocket.map {
      FloatingKeeper(store: store, node: FloatingNode(socket: $0), logger: logger, now: Self.now)
    }
    let own = OwnAPI(
      store: store, health: health, hosts: settings.hosts.map(\.name), floating: floating, identify: finished.identify)
    let metrics = settings.metrics ? ControllerMetrics(store: store, heartbeat: settings.health, now: Self.now) : nil
    let service = HTTPService(host: settings.host, port: settings.port, logger: logger) { request in
      if request.rawPath.hasPrefix("/sluice/") {
        return await own.answer(request)
      }
      if let metrics, request.rawPath == "/metrics" { return await metrics.answer() }
      return await finished.answer(request)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await worker.run() }
      group.addTask { try await health.run() }
      group.addTask { await keeper.run() }
      if let hosts = parts.hosts { group.addTask { await hosts.tend() } }
      if let floating { group.addTask { await floating.run() } }
      if settings.spares > 0 {
        let spares = SpareKeeper(
          store: store, performer: parts.performer, settings: settings, logger: logger, now: Self.now,
          makeID: Self.makeID)
        group.addTask { await spares.run() }
      }
      group.addTask { try await service.run(ready: ready) }
      defer { group.cancelAll() }
      try await group.next()
    }
    store.close()
  }

  func openStore() throws -> Store {
    try FileManager.default.createDirectory(
      atPath: settings.directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    return try Store(path: "\(settings.directory)/controller.sqlite")
  }

  struct Parts: Sendable {
    var performer: any Performer
    var networks: any Networks
    var cloud: OpenStackClient?
    var hosts: StaticCompute?
  }

  private func assemble(_ store: Store) async throws -> Parts {
    if settings.compute == .noop {
      let networks: any Networks =
        settings.networks.isEmpty
        ? NoopNetworks(store: store, makeID: Self.makeID)
        : LocalNetworks(store: store, networks: settings.networks, makeID: Self.makeID)
      return Parts(performer: NoopPerformer(makeID: Self.makeID), networks: networks, cloud: cloud())
    }
    return try await assembleMachines(store)
  }

  func cloud() -> OpenStackClient? {
    guard case .keystone(let url, let user, let password, let project, let domain) = settings.auth else { return nil }
    return OpenStackClient(url: url, user: user, password: password, project: project, domain: domain)
  }

  private func authentication(_ cloud: OpenStackClient?) -> Authentication {
    switch settings.auth {
    case .none(let project): .none(project: project)
    case .headers: .headers
    case .keystone: .keystone(Keystone(client: cloud!))
    }
  }

  private func makeDeployment() -> Deployment {
    let containers = settings.containers
    var deployment = Deployment(
      isRegex: { (try? Regex($0)) != nil },
      hasCertificate: { reference in
        guard let containers else { return false }
        return FileManager.default.isReadableFile(atPath: "\(containers)/\(CertificateReference(reference).fileName)")
      })
    deployment.topology = settings.topology
    deployment.provider = settings.provider
    if case .none = settings.auth { deployment.enforcesQuotas = false }
    return deployment
  }

  @Sendable static func now() -> Timestamp {
    Timestamp(microseconds: Int((Date().timeIntervalSince1970 * 1_000_000).rounded()))
  }

  @Sendable static func makeID() -> String { UUID().uuidString.lowercased() }
}
