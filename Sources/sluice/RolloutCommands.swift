internal import Admin
internal import ArgumentParser
internal import Foundation

struct RolloutCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollout", abstract: "Bring a new version of a pool into service, without losing a request.",
    subcommands: [
      RolloutStartCommand.self, CanaryCommand.self, SwitchCommand.self, RolloutStatusCommand.self,
      RolloutShowCommand.self, SubjectOrderCommand<RolloutPause>.self, SubjectOrderCommand<RolloutResume>.self,
      SubjectOrderCommand<RolloutNext>.self, SubjectOrderCommand<RolloutAbort>.self,
      SubjectOrderCommand<RolloutRollback>.self,
    ], defaultSubcommand: RolloutStatusCommand.self)
}

struct RolloutStartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Begin: drain, update, verify and admit backend after backend.",
    discussion: """
      The update of one backend is a command, a webhook or a person:
        sluice rollout start web --command /bin/systemctl restart 'web@{backend}'
      The node runs the command as its own user and without a shell: its words are given apart, not as one in quotes, \
      and the first is an absolute path. In each, {pool}, {backend}, {address} and {direction} (forward, or back in a \
      rollback) are replaced. What needs a shell asks for one:
        sluice rollout start web --command /bin/sh -c 'cd /srv && ./up {backend}'
      """)

  @Argument(help: "The pool.") var pool: String
  @Option(help: "Read the rollout from this JSON file; flags beside it are not allowed.") var file: String?
  @Option(help: "POST each backend as JSON to this http:// URL.") var webhook: String?
  @Flag(help: "A person updates each backend and says `sluice rollout next`.") var manual = false
  @Option(help: "Only these backends, in this order; comma-separated.") var backends: String?
  @Option(help: "Backends at once (default: 1).") var batch: Int?
  @Option(help: "How many of the pool may be out at once, those that are down included (default: as --batch).")
  var maxUnavailable: Int?
  @Option(help: ArgumentHelp("How long open requests get (default: 60).", valueName: "time"))
  var drainTimeout: Seconds?
  @Option(help: ArgumentHelp("How long an update may take (default: 600).", valueName: "time"))
  var updateTimeout: Seconds?
  @Option(help: ArgumentHelp("When an updated backend must be up (default: 60).", valueName: "time"))
  var healthTimeout: Seconds?
  @Option(
    help: ArgumentHelp("How long a batch must stay well before the next begins (default: 10).", valueName: "time"))
  var soak: Seconds?
  @Option(help: "The version that an updated backend must report.") var version: String?
  @Option(help: "The path that tells it.") var versionPath: String?
  @Option(
    help: "Requests that one backend can carry at once: the rollout waits while the rest could not carry the load.")
  var capacity: Int?
  @Option(help: "Requests a second that one backend can answer, likewise.") var rate: Int?
  @Option(parsing: .remaining, help: "The program (an absolute path) and its arguments, each a word; the last option.")
  var command: [String] = []
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func validate() throws {
    guard file == nil, [!command.isEmpty, webhook != nil, manual].count(where: { $0 }) != 1 else { return }
    throw ValidationError(
      "The update must be a command, a webhook or manual: say one of --command, --webhook, --manual.")
  }

  func run() async throws {
    try await reportingFailures {
      let body = try file.map(read) ?? encoded()
      let (report, raw) = try await socket.node.post("/v1/rollouts", body: body, as: RolloutReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(RolloutText.render(report, colours: Terminal.hasColours), terminator: "")
    }
  }

  private func read(_ path: String) throws -> [UInt8] {
    do {
      return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw Failure("\(path) cannot be read: \(error.localizedDescription)", hint: "name a JSON file")
    }
  }

  private func encoded() throws -> [UInt8] {
    var request = RolloutRequest(
      pool: pool,
      update: .init(command: command.isEmpty ? nil : command, webhook: webhook, manual: manual ? true : nil))
    request.backends = backends.map { $0.split(separator: ",").map(String.init) }
    (request.batch, request.maxUnavailable) = (batch, maxUnavailable)
    (request.capacity, request.rate) = (capacity, rate)
    (request.drainTimeout, request.updateTimeout) = (drainTimeout?.count, updateTimeout?.count)
    (request.healthTimeout, request.soak) = (healthTimeout?.count, soak?.count)
    (request.version, request.versionPath) = (version, versionPath)
    return Array(try JSONEncoder().encode(request))
  }
}

struct RolloutStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how far rollouts are, and what they wait for.")

  @OptionGroup var socket: SocketOption
  @Flag(name: .shortAndLong, help: "Go on until every rollout is over or paused.") var follow = false
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      while true {
        let (report, raw) = try await socket.node.get("/v1/rollouts", as: RolloutsReport.self)
        if json {
          print(String(decoding: raw, as: UTF8.self), terminator: "")
        } else {
          let text = report.rollouts.map { RolloutText.render($0, colours: Terminal.hasColours) }.joined(
            separator: "\n")
          Terminal.printNow(
            Terminal.hasColours && follow ? "\u{1b}[H\u{1b}[2J" + text : text.isEmpty ? "no rollouts" : text)
        }
        guard follow, report.rollouts.contains(where: { $0.phase == "running" }) else { return }
        try await Task.sleep(for: .seconds(1))
      }
    }
  }
}

/// An order to a pool's rollout.
protocol RolloutOrderWord: OrderWord where Report == RolloutReport {
  static var order: RolloutOrder { get }
}

extension RolloutOrderWord {
  static var subject: ArgumentHelp { ArgumentHelp("The pool.", valueName: "pool") }
  static func path(_ pool: String) -> String { "/v1/rollouts/\(pool)/\(order.rawValue)" }
  static func render(_ report: RolloutReport) -> String { RolloutText.render(report, colours: Terminal.hasColours) }
}

enum RolloutPause: RolloutOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Finish the backends under way and begin no other; keep a canary's share.")
  static let order = RolloutOrder.pause
}

enum RolloutResume: RolloutOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on; what failed is tried again.")
  static let order = RolloutOrder.resume
}

enum RolloutNext: RolloutOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "next", abstract: "Say that what a manual rollout waits for was done; take a canary's next step.")
  static let order = RolloutOrder.next
}

enum RolloutAbort: RolloutOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "abort", abstract: "End here: what is done stays done, the rest is left alone. A canary goes back.")
  static let order = RolloutOrder.abort
}

enum RolloutRollback: RolloutOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Undo what was done, the last backend first; a canary also when it is completed."
  )
  static let order = RolloutOrder.rollback
}
