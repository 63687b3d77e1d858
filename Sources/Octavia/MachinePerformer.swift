internal import Foundation
internal import Model
internal import OctaviaModel
internal import TLS

/// Steps with real machines: a compute driver makes them, their agents configure them.
struct MachinePerformer: Performer {
  let compute: any Compute
  let networks: any Networks
  let authority: Authority
  let settings: Settings
  let now: @Sendable () -> Timestamp

  func perform(_ step: Step, _ flow: Flow, _ tree: Tree) async throws -> JSONObject {
    let id = step.amphora ?? ""
    switch step.verb {
    case .boot: return try await boot(try amphora(id, tree), tree)
    case .await:
      let amphora = try amphora(id, tree)
      try await compute.settle(amphora)
      try await agent(amphora).wait(settings.bootTimeout)
    case .plug: return try await plug(try amphora(id, tree), tree)
    case .configure: try await configureAll(tree, flow, needsAll: true)
    case .reconfigure: try await configureAll(tree, flow, needsAll: false)
    case .elect: try await elect(tree, flow)
    case .handover: await handover(id, tree)
    case .destroy: try await destroy(id)
    case .release:
      try await networks.release(owner: tree.id)
      try await compute.release(balancer: tree.id)
    case .adjust:
      let amphora = try amphora(id, tree)
      try await agent(amphora).must("PUT", "config", Array(agentSettings(amphora, tree.topology).text.utf8))
    case .allocate, .condemn, .forget, .settle, .remove: break
    }
    return JSONObject()
  }

  private func amphora(_ id: String, _ tree: Tree) throws -> Record {
    guard let record = tree[.amphora, id] else { throw StepFailure("there is no amphora \(id)") }
    return record
  }

  func agent(_ amphora: Record) async throws -> AgentClient {
    let place = HostText.endpoint(amphora.text("lb_network_ip"), compute.agentPort(amphora))
    return AgentClient(
      http: try await authority.client(amphora.id), base: "https://\(place)", deadline: settings.agentTimeout)
  }

  private func agentSettings(_ amphora: Record, _ topology: Deployment.Topology) -> AmphoraSettings {
    var agent = AmphoraSettings()
    agent.amphora = amphora.id
    agent.directory = compute.base(amphora)
    agent.host = amphora["lb_network_ip"].string ?? "0.0.0.0"
    agent.port = compute.agentPort(amphora)
    agent.key = settings.health.key
    agent.heartbeat = settings.health.heartbeat
    agent.controllers =
      settings.health.controllers.isEmpty
      ? [HostText.endpoint(settings.health.host, settings.health.port)] : settings.health.controllers
    agent.isStandalone = topology == .single
    agent.vrrp = settings.vrrp
    agent.haproxy = settings.haproxy
    agent.keepalived = settings.keepalived
    return agent
  }

  func prepare(_ amphora: Record) async throws -> JSONObject {
    let findings = try await boot(amphora, nil)
    var known = amphora
    known.fields.merge(findings)
    try await compute.settle(known)
    try await agent(known).wait(settings.bootTimeout)
    return findings
  }

  private func boot(_ amphora: Record, _ tree: Tree?) async throws -> JSONObject {
    let bundle = try await authority.issue(amphora.id, now: now())
    let topology = tree?.topology ?? settings.topology
    var files = MachineFiles(
      settings: agentSettings(amphora, topology), certificate: bundle.server, authority: bundle.authority)
    files.isPair = topology == .activeStandby
    if let tree {
      files.provider = Provider(rawValue: tree.loadBalancer.text("provider"))
      files.networks = [tree.loadBalancer.text("vip_network_id")]
    }
    var findings = try await compute.boot(amphora, files)
    findings["cert_expiration"] = .string(bundle.expires.text)
    if findings["image_id"] == nil { findings["image_id"] = .null }
    return findings
  }

  private func plug(_ amphora: Record, _ tree: Tree) async throws -> JSONObject {
    let balancer = tree.loadBalancer
    guard let subnet = try await networks.subnet(balancer.text("vip_subnet_id")) else {
      throw StepFailure("there is no subnet \(balancer.text("vip_subnet_id"))")
    }
    let port = try await networks.port(owner: amphora.id, purpose: "vrrp", subnet: subnet.id)
    try await networks.allow(tree.vipAddresses, on: port.id)
    let mac = try await compute.attach(amphora, port, subnet)
    let request: JSON = .object([
      "subnet_cidr": .string(subnet.prefix.description), "gateway": .optional(subnet.gateway?.description),
      "mac_address": .string(mac), "vrrp_ip": .string(port.address), "mtu": .null, "host_routes": [],
      "additional_vips": balancer["additional_vips"], "is_sriov": false,
    ])
    let agent = try await agent(amphora)
    try await agent.plug("vip/\(balancer.text("vip_address"))", request)
    let answer = try await agent.must("GET", "interface/\(port.address)")
    return JSONObject([
      ("vrrp_ip", .string(port.address)), ("vrrp_port_id", .string(port.id)),
      ("vrrp_interface", .optional((try? JSON(parsing: answer.body))?["interface"].string)),
    ])
  }

  // MARK: configuration

  private func alive(_ tree: Tree) -> [Record] {
    tree.amphorae.filter { amphora in
      // One whose turn to be replaced has not come yet carries traffic, and must know the new one.
      !amphora["vrrp_ip"].isNull && amphora.text("status") != AmphoraStatus.pendingDelete.rawValue
    }
  }

  /// Side by side: an amphora that hangs does not keep the others waiting.
  private func onAll(
    _ amphorae: [Record], needsAll: Bool, _ body: @escaping @Sendable (Record) async throws -> Void
  ) async throws {
    if amphorae.isEmpty { return }
    let failures = await withTaskGroup(of: String?.self) { group in
      for amphora in amphorae {
        group.addTask {
          do {
            try await body(amphora)
            return nil
          } catch { return "amphora \(amphora.id): \(error)" }
        }
      }
      var failures: [String] = []
      for await failure in group { if let failure { failures.append(failure) } }
      return failures
    }
    if failures.count == amphorae.count || (needsAll && !failures.isEmpty) {
      throw StepFailure(failures.joined(separator: "; "))
    }
  }

  private func configureAll(_ tree: Tree, _ flow: Flow, needsAll: Bool) async throws {
    let all = alive(tree)
    let peers = all.count > 1 ? all.map { (name: PeerName.of($0.id), address: $0.text("vrrp_ip")) } : []
    // Those that this flow has made must be right; an old one may be the next to be replaced.
    let births = Set(flow.births.map(\.amphora))
    let fresh = all.filter { births.contains($0.id) }
    let old = all.filter { !births.contains($0.id) }
    let body: @Sendable (Record) async throws -> Void = { try await self.configure($0, tree, peers) }
    try await onAll(fresh, needsAll: true, body)
    do {
      try await onAll(old, needsAll: needsAll, body)
    } catch {
      if fresh.isEmpty { throw error }
    }
  }

  private func configure(_ amphora: Record, _ tree: Tree, _ peers: [(name: String, address: String)]) async throws {
    let agent = try await agent(amphora)
    try await plugMemberNetworks(amphora, tree, agent)
    for reference in CertificateReference.all(tree) {
      guard let folder = settings.containers,
        let data = FileManager.default.contents(atPath: "\(folder)/\(reference.fileName)")
      else {
        continue
      }
      try await agent.must("PUT", "loadbalancer/\(tree.id)/certificates/\(reference.fileName)", Array(data))
    }
    let base = compute.base(amphora)
    let sockets = SocketPlace.folder(amphora.id)
    let isNative = tree.loadBalancer.text("provider") == Provider.sluice.rawValue
    var hasPlane = false
    if !isNative, !HAProxyConfig.listeners(tree).isEmpty {
      let text = HAProxyConfig.text(tree, base: base, sockets: sockets, peers: peers)
      try await agent.must("PUT", "loadbalancer/\(amphora.id)/\(tree.id)/haproxy", Array(text.utf8))
      hasPlane = true
    }
    if !SluiceConfig.listeners(tree, onlyDatagrams: !isNative).isEmpty {
      let text: String
      do {
        let place = SluiceConfig.Place(
          sockets: sockets, certificates: "\(base)/\(tree.id)/certs", secret: secret(["cookies", tree.id]))
        text = try SluiceConfig.document(tree, place, onlyDatagrams: !isNative).text
      } catch { throw StepFailure(error.description) }
      try await agent.must("PUT", "loadbalancer/\(amphora.id)/\(tree.id)/sluice", Array(text.utf8))
      hasPlane = true
    }
    if hasPlane {
      try await agent.must("PUT", "loadbalancer/\(tree.id)/reload")
    } else {
      try await agent.must("DELETE", "listeners/\(tree.id)")
    }
  }

  private func plugMemberNetworks(_ amphora: Record, _ tree: Tree, _ agent: AgentClient) async throws {
    let vip = tree.loadBalancer.text("vip_subnet_id")
    let wanted = Set(tree.all(.member).filter { !$0.isDeleted }.compactMap { $0["subnet_id"].string }).subtracting([vip]
    )
    for id in wanted.sorted() {
      guard let subnet = try await networks.subnet(id) else { continue }
      let port = try await networks.port(owner: amphora.id, purpose: "member", subnet: subnet.id)
      let mac = try await compute.attach(amphora, port, subnet)
      let address: JSON = .object([
        "ip_address": .string(port.address), "subnet_cidr": .string(subnet.prefix.description), "host_routes": [],
      ])
      try await agent.plug("network", .object(["mac_address": .string(mac), "fixed_ips": [address]]))
    }
  }

  /// Who has the address: VRRP between two, the one itself where there is one.
  private func elect(_ tree: Tree, _ flow: Flow) async throws {
    let balancer = tree.loadBalancer
    guard let subnet = try await networks.subnet(balancer.text("vip_subnet_id")) else { return }
    let prefix = subnet.prefix.length
    let all = alive(tree)
    let pair = secret(["adverts"] + all.map(\.id).sorted())
    let births = Set(flow.births.map(\.amphora))
    let body: @Sendable (Record) async throws -> Void = { amphora in
      let agent = try await self.agent(amphora)
      if tree.topology == .single {
        for vip in tree.vipAddresses {
          try await agent.json(
            "PUT", "address/\(vip)", .object(["vrrp_ip": amphora["vrrp_ip"], "prefix": .int(prefix)]))
        }
        return
      }
      let interface = amphora["vrrp_interface"].string ?? "eth1"
      let text =
        self.settings.vrrp == .sluice
        ? SluiceVRRP.document(
          tree, of: amphora, interface: interface, prefix: prefix, interval: self.settings.advertisement,
          sockets: SocketPlace.folder(amphora.id), secret: pair
        ).text
        : KeepalivedConfig.text(
          tree, of: amphora, interface: interface, prefix: prefix,
          interval: Double(self.settings.advertisement / .milliseconds(1)) / 1000)
      try await agent.must("PUT", "vrrp/upload", Array(text.utf8))
      try await agent.must("PUT", "vrrp/start")
    }
    // Who may have the address now learns of the new one first: adverts are signed for exactly this pair.
    let old = all.filter { !births.contains($0.id) }
    let fresh = all.filter { births.contains($0.id) }
    do {
      try await onAll(old, needsAll: false, body)
    } catch {
      if fresh.isEmpty { throw error }
    }
    try await onAll(fresh, needsAll: true, body)
  }

  /// From the deployment's key: the same for whoever needs it, and nobody else's.
  private func secret(_ parts: [String]) -> String {
    let code = Digest.sha256.authenticate(
      Array(parts.joined(separator: " ").utf8), key: Array(settings.health.key.utf8))
    return String(decoding: Heartbeat.hexadecimal(code), as: UTF8.self)
  }

  /// Before an amphora is taken away that may have the address.
  private func handover(_ id: String, _ tree: Tree) async {
    guard let amphora = tree[.amphora, id], !amphora["lb_network_ip"].isNull,
      let agent = try? await agent(amphora)
    else { return }
    let addresses: JSON = .object(["addresses": .strings(tree.vipAddresses)])
    // The dead, the hung and the cut off are not waited for.
    guard
      (try? await agent.call("GET", "info", deadline: .seconds(1), patience: .milliseconds(500)))?.status == 200
    else { return }
    _ = try? await agent.call("PUT", "vrrp/handover", Array(addresses.text.utf8), deadline: .seconds(5))
  }

  // MARK: the end

  func destroy(_ amphora: String) async throws {
    try await compute.destroy(amphora)
    try await networks.release(owner: amphora)
  }

  func existing() async throws -> [String] { try await compute.existing() }

  func rotate(_ amphora: Record, _ tree: Tree) async throws -> JSONObject {
    let bundle = try await authority.issue(amphora.id, now: now())
    try await agent(amphora).must("PUT", "certificate", Array(bundle.server.utf8))
    return JSONObject([("cert_expiration", .string(bundle.expires.text))])
  }
}
