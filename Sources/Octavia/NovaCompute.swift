internal import FoundationEssentials
internal import Model
internal import OctaviaModel

/// Amphorae as servers of Nova, born with their files in the user data of a configuration drive.
struct NovaCompute: Compute {
  let api: CloudAPI
  let networks: NeutronNetworks
  let settings: Settings
  /// What this deployment has made says so: others in the same project are never touched.
  let deployment: String
  let now: @Sendable () -> Timestamp

  static let folder = "/var/lib/sluice-amphora"
  private static let mark = "sluice_deployment"

  func base(_ amphora: Record) -> String { Self.folder }
  func agentPort(_ amphora: Record) -> Int { settings.agentPort }

  private func name(_ amphora: String) -> String { "amphora-\(amphora)" }

  /// Those of this deployment whose name contains the text; Nova takes it for a regular expression.
  private func servers(_ name: String) async throws -> [JSON] {
    var found: [JSON] = []
    var marker: String?
    // A bound on pages, since a server that repeats itself would never end them.
    for _ in 0..<1000 {
      var path = "servers/detail" + CloudAPI.query(["name": "^\(name)"])
      if let marker { path += "&marker=\(marker)" }
      let page = try await api.send("GET", .compute, path).document
      let all = page["servers"].array ?? []
      found += all.filter { $0["metadata"][Self.mark].string == deployment }
      let hasMore = (page["servers_links"].array ?? []).contains { $0["rel"].string == "next" }
      guard hasMore, let last = all.last?["id"].string, last != marker else { break }
      marker = last
    }
    return found
  }

  private func server(of amphora: String) async throws -> JSON? {
    let name = name(amphora)
    return try await servers(name).first { $0["name"].string == name }
  }

  // MARK: birth

  func boot(_ amphora: Record, _ files: MachineFiles) async throws -> JSONObject {
    let nova = settings.nova
    let port = try await networks.port(owner: amphora.id, purpose: "management", subnet: nova.managementSubnet)
    var findings = JSONObject([("lb_network_ip", .string(port.address)), ("compute_flavor", .string(nova.flavor))])
    if let old = try await server(of: amphora.id), let id = old["id"].string {
      findings["compute_id"] = .string(id)
      findings["image_id"] = old["image"]["id"]
      return findings
    }
    let image = try await image()
    var agent = files.settings
    agent.directory = Self.folder
    agent.host = port.address.contains(":") ? "::" : "0.0.0.0"
    var server = JSONObject([
      ("name", .string(name(amphora.id))), ("imageRef", .string(image)), ("flavorRef", .string(nova.flavor)),
      ("networks", .array([.object(["port": .string(port.id)])])), ("config_drive", true),
      ("user_data", .string(Data(userData(agent, files).utf8).base64EncodedString())),
      ("metadata", .object([Self.mark: .string(deployment), "amphora_id": .string(amphora.id)])),
    ])
    if let key = nova.keyName { server["key_name"] = .string(key) }
    if let zone = nova.zone { server["availability_zone"] = .string(zone) }
    var body = JSONObject([("server", .object(server))])
    if files.isPair, let policy = nova.antiAffinity, let balancer = amphora["loadbalancer_id"].string {
      body["os:scheduler_hints"] = .object(["group": .string(try await group(balancer, policy))])
    }
    let made = try await api.send("POST", .compute, "servers", .object(body)).document
    guard let id = made["server"]["id"].string else { throw StepFailure("compute: a server without an identifier") }
    findings["compute_id"] = .string(id)
    findings["image_id"] = .string(image)
    return findings
  }

  private func image() async throws -> String {
    if let image = settings.nova.image { return image }
    let query = CloudAPI.query([
      "tag": settings.nova.imageTag, "status": "active", "sort_key": "created_at", "sort_dir": "desc", "limit": "1",
    ])
    let images = try await api.send("GET", .image, "images\(query)").document["images"].array ?? []
    guard let image = images.first?["id"].string else {
      throw StepFailure("image: there is no active image with the tag \(settings.nova.imageTag)")
    }
    return image
  }

  /// Cloud-init reads JSON as the YAML that it is.
  private func userData(_ agent: AmphoraSettings, _ files: MachineFiles) -> String {
    let unit = """
      [Unit]
      Description=Amphora agent
      After=network-online.target
      Wants=network-online.target
      [Service]
      ExecStart=\(settings.nova.program) amphora \(Self.folder)/agent.yaml
      Restart=always
      RestartSec=1
      [Install]
      WantedBy=multi-user.target

      """
    func file(_ path: String, _ text: String, _ mode: String = "0600") -> JSON {
      .object(["path": .string(path), "permissions": .string(mode), "content": .string(text)])
    }
    let document: JSON = .object([
      "write_files": .array([
        file("\(Self.folder)/server.pem", files.certificate), file("\(Self.folder)/client-ca.pem", files.authority),
        file("\(Self.folder)/agent.yaml", agent.text),
        file("/etc/systemd/system/sluice-amphora.service", unit, "0644"),
      ]),
      "runcmd": .array([
        .strings(["systemctl", "daemon-reload"]), .strings(["systemctl", "enable", "--now", "sluice-amphora"]),
      ]),
    ])
    return "#cloud-config\n\(document.text)\n"
  }

  /// The load balancer's server group: one host for each of its amphorae.
  private func group(_ balancer: String, _ policy: String) async throws -> String {
    if let old = try await findGroup(balancer) { return old }
    let body: JSON = .object([
      "server_group": .object(["name": .string(groupName(balancer)), "policies": .strings([policy])])
    ])
    let made = try await api.send("POST", .compute, "os-server-groups", body, microversion: "2.15").document
    guard let id = made["server_group"]["id"].string else {
      throw StepFailure("compute: a group without an identifier")
    }
    return id
  }

  private func groupName(_ balancer: String) -> String { "octavia-lb-\(balancer)" }

  private func findGroup(_ balancer: String) async throws -> String? {
    let groups = try await api.send("GET", .compute, "os-server-groups", microversion: "2.15").document
    return (groups["server_groups"].array ?? []).first { $0["name"].string == groupName(balancer) }?["id"].string
  }

  func settle(_ amphora: Record) async throws {
    let id = amphora.text("compute_id")
    let end = ContinuousClock.now + settings.bootTimeout
    while true {
      let server = try await api.send("GET", .compute, "servers/\(id)").document["server"]
      switch server["status"].string {
      case "ACTIVE": return
      case "ERROR":
        throw StepFailure(
          "compute: server \(id) is in ERROR: \(server["fault"]["message"].string ?? "no reason given")")
      default: break
      }
      if ContinuousClock.now > end {
        throw StepFailure(
          "compute: server \(id) is still \(server["status"].string ?? "nothing") after \(settings.bootTimeout)")
      }
      try await Task.sleep(for: settings.nova.pollEvery)
    }
  }

  // MARK: networks

  func attach(_ amphora: Record, _ port: Rows.Port, _ subnet: Subnet) async throws -> String {
    let server = amphora.text("compute_id")
    let there = try await api.send("GET", .compute, "servers/\(server)/os-interface").document
    if let old = (there["interfaceAttachments"].array ?? []).first(where: { $0["port_id"].string == port.id }),
      let mac = old["mac_addr"].string
    {
      return mac
    }
    let body: JSON = .object(["interfaceAttachment": .object(["port_id": .string(port.id)])])
    let made = try await api.send("POST", .compute, "servers/\(server)/os-interface", body).document
    if let mac = made["interfaceAttachment"]["mac_addr"].string { return mac }
    return try await networks.mac(port.id)
  }

  // MARK: the end

  func destroy(_ amphora: String) async throws {
    let end = ContinuousClock.now + settings.bootTimeout
    // Ports go with their server; one that is still there is released after it.
    while let server = try await server(of: amphora), let id = server["id"].string {
      if server["OS-EXT-STS:task_state"].string != "deleting" {
        try await api.send("DELETE", .compute, "servers/\(id)", allowing: [404, 409])
      }
      if ContinuousClock.now > end {
        throw StepFailure("compute: server \(id) is not deleted after \(settings.bootTimeout)")
      }
      try await Task.sleep(for: settings.nova.pollEvery / 5)
    }
    try await networks.release(owner: amphora)
  }

  func release(balancer: String) async throws {
    guard settings.nova.antiAffinity != nil, let id = try await findGroup(balancer) else { return }
    try await api.send("DELETE", .compute, "os-server-groups/\(id)", allowing: [404])
  }

  func existing() async throws -> [String] {
    try await servers("amphora-").compactMap { $0["metadata"]["amphora_id"].string }
  }
}
