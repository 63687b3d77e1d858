internal import Model
internal import OctaviaModel
internal import TLS

/// What makes machines.
protocol Compute: Sendable {
  /// A machine that runs the agent with these files; the same one when asked again.
  func boot(_ amphora: Record, _ files: MachineFiles) async throws -> JSONObject
  /// Puts the machine on a network; its hardware address there.
  func attach(_ amphora: Record, _ port: Rows.Port, _ subnet: Subnet) async throws -> String
  /// The machine runs as far as its maker knows; whether its agent answers is another question.
  func settle(_ amphora: Record) async throws
  func destroy(_ amphora: String) async throws
  /// What was made for a load balancer's amphorae together is gone.
  func release(balancer: String) async throws
  func existing() async throws -> [String]
  /// The agent's directory on the machine.
  func base(_ amphora: Record) -> String
  func agentPort(_ amphora: Record) -> Int
}

extension Compute {
  func settle(_ amphora: Record) async throws {}
  func release(balancer: String) async throws {}
}

/// What a machine is given at its birth, and what it must be able to do.
struct MachineFiles: Sendable {
  var settings: AmphoraSettings
  var certificate: String
  var authority: String
  /// Any, when nil: a spare amphora.
  var provider: Provider?
  /// Networks that it must reach.
  var networks: Set<String> = []
  /// Has more than one amphora.
  var isPair = false
}

/// Amphorae as network namespaces of this host, each with an agent.
struct ProcessCompute: Compute {
  let settings: Settings
  let networks: LocalNetworks
  let binary: String

  func base(_ amphora: Record) -> String { base(amphora.id) }
  private func base(_ amphora: String) -> String { "\(settings.directory)/amphorae/\(amphora)" }
  func agentPort(_ amphora: Record) -> Int { settings.agentPort }

  private func space(_ amphora: String) -> String { settings.namespacePrefix + amphora.filter { $0 != "-" } }

  /// The host's end of a cable: at most 15 characters, from the port's own identifier.
  private func cable(_ port: String) -> String { "sl" + port.filter { $0 != "-" }.prefix(12) }

  /// Locally administered, and the same whenever the port is plugged again.
  private func mac(_ port: String) -> String {
    let digits = Array(port.filter { $0 != "-" }.suffix(10))
    return "02:" + stride(from: 0, to: 10, by: 2).map { String(digits[$0...($0 + 1)]) }.joined(separator: ":")
  }

  private func bridgeMAC(_ name: String) -> String {
    let bytes = Digest.sha256.hash(Array("\(settings.directory) \(name)".utf8)).prefix(5)
    return "02:" + bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: ":")
  }

  /// Bridges that are not there yet, and this controller's own address among agents.
  func prepare() async throws {
    guard settings.networks.allSatisfy({ !$0.bridge.isEmpty }) else {
      throw SettingsError(description: "each network needs a bridge: amphorae are plugged into it")
    }
    for name in Set(settings.networks.map(\.bridge) + [settings.management.bridge]) {
      if await Program.run(["ip", "link", "show", name]).isGood { continue }
      // Without an address of its own a bridge has its lowest port's, and changes it when that port goes: its neighbours
      // would lose it each time.
      try await Program.must([
        "ip", "link", "add", name, "address", bridgeMAC(name), "type", "bridge", "forward_delay", "0",
        "mcast_snooping", "0",
      ])
      try await Program.must(["ip", "link", "set", name, "up"])
    }
    let management = settings.management
    if let own = management.gateway {
      try await Program.must(["ip", "addr", "replace", "\(own)/\(management.prefix.length)", "dev", management.bridge])
    }
    try await Program.must(["mkdir", "-p", "\(settings.directory)/amphorae"])
  }

  func boot(_ amphora: Record, _ files: MachineFiles) async throws -> JSONObject {
    let id = amphora.id
    let name = space(id)
    let port = try await networks.port(owner: id, purpose: "management", subnet: settings.management.id)
    var agent = files.settings
    agent.host = port.address
    let pids = await Program.run(["ip", "netns", "pids", name])
    if !(pids.isGood && !pids.output.isEmpty) {
      try await removeMachine(id)
      try await Program.must(["mkdir", "-p", base(id)])
      try await Program.must(["ip", "netns", "add", name])
      try await write(files, agent, base(id))
      try await plug(port, bridge: settings.management.bridge, space: name, inside: "mgmt")
      let prefix = settings.management.prefix.length
      try await Program.must(
        ["ip", "-n", name, "-batch", "-"],
        input: "link set lo up\naddr add \(port.address)/\(prefix) dev mgmt\nlink set mgmt up\n")
      // Not a child of the controller: it goes on when the controller does not.
      try await Program.must([
        "/bin/sh", "-c", "log=$1; shift; exec setsid --fork \"$@\" >>\"$log\" 2>&1 </dev/null", "sh",
        "\(base(id))/agent.log",
        "nsenter", "--net=/run/netns/\(name)", binary, "amphora", "\(base(id))/agent.yaml",
      ])
    }
    return JSONObject([("compute_id", .string(id)), ("lb_network_ip", .string(port.address))])
  }

  private func write(_ files: MachineFiles, _ agent: AmphoraSettings, _ folder: String) async throws {
    for (name, text) in [
      ("server.pem", files.certificate), ("client-ca.pem", files.authority), ("agent.yaml", agent.text),
    ] {
      // By the shell, for the permissions that the file has from its first byte.
      try await Program.must(["/bin/sh", "-c", "umask 077; cat >\"$1\"", "sh", "\(folder)/\(name)"], input: text)
    }
  }

  private func plug(_ port: Rows.Port, bridge: String, space: String, inside: String) async throws {
    let host = cable(port.id)
    if await Program.run(["ip", "link", "show", host]).isGood { return }
    try await Program.must(
      ["ip", "-batch", "-"],
      input: """
        link add \(host) type veth peer name \(inside) address \(mac(port.id)) netns \(space)
        link set \(host) master \(bridge) up

        """)
  }

  func attach(_ amphora: Record, _ port: Rows.Port, _ subnet: Subnet) async throws -> String {
    let name = space(amphora.id)
    let host = cable(port.id)
    if !(await Program.run(["ip", "link", "show", host]).isGood) {
      let links = await Program.run(["ip", "-n", name, "-o", "link"]).output.split(separator: "\n").count
      // lo and mgmt are there already; the rest is eth1, eth2, …
      try await plug(port, bridge: subnet.bridge, space: name, inside: "eth\(max(links - 1, 1))")
    }
    return mac(port.id)
  }

  private func removeMachine(_ amphora: String) async throws {
    let name = space(amphora)
    let script = """
      if [ -e "/run/netns/$1" ]; then
        for try in 1 2 3 4 5; do
          pids=$(ip netns pids "$1" 2>/dev/null)
          [ -z "$pids" ] && break
          kill -9 $pids 2>/dev/null
          sleep 0.02
        done
        ip netns del "$1" || exit 1
      fi
      for link in $2; do ip link del "$link" 2>/dev/null; done
      rm -rf "$3" "$4"
      """
    let links = try await networks.store.read { try $0.ports(owner: amphora).map(\.id) }.map(cable).joined(
      separator: " ")
    try await Program.must(["/bin/sh", "-c", script, "sh", name, links, base(amphora), SocketPlace.folder(amphora)])
  }

  func destroy(_ amphora: String) async throws {
    try await removeMachine(amphora)
    try await networks.release(owner: amphora)
  }

  func existing() async throws -> [String] {
    let folders = await Program.run(["ls", "-1", "\(settings.directory)/amphorae"]).output.split(separator: "\n")
      .map(String.init).filter { $0.count == 36 }
    // A namespace without a folder is one that came back, or whose removal was cut short.
    let prefix = settings.namespacePrefix
    let spaces = await Program.run(["ip", "netns", "list"]).output.split(separator: "\n").compactMap {
      line -> String? in
      let name = String(line.prefix { $0 != " " })
      let digits = Array(name.dropFirst(prefix.count))
      guard name.hasPrefix(prefix), digits.count == 32, digits.allSatisfy(\.isHexDigit) else { return nil }
      let bounds = [0, 8, 12, 16, 20, 32]
      return zip(bounds, bounds.dropFirst()).map { String(digits[$0..<$1]) }.joined(separator: "-")
    }
    return Set(folders + spaces).sorted()
  }
}
