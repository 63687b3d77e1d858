internal import Admin
internal import ArgumentParser
internal import Foundation
internal import Wire

struct NameCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dns", abstract: "Show and steer what the name server answers.",
    subcommands: [
      NameStatusCommand.self, NameQueryCommand.self, NameBudgetCommand.self, NameSiteCommand.self, NameDSCommand.self,
    ],
    defaultSubcommand: NameStatusCommand.self)
}

struct NameStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show zones, sites and balanced names with what they are answered with now.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.get("/v1/dns", as: NameServiceReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(NameText.render(report, colours: Terminal.hasColours), terminator: "")
    }
  }
}

struct NameQueryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "Show the answer to a question, as a client at some address gets it.")

  @Argument(help: "The name.") var name: String
  @Argument(help: "The record type.") var type = "A"
  @Option(help: "The client's address; this host's unless given.") var client: String?
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let client = client.map { "&client=\(PathSegment.encode($0))" } ?? ""
      let path = "/v1/dns/query?name=\(PathSegment.encode(name))&type=\(PathSegment.encode(type))\(client)"
      let (report, raw) = try await socket.node.get(path, as: NameAnswerReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(report.text, terminator: "")
    }
  }
}

struct NameBudgetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "failover-budget", abstract: "Show how long clients may be sent to what has died.")

  @Argument(help: "A balanced name.") var name: String
  @Option(help: ArgumentHelp("For how long resolvers keep an answer at least.", valueName: "time"))
  var resolverFloor = Seconds(0)
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let path = "/v1/dns/budget?name=\(PathSegment.encode(name))&floor=\(resolverFloor.count)"
      let (report, raw) = try await socket.node.get(path, as: NameBudgetReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(
        """
        \(report.name): at most \(text(report.total)) from a failure of \(report.slowest) to the last client that is sent there
          first failed check   \(text(report.firstSign))   then answers live \(text(report.shortestTTL))
          verdict              \(text(report.detection))
          in answers           \(text(report.publication)) after that
          longest TTL          \(text(report.longestTTL))
          resolvers keep       \(text(report.resolverFloor)) at least, and count whole seconds
        What clients keep beyond the TTL is theirs: a VIP, anycast or a site cookie moves them sooner.
        """)
    }
  }

  private func text(_ seconds: Double) -> String { "\((seconds * 1000).rounded() / 1000) s" }
}

struct NameDSCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ds", abstract: "Print the DS records that a signed zone's parent needs.")

  @Argument(help: "The zone.") var zone: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print them as a JSON list.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, _) = try await socket.node.get("/v1/dns", as: NameServiceReport.self)
      let wanted = zone.hasSuffix(".") ? zone : zone + "."
      guard let found = report.zones.first(where: { $0.name.lowercased() == wanted.lowercased() }) else {
        throw Failure("there is no zone \(zone)", hint: "`sluice dns status` lists them")
      }
      guard !found.delegationSigners.isEmpty else {
        throw Failure("\(zone) is not signed", hint: "give the zone `dnssec: { key: … }`")
      }
      if json {
        return print(String(decoding: try JSONEncoder().encode(found.delegationSigners), as: UTF8.self))
      }
      for record in found.delegationSigners { print(record) }
    }
  }
}

struct NameSiteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "site", abstract: "Take a site out of answers, or back in.",
    subcommands: [Drain.self, Ready.self])

  struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "drain", abstract: "Answer without a site's addresses.")

    @Argument(help: "The site.") var site: String
    @Option(
      name: .customLong("for"),
      help: ArgumentHelp("For how long, as 30s, 10m or 1h; until `ready` unless given.", valueName: "time"))
    var limit: Seconds?
    @OptionGroup var socket: SocketOption
    @Flag(help: "Print the node's answer as JSON.") var json = false

    func validate() throws { _ = try limit?.whole("--for", 1...31_536_000) }

    func run() async throws {
      try await reportingFailures {
        try await order(site, "drain\(limit.map { "?for=\($0)" } ?? "")", socket, json)
      }
    }
  }

  struct Ready: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ready", abstract: "Answer with a site again.")

    @Argument(help: "The site.") var site: String
    @OptionGroup var socket: SocketOption
    @Flag(help: "Print the node's answer as JSON.") var json = false

    func run() async throws { try await reportingFailures { try await order(site, "ready", socket, json) } }
  }

  private static func order(_ site: String, _ order: String, _ socket: SocketOption, _ json: Bool) async throws {
    let path = "/v1/dns/sites/\(PathSegment.encode(site))/\(order)"
    let (report, raw) = try await socket.node.post(path, as: NameServiceReport.self)
    if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
    for found in report.sites where found.name == site {
      let until = found.remainingSeconds.map { ", for \(Int($0.rounded())) s" } ?? ""
      print("site \(site) is \(found.state)\(until)")
    }
  }
}
