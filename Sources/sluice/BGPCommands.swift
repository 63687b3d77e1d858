internal import Admin
internal import ArgumentParser

struct BGPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgp", abstract: "Sessions to routers, and what is announced to them.",
    subcommands: [
      BGPStatusCommand.self, BGPRoutesCommand.self, BGPAnnounceCommand.self, BGPWithdrawCommand.self,
      BGPAutomaticCommand.self, BGPDrainCommand.self, BGPStayCommand.self, BGPRestartCommand.self,
    ], defaultSubcommand: BGPStatusCommand.self)
}

/// What every question and order about BGP shares.
struct BGPCommandOptions: ParsableArguments {
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func order(_ path: String) async throws {
    let (report, raw) = try await socket.node.post("/v1/bgp/\(path)", as: BGPStatusReport.self)
    show(report, raw)
  }

  func show(_ report: BGPStatusReport, _ raw: [UInt8]) {
    print(json ? String(decoding: raw, as: UTF8.self) : BGPText.render(report), terminator: "")
  }
}

struct BGPStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show every session and every announcement, with why.")
  @OptionGroup var options: BGPCommandOptions

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await options.socket.node.get("/v1/bgp", as: BGPStatusReport.self)
      options.show(report, raw)
    }
  }
}

struct BGPRoutesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "routes", abstract: "Show what a peer was told, and what it told us (which is never installed).")
  @Argument(help: "The peer, as `sluice bgp status` shows it.") var peer: String
  @OptionGroup var options: BGPCommandOptions

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await options.socket.node.get(
        "/v1/bgp/routes/\(PathSegment.encode(peer))", as: BGPRoutesReport.self)
      print(options.json ? String(decoding: raw, as: UTF8.self) : BGPText.render(report), terminator: "")
    }
  }
}

struct BGPAnnounceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "announce", abstract: "Announce, whatever the health says, until `bgp automatic`.")
  @Argument(help: "The announcement's name.") var name: String
  @OptionGroup var options: BGPCommandOptions

  func run() async throws {
    try await reportingFailures { try await options.order("announcements/\(PathSegment.encode(name))/announce") }
  }
}

struct BGPWithdrawCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "withdraw", abstract: "Withdraw, whatever the health says, until `bgp automatic`.")
  @Argument(help: "The announcement's name.") var name: String
  @OptionGroup var options: BGPCommandOptions

  func run() async throws {
    try await reportingFailures { try await options.order("announcements/\(PathSegment.encode(name))/withdraw") }
  }
}

struct BGPAutomaticCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "automatic", abstract: "Let health decide again.")
  @Argument(help: "The announcement's name.") var name: String
  @OptionGroup var options: BGPCommandOptions

  func run() async throws {
    try await reportingFailures { try await options.order("announcements/\(PathSegment.encode(name))/automatic") }
  }
}

struct BGPDrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Leave: less preferred first, then withdrawn. Open connections go on.")
  @OptionGroup var options: BGPCommandOptions

  func run() async throws { try await reportingFailures { try await options.order("drain") } }
}

struct BGPStayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stay", abstract: "Come back from `bgp drain`.")
  @OptionGroup var options: BGPCommandOptions

  func run() async throws { try await reportingFailures { try await options.order("stay") } }
}

struct BGPRestartCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "Stop the node for a planned restart: routers keep the routes for `graceful-restart`.",
    discussion: "Whoever supervises the node must start it again within that time.")
  @OptionGroup var options: BGPCommandOptions

  func run() async throws { try await reportingFailures { try await options.order("restart") } }
}
