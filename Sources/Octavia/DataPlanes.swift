internal import Foundation
internal import OctaviaModel

/// What carries traffic inside an amphora, as its agent sees it.
protocol DataPlane: Sendable {
  var isRunning: Bool { get }
  func start()
  func reload() async
  func stop()
  /// Whether it serves: asked before VRRP is started again.
  func isServing() async -> Bool
  /// Counters since its start, by listener, and the pools' states.
  func readings() async throws -> Readings
}

struct Readings: Sendable {
  var listeners: [String: Heartbeat.ListenerReport] = [:]
  var pools: [String: Heartbeat.PoolReport] = [:]

  static func + (left: Readings, right: Readings) -> Readings {
    var sum = left
    sum.listeners.merge(right.listeners) { one, _ in one }
    sum.pools.merge(right.pools) { one, _ in one }
    return sum
  }
}

/// The real HAProxy in master-worker mode.
struct HAProxyPlane: DataPlane {
  let daemon: Daemon
  let socket: String
  let stateFile: String

  init(
    binary: String, host: String, config: String, peer: String, socket: String, stateFile: String, log: String,
    started: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void
  ) {
    self.socket = socket
    self.stateFile = stateFile
    daemon = Daemon(
      [binary, "-W", "-db", "-L", peer, "-f", host, "-f", config], log: log, started: started, ended: ended)
  }

  var isRunning: Bool { daemon.isRunning }
  func start() { daemon.start() }
  func stop() { daemon.stop() }

  func reload() async {
    // Servers keep their state over the reload.
    if let state = try? await UnixTalk.ask(socket, "show servers state\n") {
      try? state.write(toFile: stateFile, atomically: true, encoding: .utf8)
    }
    daemon.signal(SIGUSR2)
  }

  func isServing() async -> Bool {
    ((try? await UnixTalk.ask(socket, "show stat -1 -1 -1\n")) ?? "").contains("FRONTEND")
  }

  func readings() async throws -> Readings {
    // Whoever asks while HAProxy reloads may have asked a process that answers nobody any more.
    if let text = try? await UnixTalk.ask(socket, "show stat\n", patience: .milliseconds(300)),
      text.contains(",BACKEND,")
        || text.contains(",FRONTEND,")
    {
      return HAProxyStatistics.readings(text)
    }
    return HAProxyStatistics.readings(try await UnixTalk.ask(socket, "show stat\n", patience: .seconds(2)))
  }
}

/// Sluice's own data plane: this program with a generated file.
struct SluicePlane: DataPlane {
  let daemon: Daemon
  let socket: String

  init(
    binary: String, config: String, socket: String, log: String, started: @escaping @Sendable () -> Void,
    ended: @escaping @Sendable () -> Void
  ) {
    self.socket = socket
    daemon = Daemon([binary, "run", config], log: log, started: started, ended: ended)
  }

  var isRunning: Bool { daemon.isRunning }
  func start() { daemon.start() }
  func stop() { daemon.stop(patience: 1) }
  func reload() async { daemon.signal(SIGHUP) }

  private func status() async throws -> JSON {
    let answer = try await HTTPClient(socket: socket).send(
      HTTPCall(method: "GET", url: "http://sluice/v1/status", deadline: .seconds(5)))
    return try JSON(parsing: answer.body)
  }

  func isServing() async -> Bool { (try? await status()["phase"].string) == "serving" }

  func readings() async throws -> Readings {
    let status = try await status()
    var readings = Readings()
    for listener in status["listeners"].array ?? [] {
      var counters = Heartbeat.Counters()
      counters.bytesIn = listener["bytes_in"].int ?? 0
      counters.bytesOut = listener["bytes_out"].int ?? 0
      counters.totalConnections = listener["accepted"].int ?? 0
      counters.requestErrors = listener["malformed"].int ?? 0
      counters.activeConnections = listener["connections"].int ?? 0
      readings.listeners[listener["name"].string ?? ""] = .init(full: false, counters)
    }
    for pool in status["pools"].array ?? [] {
      let name = pool["name"].string ?? ""
      guard name != SluiceConfig.nobody else { continue }
      // A pool of several listeners is one for each.
      let id = SluiceConfig.poolID(name)
      var members = readings.pools[id]?.members ?? [:]
      for backend in pool["backends"].array ?? [] where backend["name"].string != SluiceConfig.nobody {
        members[backend["name"].string ?? ""] = Self.word(backend)
      }
      let isUp = members.isEmpty || members.values.contains { $0.hasPrefix("UP") || $0 == "no check" || $0 == "DRAIN" }
      readings.pools[id] = .init(up: isUp, members)
    }
    return readings
  }

  private static func word(_ backend: JSON) -> String {
    switch backend["state"].string {
    case "maintenance": return "MAINT"
    case "drain": return "DRAIN"
    default: break
    }
    if backend["reason"].string == "not probed" { return "no check" }
    switch backend["verdict"].string {
    case "up", "warming": return backend["weight"].int == 0 ? "DRAIN" : "UP"
    default: return "DOWN"
    }
  }
}

enum HAProxyStatistics {
  /// `show stat`: one line of comma-separated values for each proxy and server.
  static func readings(_ text: String) -> Readings {
    var readings = Readings()
    var columns: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      let values = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      if line.hasPrefix("# ") {
        for (index, name) in values.enumerated() {
          columns[name.hasPrefix("# ") ? String(name.dropFirst(2)) : name] = index
        }
        continue
      }
      func value(_ name: String) -> String { columns[name].flatMap { $0 < values.count ? values[$0] : nil } ?? "" }
      func number(_ name: String) -> Int { Int(value(name)) ?? 0 }
      let proxy = value("pxname")
      let name = value("svname")
      // A pool of several listeners is a backend for each: pool:listener.
      let pool = proxy.split(separator: ":").first.map(String.init) ?? proxy
      switch name {
      case "FRONTEND":
        var counters = Heartbeat.Counters()
        counters.bytesIn = number("bin")
        counters.bytesOut = number("bout")
        counters.totalConnections = number("stot")
        counters.requestErrors = number("ereq")
        counters.activeConnections = number("scur")
        readings.listeners[proxy] = .init(full: number("slim") > 0 && number("scur") >= number("slim"), counters)
      case "BACKEND":
        let members = readings.pools[pool]?.members ?? [:]
        readings.pools[pool] = .init(up: value("status").hasPrefix("UP"), members)
      default:
        var members = readings.pools[pool]?.members ?? [:]
        let status = value("status")
        // A server of weight 0 takes no new clients.
        members[name] = status.hasPrefix("UP") && number("weight") == 0 ? "DRAIN" : status
        readings.pools[pool] = .init(up: readings.pools[pool]?.isUp ?? true, members)
      }
    }
    return readings
  }
}
