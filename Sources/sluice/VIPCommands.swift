internal import Admin
internal import ArgumentParser
internal import Config
internal import Kernel
internal import Wire

struct VIPCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vip", abstract: "Show and move virtual addresses.",
    subcommands: [
      VIPListCommand.self, VIPShowCommand.self, VIPMoveCommand.self, VIPClaimCommand.self, VIPRestoreCommand.self,
      VIPCleanCommand.self,
    ], defaultSubcommand: VIPListCommand.self)
}

struct VIPListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Show every virtual address with its state on this node.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.get("/v1/vips", as: VIPsReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(VIPText.table(report, colours: Terminal.hasColours), terminator: "")
    }
  }
}

struct VIPShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one virtual address with its counters and its failover budget.")

  @Argument(help: "The VIP, as `sluice vip list` shows it.") var name: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print it as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let vip = try await socket.node.vip(name)
      if json { return try VIPText.printJSON(vip) }
      print(VIPText.details(vip), terminator: "")
    }
  }
}

struct VIPMoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move", abstract: "Hand a virtual address over to another node, in order.",
    discussion: """
      HTTP connections are asked to end with their next answer (Connection: close, GOAWAY), for `--drain` seconds at most; \
      then newcomers are made to wait a moment, and when what is under way is answered the priority here falls to 1, so \
      that another node takes over; where none does in time, this one resigns. It stays the last choice until `sluice vip restore`. Returns when another node has it.
      """)

  @Argument(help: "The VIP, as `sluice vip list` shows it.") var name: String
  @Option(help: "The node that shall have it: its name or address among `peers`, or where its adverts come from.")
  var to: String?
  @Option(help: ArgumentHelp("How long to wait for the other node.", valueName: "time")) var timeout = Seconds(30)
  @Option(help: ArgumentHelp("How long open HTTP requests have to end; 0: they have not.", valueName: "time"))
  var drain = Seconds(5)
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print how it stands afterwards as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let before = try await socket.node.vip(name)
      guard before.state == "active" else {
        throw Failure(
          "this node does not have \(name): it is \(before.state)",
          hint: before.lastHeard.map { "\($0) has it; move it there" } ?? "`sluice vip show \(name)` says why")
      }
      let path = "/v1/vips/\(PathSegment.encode(name))"
      let wish = to.map { "&to=\(PathSegment.encode($0))" } ?? ""
      let patient = NodeConnection(client: AdminClient(socket: socket.path, deadline: drain.duration + .seconds(10)))
      _ = try await patient.post("\(path)/release?drain=\(drain)\(wish)", as: VIPStatusReport.self)
      let clock = ContinuousClock()
      let start = clock.now
      var vip = before
      var reached: ContinuousClock.Instant?
      func isThere(_ vip: VIPStatusReport) -> Bool {
        to.map { [vip.lastHeard, vip.owner, vip.ownerAddress].contains($0) } ?? true
      }
      while clock.now - start < timeout.duration {
        try await Task.sleep(for: .milliseconds(20))
        vip = try await socket.node.vip(name)
        guard vip.state != "active", vip.lastHeard != nil else { continue }
        // The first whom it went to may not be the last.
        let since = reached ?? clock.now
        reached = since
        if isThere(vip) || clock.now - since > .seconds(2) { break }
      }
      guard vip.state != "active", let owner = vip.lastHeard else {
        _ = try await socket.node.post("\(path)/restore", as: VIPStatusReport.self)
        throw Failure(
          "no other node took \(name) within \(timeout) s; this one has it again",
          hint: "is another node up and well? see `sluice events`")
      }
      if let to, !isThere(vip) {
        throw Failure(
          "\(name) went to \(owner), not to \(to)",
          hint: "nodes that are each other's `peers` can be told; or raise the priority of \(to)")
      }
      if json { return try VIPText.printJSON(vip) }
      print("\(name) is with \(owner) now; this node is the last choice until `sluice vip restore \(name)`")
    }
  }
}

struct VIPClaimCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "claim", abstract: "Take a virtual address, whatever the priorities, until `restore`.")

  @Argument(help: "The VIP, as `sluice vip list` shows it.") var name: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print how it stands afterwards as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (vip, _) = try await socket.node.post(
        "/v1/vips/\(PathSegment.encode(name))/claim", as: VIPStatusReport.self)
      if json { return try VIPText.printJSON(vip) }
      print("\(name) is claimed with priority \(vip.priority); it is \(vip.state) here")
    }
  }
}

struct VIPRestoreCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore", abstract: "Take `move` or `claim` back: priorities decide as configured.")

  @Argument(help: "The VIP, as `sluice vip list` shows it.") var name: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print how it stands afterwards as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (vip, _) = try await socket.node.post(
        "/v1/vips/\(PathSegment.encode(name))/restore", as: VIPStatusReport.self)
      if json { return try VIPText.printJSON(vip) }
      print("\(name) has priority \(vip.priority) here; it is \(vip.state)")
    }
  }
}

struct VIPCleanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clean", abstract: "Remove the virtual addresses that a node left on this machine when it was killed.",
    discussion: """
      Every address that a virtual router of Sluice put on an interface, recognised by its mark (Linux 5.18), and the \
      links of virtual MACs. For a service manager, after the node has ended; a node that starts does it, too.
      """)

  func run() throws {
    do throws(NetlinkError) {
      var netlink = try Netlink()
      for link in try netlink.links() where link.isVirtualRouterLink { try netlink.deleteLink(link.index) }
      let result = try netlink.reconcile([], of: .virtualRouter)
      for placement in result.removed { print("removed \(placement)") }
      if let failure = result.failures.first { throw failure.error }
    } catch {
      Terminal.printError("sluice: \(error)")
      throw ExitCode(1)
    }
  }
}

extension NodeConnection {
  func vip(_ name: String) async throws -> VIPStatusReport {
    let (report, _) = try await get("/v1/vips", as: VIPsReport.self)
    if let vip = report.vips.first(where: { $0.name == name }) { return vip }
    let meant = Nearest.word(to: name, among: report.vips.map(\.name)).map { "did you mean `\($0)`? " } ?? ""
    throw Failure("there is no vip \(name)", hint: "\(meant)`sluice vip list` shows them")
  }
}
