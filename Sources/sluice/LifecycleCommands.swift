internal import Admin
internal import ArgumentParser
internal import Foundation
internal import Wire

struct UpgradeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upgrade", abstract: "Let the node start its binary anew and hand everything over to it.",
    discussion: """
      The new process gets the listening sockets, health, overrides, persistence and counters. When it serves, the old \
      one ends its connections and leaves. If it does not come to serve, the old one goes on. SIGUSR2 does the same.
      """)

  @Option(help: ArgumentHelp("Give the new process up when it is not ready after this.", valueName: "time"))
  var within = Seconds(60)
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func validate() throws { _ = try within.whole("--within", 1...600) }

  func run() async throws {
    try await reportingFailures {
      let limit = Int(within.count)
      let client = AdminClient(socket: socket.path, deadline: .seconds(limit + 15))
      let (report, raw) = try await NodeConnection(client: client).post(
        "/v1/upgrade?within=\(limit)", as: UpgradeReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print("process \(report.process) serves; \(StatusText.count(report.draining, "connection")) end in the old one")
    }
  }
}

struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply", abstract: "Let the node take a file over, if asked on trial.",
    discussion: """
      With --confirm-within the node undoes it by itself unless `sluice confirm` comes in time, also when this command \
      and its connection are long gone. The node's own file is not changed.
      """)

  @Argument(help: "The configuration, in YAML.") var file: String
  @Option(help: ArgumentHelp("Undo it unless it is confirmed within this, like 60s or 5m.", valueName: "time"))
  var confirmWithin: Seconds?
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func validate() throws { _ = try confirmWithin?.whole("--confirm-within", 1...86_400) }

  func run() async throws {
    try await reportingFailures {
      let bytes = try ConfigFile.read(file)
      var path = "/v1/apply?name=\(PathSegment.encode(URL(fileURLWithPath: file).path))"
      if let confirmWithin { path += "&confirm-within=\(confirmWithin)" }
      let (report, raw) = try await socket.node.post(path, body: bytes, as: ApplyReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      report.show()
      if let limit = report.confirmWithin { print("undone in \(limit) s unless `sluice confirm` comes") }
    }
  }
}

struct ConfirmCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "confirm", abstract: "Keep the configuration that is on trial.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.post("/v1/confirm", as: ApplyReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      report.show()
    }
  }
}

struct RevertCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revert", abstract: "Undo the configuration that is on trial, now.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.post("/v1/revert", as: ApplyReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      report.show()
    }
  }
}

struct DiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Say what a file would change on the running node, in terms of traffic.")

  @Argument(help: "The configuration, in YAML.") var file: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Exit with 2 when something would change.") var exitCode = false
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let bytes = try ConfigFile.read(file)
      let path = "/v1/diff?name=\(PathSegment.encode(URL(fileURLWithPath: file).path))"
      let (report, raw) = try await socket.node.post(path, body: bytes, as: DiffReport.self)
      let text = json ? String(decoding: raw, as: UTF8.self) : DiffText.render(report)
      print(text, terminator: "")
      if exitCode, !report.changes.isEmpty || !report.shares.isEmpty { throw ExitCode(2) }
    }
  }
}

enum DiffText {
  static func render(_ report: DiffReport) -> String {
    guard !report.changes.isEmpty || !report.shares.isEmpty else { return "nothing changes\n" }
    var lines = report.changes
    lines += report.opened.map { "opens   \($0)" }
    lines += report.closed.map { "closes  \($0)" }
    var pool: String?
    for share in report.shares {
      if share.pool != pool { lines.append("traffic of pool \(share.pool):") }
      pool = share.pool
      lines.append("  \(share.backend): \(percent(share.before)) -> \(percent(share.after))")
    }
    lines += connections("clients of", report.clients) + connections("connections to", report.backends)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func connections(_ what: String, _ list: [String: DiffReport.Connections]) -> [String] {
    list.sorted { $0.key < $1.key }.map { name, count in
      count.drained > 0
        ? "\(what) \(name): \(count.drained) end when what is under way is done" : "\(what) \(name): \(count.kept) stay"
    }
  }

  private static func percent(_ share: Double?) -> String {
    share.map { "\(($0 * 10).rounded() / 10)%" } ?? "absent"
  }
}

extension ApplyReport {
  fileprivate func show() {
    print("generation \(generation) is in force")
    for change in changes { print("  \(change)") }
    if let differsFrom { print("\(differsFrom) says something else: a reload or a restart brings that back") }
  }
}
