internal import Logging
internal import Model
internal import OctaviaModel

/// Existing hosts, each of which runs `sluice amphora --host`. A host has one amphora at a time, or none; the database
/// says which, so that two controllers never give away the same. One that does not do as it is told is in quarantine
/// until it was wiped.
struct StaticCompute: Compute {
  let settings: Settings
  let store: Store
  let authority: Authority
  let logger: Logger
  let now: @Sendable () -> Timestamp

  /// A host that does not connect within this time is dead.
  static let patience = Duration.seconds(2)

  private func place(_ name: String) -> HostPlace? { settings.hosts.first { $0.name == name } }
  private func place(of amphora: Record) -> HostPlace? { place(amphora.text("compute_id")) }

  func base(_ amphora: Record) -> String {
    "\(place(of: amphora)?.directory ?? HostPlace(name: "", address: "").directory)/amphorae/\(amphora.id)"
  }
  func agentPort(_ amphora: Record) -> Int { place(of: amphora)?.agentPort ?? settings.agentPort }

  func host(_ place: HostPlace) async throws -> AgentClient {
    AgentClient(
      http: try await authority.client(place.name), base: "https://\(HostText.endpoint(place.address, place.port))",
      deadline: settings.agentTimeout, patience: Self.patience)
  }

  func boot(_ amphora: Record, _ files: MachineFiles) async throws -> JSONObject {
    let able = settings.hosts.filter { host in
      (files.provider.map { host.providers.contains($0) } ?? true)
        && files.networks.allSatisfy { host.interfaces[$0] != nil }
    }.map(\.name)
    let id = amphora.id
    while let name = try await store.write({ [now] in try $0.takeHost(able, for: id, now: now()) }) {
      guard let place = place(name) else {
        throw StepFailure("host \(name), which amphora \(id) has, is not in this controller's file")
      }
      do {
        try await hand(id, to: place, files)
        return JSONObject([("compute_id", .string(name)), ("lb_network_ip", .string(place.address))])
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        try await quarantine(name, "did not take amphora \(id): \(error)")
      }
    }
    let rows = try await store.read { try $0.hosts() }.filter { able.contains($0.name) }
    let taken = rows.count { $0.amphora != nil }
    throw StepFailure(
      "NO CAPACITY: of \(able.count) hosts that could serve, \(taken) are taken and \(rows.count - taken) in quarantine"
    )
  }

  private func hand(_ amphora: String, to place: HostPlace, _ files: MachineFiles) async throws {
    var agent = files.settings
    agent.directory = "\(place.directory)/amphorae/\(amphora)"
    agent.host = place.address
    agent.port = place.agentPort
    try await host(place).json(
      "PUT", "machine",
      .object([
        "amphora": .string(amphora), "settings": .string(agent.text), "certificate": .string(files.certificate),
        "authority": .string(files.authority),
      ]))
  }

  private func quarantine(_ name: String, _ reason: String) async throws {
    logger.warning("host \(name) is in quarantine: \(reason)")
    try await store.write { [now] in try $0.quarantine(host: name, reason, now: now()) }
  }

  func attach(_ amphora: Record, _ port: Rows.Port, _ subnet: Subnet) async throws -> String {
    guard let place = place(of: amphora), let interface = place.interfaces[subnet.network] else {
      throw StepFailure("host \(amphora.text("compute_id")) has no interface on network \(subnet.network)")
    }
    let answer = try await host(place).must("GET", "machine")
    let mac = (try? JSON(parsing: answer.body))?["interfaces"][interface].string
    guard let mac else { throw StepFailure("host \(place.name) has no interface \(interface)") }
    return mac
  }

  func destroy(_ amphora: String) async throws {
    guard let name = try await store.read({ try $0.host(of: amphora) }) else { return }
    do {
      guard let place = place(name) else { throw StepFailure("it is not in this controller's file") }
      try await host(place).must("DELETE", "machine")
      try await store.write { try $0.free(host: name, amphora: amphora) }
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      // Whoever is replaced must not keep its heir waiting.
      try await quarantine(name, "amphora \(amphora) may still be there: \(error)")
    }
  }

  func existing() async throws -> [String] { try await store.read { try $0.hosts().compactMap(\.amphora) } }

  // MARK: what nobody asks for

  /// Wipes hosts in quarantine, and renews certificates of all.
  func tend() async {
    while !Task.isCancelled {
      await withDiscardingTaskGroup { group in
        for place in settings.hosts { group.addTask { await tend(place) } }
      }
      try? await Task.sleep(for: settings.health.interval)
    }
  }

  private func tend(_ place: HostPlace) async {
    do {
      let row = try await store.read { try $0.hosts().first { $0.name == place.name } }
      if let row, row.amphora == nil {
        try await host(place).must("DELETE", "machine")
        try await store.write { try $0.free(host: place.name, amphora: nil) }
        logger.warning("host \(place.name) was wiped and is free again")
      }
      let limit = now() + settings.rotateBefore
      if let current = try await store.read({ try $0.certificate(amphora: place.name) }), current.expires < limit {
        let bundle = try await authority.issue(place.name, now: now())
        try await host(place).must("PUT", "certificate", Array(bundle.server.utf8))
      }
    } catch {
      logger.debug("host \(place.name): \(error)")
    }
  }
}
