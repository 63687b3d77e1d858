internal import Admin
internal import ArgumentParser
internal import Wire

struct BGPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgp", abstract: "Sessions to routers, and what is announced to them.",
    subcommands: [
      BGPStatusCommand.self, BGPRoutesCommand.self, SubjectOrderCommand<BGPAnnounce>.self,
      SubjectOrderCommand<BGPWithdraw>.self, SubjectOrderCommand<BGPAutomatic>.self, OrderCommand<BGPDrain>.self,
      OrderCommand<BGPStay>.self, OrderCommand<BGPRestart>.self,
    ], defaultSubcommand: BGPStatusCommand.self)
}

/// What questions about BGP share.
struct BGPCommandOptions: ParsableArguments {
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

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

/// An order about announcements or the node's sessions.
protocol BGPOrderWord: OrderWord where Report == BGPStatusReport {}

extension BGPOrderWord {
  static var subject: ArgumentHelp {
    ArgumentHelp("The announcement, as `sluice bgp status` shows it.", valueName: "announcement")
  }
  static func render(_ report: BGPStatusReport) -> String { BGPText.render(report) }
}

enum BGPAnnounce: BGPOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "announce", abstract: "Announce, whatever the health says, until `bgp automatic`.")
  static func path(_ name: String) -> String { "/v1/bgp/announcements/\(name)/announce" }
}

enum BGPWithdraw: BGPOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "withdraw", abstract: "Withdraw, whatever the health says, until `bgp automatic`.")
  static func path(_ name: String) -> String { "/v1/bgp/announcements/\(name)/withdraw" }
}

enum BGPAutomatic: BGPOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "automatic", abstract: "Let health decide again.")
  static func path(_ name: String) -> String { "/v1/bgp/announcements/\(name)/automatic" }
}

enum BGPDrain: BGPOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Leave: less preferred first, then withdrawn. Open connections go on.")
  static func path(_: String) -> String { "/v1/bgp/drain" }
}

enum BGPStay: BGPOrderWord {
  static let configuration = CommandConfiguration(commandName: "stay", abstract: "Come back from `bgp drain`.")
  static func path(_: String) -> String { "/v1/bgp/stay" }
}

enum BGPRestart: BGPOrderWord {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "Stop the node for a planned restart: routers keep the routes for `graceful-restart`.",
    discussion: "Whoever supervises the node must start it again within that time.")
  static func path(_: String) -> String { "/v1/bgp/restart" }
}
