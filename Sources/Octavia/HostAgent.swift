internal import Foundation
package import Logging
internal import NIOConcurrencyHelpers
internal import OctaviaModel

/// An existing host that lends itself: starts the agent of one amphora at a time, and wipes everything that it left.
///
/// The amphora's agent is a process of its own and goes on when this one ends. A host that was started anew has none
/// and is wiped before anybody is answered: addresses are gone then, and what runs without them is no amphora.
package actor HostAgent {
  private let settings: HostSettings
  private let binary: String
  private let logger: Logger
  private var last: Task<Void, Never>?

  package init(settings: HostSettings, binary: String, logger: Logger) {
    self.settings = settings
    self.binary = binary
    self.logger = logger
  }

  /// Returns when its task is cancelled; the amphora stays.
  package func run(ready: @escaping @Sendable () -> Void) async throws {
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    if let amphora = tenant, processes(of: amphora, with: "agent.yaml").isEmpty {
      logger.warning("amphora \(amphora) does not run; the host is wiped")
      try await wipe()
    }
    let settings = settings
    try await AgentServer(
      host: settings.host, port: settings.port,
      identity: { try AgentIdentity.load(certificate: settings.certificateFile, authority: settings.authorityFile) },
      answer: { await self.answer($0, $1, $2) }
    ).run(ready: ready)
  }

  /// One order after the other.
  private func answer(_ method: String, _ target: String, _ body: [UInt8]) async -> AgentAPI.Answer {
    let before = last
    let box = NIOLockedValueBox(AgentAPI.Answer(500, .null))
    let task = Task {
      await before?.value
      let answer = await self.obey(method, target, body)
      box.withLockedValue { $0 = answer }
    }
    last = task
    await task.value
    return box.withLockedValue { $0 }
  }

  private func obey(_ method: String, _ target: String, _ body: [UInt8]) async -> AgentAPI.Answer {
    do {
      switch (method, target) {
      case ("GET", "/1.0/machine"):
        return AgentAPI.Answer(
          200,
          .object([
            "host": .string(settings.name), "amphora": .optional(tenant),
            "interfaces": .object(await Interfaces.addresses(settings.interfaces)),
          ]))
      case ("PUT", "/1.0/machine"): return try take(JSON(parsing: body))
      case ("DELETE", "/1.0/machine"):
        try await wipe()
        return AgentAPI.Answer(200, .object(["message": "OK"]))
      case ("PUT", "/1.0/certificate"):
        // What would lock the controller out is not taken.
        guard (try? AgentIdentity.parse(body, authority: settings.authorityFile)) != nil else {
          return refuse(400, "not a certificate with its key")
        }
        try PrivateFile.write(body, to: settings.certificateFile)
        return AgentAPI.done
      default: return refuse(404, "not here")
      }
    } catch {
      return refuse(500, "\(error)")
    }
  }

  private func refuse(_ status: Int, _ message: String) -> AgentAPI.Answer {
    AgentAPI.Answer(status, .object(["message": .string(message)]))
  }

  // MARK: an amphora

  private var folder: String { "\(settings.directory)/amphorae" }

  /// Who lives here.
  private var tenant: String? {
    (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted().first
  }

  private func take(_ order: JSON) throws -> AgentAPI.Answer {
    guard let id = order["amphora"].string, UUID(uuidString: id) != nil, let settings = order["settings"].string,
      let certificate = order["certificate"].string, let authority = order["authority"].string
    else { return refuse(400, "an amphora needs its identifier, settings, certificate and authority") }
    let agent = try AmphoraSettings(file: "settings", text: settings)
    let place = "\(folder)/\(id)"
    guard agent.amphora == id, agent.directory == place else {
      return refuse(400, "the settings are of another amphora or for another directory than \(place)")
    }
    if let tenant, tenant != id { return refuse(409, "amphora \(tenant) lives here") }
    if !processes(of: id, with: "agent.yaml").isEmpty { return AgentAPI.done }
    try FileManager.default.createDirectory(
      atPath: place, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    try PrivateFile.write(Array(certificate.utf8), to: agent.certificateFile)
    try PrivateFile.write(Array(authority.utf8), to: agent.authorityFile)
    try PrivateFile.write(Array(settings.utf8), to: "\(place)/agent.yaml")
    let binary = binary
    let isStarted = Program.runAndWait(
      [
        "/bin/sh", "-c", "log=$1; shift; exec setsid --fork \"$@\" >>\"$log\" 2>&1 </dev/null", "sh",
        "\(place)/agent.log", binary, "amphora", "\(place)/agent.yaml",
      ], input: nil)
    return isStarted.isGood ? AgentAPI.done : refuse(500, "the agent does not start: \(isStarted.output)")
  }

  // MARK: the end of one

  /// No process, address, rule or file of any amphora is left.
  private func wipe() async throws {
    for amphora in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      // The agent ends VRRP cleanly, where it still can.
      for process in processes(of: amphora, with: "agent.yaml") { kill(process, SIGTERM) }
      for turn in 0..<250 {
        let left = processes(of: amphora)
        if left.isEmpty { break }
        if turn == 249 { throw StepFailure("processes of amphora \(amphora) do not end: \(left)") }
        if turn >= 100 || processes(of: amphora, with: "agent.yaml").isEmpty { for one in left { kill(one, SIGKILL) } }
        try? await Task.sleep(for: .milliseconds(20))
      }
    }
    for name in settings.interfaces {
      try await Program.must(["ip", "addr", "flush", "dev", name])
      await Interfaces.forgetRoutes(of: name)
    }
    await Interfaces.acceptNew()
    // Last: while a folder is there, somebody lives here.
    for amphora in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      try? FileManager.default.removeItem(atPath: SocketPlace.folder(amphora))
      try FileManager.default.removeItem(atPath: "\(folder)/\(amphora)")
    }
  }

  /// Whatever was started for an amphora has its folder among its arguments.
  private func processes(of amphora: String, with word: String = "") -> [Int32] {
    let mark = Data("\(folder)/\(amphora)/\(word)".utf8)
    return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { name in
      guard let process = Int32(name), process != getpid(),
        let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline"), line.range(of: mark) != nil
      else { return nil }
      return process
    }
  }
}
