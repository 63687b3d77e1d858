internal import Foundation
internal import NIOConcurrencyHelpers
internal import OctaviaModel
internal import TLS

/// The agent's REST API, version 1.0.
struct AgentAPI: Sendable {
  struct Answer: Sendable {
    var status: Int
    var body: [UInt8]
    var type = "application/json"
    var tag: String?

    init(_ status: Int, _ document: JSON) {
      self.status = status
      body = Array(document.text.utf8)
    }

    init(_ status: Int, text: [UInt8]) {
      self.status = status
      body = text
      type = "text/plain"
      tag = AgentAPI.sum(text)
    }
  }

  let agent: Agent

  static let done = Answer(202, .object(["message": "OK"]))

  static func sum(_ bytes: [UInt8]) -> String {
    String(decoding: Heartbeat.hexadecimal(md5Fingerprint(bytes)), as: UTF8.self)
  }

  func answer(_ method: String, _ target: String, _ body: [UInt8]) async -> Answer {
    let request = APIRequest(method: method, target: target, headers: [:], body: body, base: "")
    // What becomes a part of a file's name is checked once, here.
    guard request.path.allSatisfy({ part in !part.hasPrefix(".") && !part.contains("/") && !part.contains("\0") })
    else {
      return refuse(400, "not a name")
    }
    do {
      return try await route(method, request.path, body)
    } catch {
      return refuse(500, "\(error)")
    }
  }

  private func refuse(_ status: Int, _ message: String, _ details: String? = nil) -> Answer {
    Answer(status, .object(["message": .string(message), "details": .optional(details)]))
  }

  private func route(_ method: String, _ path: [String], _ body: [UInt8]) async throws -> Answer {
    if path.isEmpty { return Answer(200, .object(["api_version": "1.0"])) }
    guard path[0] == "1.0" else { return refuse(404, "not here") }
    let path = Array(path.dropFirst())
    switch (method, path.first, path.count) {
    case ("PUT", "loadbalancer", 4): return try await upload(path[2], path[3], body)
    case ("GET", "loadbalancer", 3): return read("\(agent.base)/\(path[1])/\(path[2]).cfg")
    case ("PUT", "loadbalancer", 3): return await control(path[1], path[2])
    case (_, "loadbalancer", 4) where path[2] == "certificates": return try certificate(method, path[1], path[3], body)
    case ("DELETE", "listeners", 2): return await remove(path[1])
    case ("GET", "listeners", 1): return Answer(200, .array(await listeners()))
    case ("POST", "plug", 3) where path[1] == "vip": return try await plugVIP(path[2], body)
    case ("POST", "plug", 2) where path[1] == "network": return try await plugNetwork(body)
    case ("PUT", "vrrp", 2): return try await vrrp(path[1], body)
    case ("PUT", "address", 2): return try await takeAddress(path[1], body)
    case ("GET", "interface", 2): return await interface(path[1])
    case ("GET", "info", 1): return Answer(200, .object(await info()))
    case ("GET", "details", 1): return Answer(200, .object(await details()))
    case ("PUT", "certificate", 1):
      try Data(body).write(to: URL(fileURLWithPath: agent.settings.certificateFile), options: .atomic)
      return Self.done
    case ("PUT", "config", 1): return try configure(body)
    default: return refuse(404, "not here")
    }
  }

  // MARK: configurations

  private func upload(_ balancer: String, _ kind: String, _ body: [UInt8]) async throws -> Answer {
    if kind == "certificates" { return refuse(404, "not here") }
    let folder = "\(agent.base)/\(balancer)"
    try FileManager.default.createDirectory(atPath: "\(folder)/certs", withIntermediateDirectories: true)
    let isHAProxy = kind == "haproxy"
    let file = isHAProxy ? "\(folder)/haproxy.cfg" : "\(folder)/sluice.yaml"
    try Data(body).write(to: URL(fileURLWithPath: "\(file).new"))
    let check =
      isHAProxy
      ? [
        agent.settings.haproxy, "-c", "-L", PeerName.of(agent.settings.amphora), "-f", agent.hostFile, "-f",
        "\(file).new",
      ]
      : [agent.binary, "check", "\(file).new"]
    let result = await Program.run(check)
    guard result.isGood else {
      try? FileManager.default.removeItem(atPath: "\(file)-failed")
      try? FileManager.default.moveItem(atPath: "\(file).new", toPath: "\(file)-failed")
      return refuse(400, "Invalid request", result.output)
    }
    try Data(body).write(to: URL(fileURLWithPath: file), options: .atomic)
    try? FileManager.default.removeItem(atPath: "\(file).new")
    _ = agent.plane(balancer, isHAProxy ? .haproxy : .sluice)
    var answer = Self.done
    answer.tag = Self.sum(body)
    return answer
  }

  private func read(_ file: String) -> Answer {
    guard let data = FileManager.default.contents(atPath: file) else {
      return refuse(404, "Loadbalancer Not Found", "no such file")
    }
    return Answer(200, text: Array(data))
  }

  private func control(_ balancer: String, _ verb: String) async -> Answer {
    let planes = agent.state.withLockedValue { Array(($0.planes[balancer] ?? [:]).values) }
    guard !planes.isEmpty else { return refuse(404, "Loadbalancer Not Found", "no load balancer \(balancer) here") }
    for plane in planes {
      switch verb {
      case "stop": await offPool { plane.stop() }
      case "start", "reload": if plane.isRunning { await plane.reload() } else { await offPool { plane.start() } }
      default: return refuse(400, "Unknown action", verb)
      }
    }
    return Answer(202, .object(["message": "OK", "details": .string("\(verb) is done")]))
  }

  private func remove(_ balancer: String) async -> Answer {
    let planes = agent.state.withLockedValue { $0.planes.removeValue(forKey: balancer) ?? [:] }
    await offPool { for plane in planes.values { plane.stop() } }
    try? FileManager.default.removeItem(atPath: "\(agent.base)/\(balancer)")
    return Answer(200, .object(["message": "OK"]))
  }

  private func listeners() async -> [JSON] {
    var all: [JSON] = []
    for plane in agent.planes() {
      for id in ((try? await plane.readings()) ?? Readings()).listeners.keys.sorted() {
        all.append(.object(["status": "ACTIVE", "uuid": .string(id), "type": "HTTP"]))
      }
    }
    return all
  }

  private func certificate(_ method: String, _ balancer: String, _ name: String, _ body: [UInt8]) throws -> Answer {
    let folder = "\(agent.base)/\(balancer)/certs"
    let file = "\(folder)/\(name)"
    switch method {
    case "PUT":
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try PrivateFile.write(body, to: file)
      return Answer(200, .object(["message": "OK"]))
    case "GET":
      guard let data = FileManager.default.contents(atPath: file) else {
        return refuse(404, "Certificate Not Found", name)
      }
      return Answer(200, .object(["md5sum": .string(Self.sum(Array(data)))]))
    default:
      try? FileManager.default.removeItem(atPath: file)
      return Answer(200, .object(["message": "OK"]))
    }
  }

  // MARK: networks

  private func plugVIP(_ vip: String, _ body: [UInt8]) async throws -> Answer {
    let request = try JSON(parsing: body)
    guard let mac = request["mac_address"].string, let name = await Interfaces.named(mac: mac) else {
      return refuse(404, "No suitable network interface found", request["mac_address"].string)
    }
    let own = request["vrrp_ip"].string ?? vip
    if await Interfaces.named(having: own) != nil { return refuse(409, "VIP already plugged") }
    try await Interfaces.bringUp(name, mtu: request["mtu"].int)
    if let length = request["subnet_cidr"].string?.split(separator: "/").last.flatMap({ Int($0) }), own != vip {
      try await Interfaces.add(own, prefix: length, to: name)
    }
    if let gateway = request["gateway"].string { try? await Interfaces.route("default", via: gateway, on: name) }
    for route in request["host_routes"].array ?? [] {
      try await Interfaces.route(route["destination"].string ?? "", via: route["nexthop"].string ?? "", on: name)
    }
    return Answer(202, .object(["message": "OK", "details": .string("VIP \(vip) plugged on interface \(name)")]))
  }

  private func plugNetwork(_ body: [UInt8]) async throws -> Answer {
    let request = try JSON(parsing: body)
    guard let mac = request["mac_address"].string, let name = await Interfaces.named(mac: mac) else {
      return refuse(404, "No suitable network interface found", request["mac_address"].string)
    }
    try await Interfaces.bringUp(name, mtu: request["mtu"].int)
    for address in request["fixed_ips"].array ?? [] {
      guard let own = address["ip_address"].string,
        let length = address["subnet_cidr"].string?.split(separator: "/").last.flatMap({ Int($0) })
      else { continue }
      try await Interfaces.add(own, prefix: length, to: name)
    }
    return Answer(202, .object(["message": "OK", "details": .string("plugged on interface \(name)")]))
  }

  /// The address of a load balancer with one amphora: nothing else can hold it.
  private func takeAddress(_ vip: String, _ body: [UInt8]) async throws -> Answer {
    let request = try JSON(parsing: body)
    guard let own = request["vrrp_ip"].string, let name = await Interfaces.named(having: own),
      let length = request["prefix"].int
    else { return refuse(404, "No suitable network interface found", request["vrrp_ip"].string) }
    try await Interfaces.add(vip, prefix: length, to: name)
    Task { await Interfaces.announce(vip, on: name) }
    return Self.done
  }

  private func interface(_ address: String) async -> Answer {
    guard let name = await Interfaces.named(having: address) else {
      return refuse(404, "Interface not found for IP address", address)
    }
    return Answer(200, .object(["message": "OK", "interface": .string(name)]))
  }

  private func vrrp(_ verb: String, _ body: [UInt8]) async throws -> Answer {
    switch verb {
    case "upload":
      try Data(body).write(to: URL(fileURLWithPath: agent.vrrpFile), options: .atomic)
      var answer = Answer(200, .object(["message": "OK"]))
      answer.tag = Self.sum(body)
      return answer
    case "start", "reload":
      await agent.awaitTakeover()
      await offPool { agent.startVRRP() }
    case "stop": await offPool { agent.stopVRRP() }
    case "handover": await agent.handOver((try? JSON(parsing: body))?["addresses"].strings ?? [])
    default: return refuse(400, "Unknown action", verb)
    }
    return Answer(202, .object(["message": "OK", "details": .string("\(verb) is done")]))
  }

  // MARK: what it is

  private func info() async -> JSONObject {
    let version = await Program.run([agent.settings.haproxy, "-v"]).output.split(separator: " ").dropFirst(2).first
    return JSONObject([
      ("hostname", .string(agent.settings.amphora)), ("haproxy_version", .string(version.map(String.init) ?? "none")),
      ("api_version", "1.0"),
    ])
  }

  private func details() async -> JSONObject {
    var details = await info()
    func file(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
    details["active"] = .bool(agent.planes().contains { $0.isRunning })
    details["haproxy_count"] = .int(agent.planes().count { $0.isRunning })
    details["cpu_count"] = .int(ProcessInfo.processInfo.activeProcessorCount)
    details["load"] = .strings(file("/proc/loadavg").split(separator: " ").prefix(3).map(String.init))
    var memory = JSONObject()
    for line in file("/proc/meminfo").split(separator: "\n").prefix(6) {
      let words = line.split { $0 == ":" || $0 == " " }
      if words.count > 1 { memory[words[0].lowercased()] = .int(Int(words[1]) ?? 0) }
    }
    details["memory"] = .object(memory)
    var networks = JSONObject()
    for line in file("/proc/net/dev").split(separator: "\n").dropFirst(2) {
      let words = line.split { $0 == ":" || $0 == " " }
      guard words.count > 9, words[0] != "lo" else { continue }
      networks[String(words[0])] = .object([
        "network_rx": .int(Int(words[1]) ?? 0), "network_tx": .int(Int(words[9]) ?? 0),
      ])
    }
    details["networks"] = .object(networks)
    details["listeners"] = .array(await listeners().map { $0["uuid"] })
    details["topology"] = agent.settings.isStandalone ? "SINGLE" : "ACTIVE_STANDBY"
    details["topology_status"] = .string(agent.hasHealthyVRRP ? "OK" : "FAULT")
    return details
  }

  private func configure(_ body: [UInt8]) throws -> Answer {
    let new = try AmphoraSettings(file: "config", text: String(decoding: body, as: UTF8.self))
    agent.state.withLockedValue { state in
      state.settings.key = new.key
      state.settings.heartbeat = new.heartbeat
      state.settings.controllers = new.controllers
    }
    return Self.done
  }
}
