internal import Model
internal import OctaviaModel

// What a controller's file says of machines that are not this host's namespaces.
extension Settings {
  func readHost(_ reader: SettingsReader) throws -> HostPlace {
    guard
      let name = try reader.value("name", "a name of letters, digits, - and .", { HostPlace.isName($0) ? $0 : nil })
    else { throw reader.refuse("name", "is missing") }
    guard let (address, port) = Settings.endpoint(try reader.require("address")) else {
      throw reader.refuse("address", "expected address:port")
    }
    var host = HostPlace(name: name, address: address)
    host.port = port
    try reader.number(&host.agentPort, "agent-port", 1...65_535)
    try reader.set(&host.directory, "directory", "an absolute path") { $0.hasPrefix("/") ? $0 : nil }
    let interfaces = try reader.list("interfaces") { inner in
      (network: try inner.require("network"), name: try inner.require("name"))
    }
    guard let interfaces, !interfaces.isEmpty else {
      throw reader.refuse("interfaces", "name the interface of at least one network")
    }
    for (network, name) in interfaces {
      guard networks.contains(where: { $0.id == network }) else {
        throw reader.refuse("interfaces", "there is no network \(network)")
      }
      host.interfaces[network] = name
    }
    if let words = try reader.texts("providers") {
      let providers = words.compactMap(Provider.init(rawValue:))
      guard !providers.isEmpty, providers.count == words.count else {
        throw reader.refuse("providers", "expected amphora, sluice or both")
      }
      host.providers = Set(providers)
    }
    return host
  }

  mutating func readNova(_ reader: SettingsReader) throws {
    nova.flavor = try reader.require("flavor")
    nova.managementSubnet = try reader.require("management-subnet")
    try reader.set(&nova.imageTag, "image-tag", "a tag") { $0.isEmpty ? nil : $0 }
    nova.image = try reader.text("image")
    nova.securityGroups = try reader.texts("security-groups") ?? []
    nova.vipSecurityGroups = try reader.texts("vip-security-groups") ?? []
    nova.keyName = try reader.text("key-name")
    nova.zone = try reader.text("availability-zone")
    nova.region = try reader.text("region")
    nova.antiAffinity = try reader.value("anti-affinity", "anti-affinity or soft-anti-affinity") {
      ["anti-affinity", "soft-anti-affinity"].contains($0) ? $0 : nil
    }
    try reader.set(&nova.program, "program", "an absolute path") { $0.hasPrefix("/") ? $0 : nil }
    try reader.duration(&nova.pollEvery, "poll-every")
    for service in ["compute", "network", "image"] {
      if let url = try reader.text("\(service)-endpoint") { nova.endpoints[service] = url }
    }
  }
}

extension HostPlace {
  /// A name that can stand in a certificate and in a file's name.
  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 63 && !text.hasPrefix("-") && !text.hasPrefix(".")
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
      }
  }
}
