internal import Admin
internal import ArgumentParser
internal import Wire

/// "POOL/BACKEND": pool names hold no slash, backend names may.
struct BackendArgument: ExpressibleByArgument, Hashable {
  var pool: String
  var backend: String

  init?(argument: String) {
    guard let slash = argument.firstIndex(of: "/"), slash != argument.startIndex else { return nil }
    pool = String(argument[..<slash])
    backend = String(argument[argument.index(after: slash)...])
    if backend.isEmpty { return nil }
  }

  var path: String { "/v1/backends/\(PathSegment.encode(pool))/\(PathSegment.encode(backend))" }
}

/// What the orders to one backend share.
struct OrderOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The backend behind its pool: web/10.0.0.11:8000.", valueName: "pool/backend"))
  var backend: BackendArgument

  @OptionGroup var socket: SocketOption

  @Flag(help: "Print the node's answer as JSON.") var json = false

  func send(_ state: StateOrder) async throws {
    let (report, raw) = try await socket.node.post("\(backend.path)/\(state.rawValue)", as: BackendReport.self)
    show(report, raw)
  }

  func show(_ report: BackendReport, _ raw: [UInt8]) {
    if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
    Terminal.printNow(
      "\(backend.pool)/\(report.name) is \(report.state), weight \(report.weight) (\(report.effectiveWeight) in effect), \(report.inFlight) in flight"
    )
  }
}

struct DrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Send a backend no new clients; open connections and persistent clients go on.")

  @OptionGroup var options: OrderOptions

  @Option(help: ArgumentHelp("Return when nothing of it is under way; fail after this.", valueName: "time"))
  var wait: Seconds?

  func run() async throws {
    try await reportingFailures {
      try await options.send(.drain)
      guard let wait else { return }
      var waiting = DrainWait(options.socket.node, options.backend)
      try await waiting.run(within: wait, isSilent: options.json)
    }
  }
}

struct ReadyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "ready", abstract: "Give a backend its traffic again.")

  @OptionGroup var options: OrderOptions

  func run() async throws { try await reportingFailures { try await options.send(.ready) } }
}

struct MaintenanceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maintenance", abstract: "Take a backend out: no traffic, no probes.")

  @OptionGroup var options: OrderOptions

  func run() async throws { try await reportingFailures { try await options.send(.maintenance) } }
}

struct WeightCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "weight", abstract: "Set a backend's weight.")

  @OptionGroup var options: OrderOptions

  @Argument(help: "0 to 65535; 0 takes no new traffic.") var weight: Int

  func validate() throws {
    guard (0...65_535).contains(weight) else { throw ValidationError("The weight must be within 0 and 65535.") }
  }

  func run() async throws {
    try await reportingFailures {
      let body = Array("{\"weight\":\(weight)}".utf8)
      let (report, raw) = try await options.socket.node.put(
        "\(options.backend.path)/weight", body: body, as: BackendReport.self)
      options.show(report, raw)
    }
  }
}
