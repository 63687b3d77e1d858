internal import Model
internal import OctaviaModel

extension Settings {
  /// Reads a controller's file.
  ///
  /// - Throws: `SettingsError` with the place of the first mistake.
  package init(file: String, text: String) throws {
    let root = try SettingsReader(file: file, text: text)
    try root.set(&directory, "directory", "a path") { $0 }
    try root.section("api") { try readAPI($0) }
    try root.choice(&compute, "compute")
    try root.section("management") { reader in
      try readSubnet(reader, &management)
      try reader.set(&management.bridge, "bridge", "a name") { $0 }
    }
    try root.set(&namespacePrefix, "namespace-prefix", "at most 8 characters") { $0.utf8.count <= 8 ? $0 : nil }
    networks = try root.list("networks") { try readNetwork($0) } ?? []
    hosts = try root.list("hosts") { try readHost($0) } ?? []
    guard Set(hosts.map(\.name)).count == hosts.count else { throw root.refuse("hosts", "a name twice") }
    try root.section("nova") { try readNova($0) }
    floatingSocket = try root.text("floating-ips")
    try root.section("amphora") { try readAmphora($0) }
    try root.section("health") { try readHealth($0) }
    try root.section("certificates") { reader in
      containers = try reader.text("containers")
      try reader.number(&certificateDays, "days", 1...3650)
      try reader.duration(&rotateBefore, "rotate-before")
    }
    try root.finish()
    if compute == .static, hosts.isEmpty { throw root.refuse("compute", "static needs hosts") }
    if compute == .nova, nova.flavor.isEmpty { throw root.refuse("compute", "nova needs a section nova") }
    if compute == .nova {
      guard case .keystone = auth else { throw root.refuse("compute", "nova needs api.auth: keystone") }
    }
  }

  private mutating func readAPI(_ reader: SettingsReader) throws {
    if let text = try reader.text("bind") {
      guard let (host, port) = Settings.endpoint(text) else { throw reader.refuse("bind", "expected address:port") }
      (self.host, self.port) = (host, port)
    }
    let project = try reader.text("default-project")
    switch try reader.text("auth") ?? "noauth" {
    case "noauth": if let project { auth = .none(project: project) }
    case "headers": auth = .headers
    case "keystone":
      try reader.section("keystone") { keystone in
        auth = .keystone(
          url: try keystone.require("url"), user: try keystone.require("user"),
          password: try keystone.require("password"),
          project: try keystone.text("project") ?? "service", domain: try keystone.text("domain") ?? "Default")
      }
      guard case .keystone = auth else { throw reader.refuse("auth", "keystone needs a section keystone") }
    default: throw reader.refuse("auth", "expected noauth, headers or keystone")
    }
    try reader.set(&healthcheck, "healthcheck", "true or false") { Bool($0) }
    try reader.set(&metrics, "metrics", "true or false") { Bool($0) }
    baseURI = try reader.text("base-uri")
  }

  private func readSubnet(_ reader: SettingsReader, _ subnet: inout Subnet) throws {
    if let prefix = try reader.value("cidr", "a network such as 10.0.0.0/24", { IPPrefix($0) }) {
      subnet.prefix = prefix
      subnet.first = prefix.address.successor
      subnet.last = prefix.lastHost
      subnet.gateway = nil
    }
    if let gateway = try reader.value("gateway", "an address", { IPAddress($0) }) { subnet.gateway = gateway }
    if let pool = try reader.texts("pool") {
      guard pool.count == 2, let first = IPAddress(pool[0]), let last = IPAddress(pool[1]),
        first < last || first == last,
        subnet.prefix.contains(first), subnet.prefix.contains(last)
      else { throw reader.refuse("pool", "expected the first and the last address of the network") }
      subnet.first = first
      subnet.last = last
    }
  }

  private func readNetwork(_ reader: SettingsReader) throws -> Network {
    let id = try reader.require("id")
    let bridge = compute == .process ? try reader.require("bridge") : try reader.text("bridge") ?? ""
    guard bridge.utf8.count <= 15 else {
      throw reader.refuse("bridge", "an interface's name has at most 15 characters")
    }
    let subnets = try reader.list("subnets") { inner in
      var subnet = Subnet(
        id: try inner.require("id"), name: try inner.text("name") ?? "", network: id, bridge: bridge,
        prefix: IPPrefix("0.0.0.0/32")!, gateway: nil, first: .anyV4, last: .anyV4)
      _ = try inner.require("cidr")
      try readSubnet(inner, &subnet)
      return subnet
    }
    return Network(id: id, name: try reader.text("name") ?? "", bridge: bridge, subnets: subnets ?? [])
  }

  private mutating func readAmphora(_ reader: SettingsReader) throws {
    try reader.choice(&topology, "topology")
    try reader.choice(&provider, "provider")
    try reader.choice(&vrrp, "vrrp")
    try reader.duration(&advertisement, "advertisement")
    try reader.set(&haproxy, "haproxy", "a path") { $0 }
    try reader.set(&keepalived, "keepalived", "a path") { $0 }
    binary = try reader.text("program")
    try reader.number(&spares, "spares", 0...1000)
    try reader.number(&agentPort, "port", 1...65_535)
    try reader.duration(&bootTimeout, "boot-timeout")
    try reader.duration(&agentTimeout, "agent-timeout")
  }

  private mutating func readHealth(_ reader: SettingsReader) throws {
    if let text = try reader.text("bind") {
      guard let (host, port) = Settings.endpoint(text) else { throw reader.refuse("bind", "expected address:port") }
      (health.host, health.port) = (host, port)
    }
    health.controllers = try reader.texts("controllers") ?? []
    try reader.set(&health.key, "key", "a text") { $0.isEmpty ? nil : $0 }
    try reader.duration(&health.heartbeat, "heartbeat")
    try reader.duration(&health.timeout, "timeout")
    try reader.duration(&health.interval, "interval")
    health.grace = try reader.value("grace", "a duration") { Settings.duration($0) }
    health.threshold = try reader.value("failover-threshold", "a number above 0") {
      Int($0).flatMap { $0 > 0 ? $0 : nil }
    }
    try reader.number(&health.threads, "threads", 1...1000)
    try reader.duration(&health.backoff, "retry-after")
    try reader.duration(&health.maximumBackoff, "retry-at-most")
    try reader.set(&health.refusesReplays, "refuse-replays", "true or false") { Bool($0) }
  }
}

extension IPPrefix {
  /// The last address that a host may have.
  var lastHost: IPAddress {
    if address.family == .v4 {
      return IPAddress(
        v4: UInt32(truncatingIfNeeded: address.low) | (length >= 32 ? 0 : UInt32.max >> UInt32(length)) &- 1)
    }
    return IPAddress(v6: address.high, address.low | 0xffff)
  }
}
