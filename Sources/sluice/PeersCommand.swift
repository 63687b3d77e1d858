internal import Admin
internal import ArgumentParser

struct PeersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers", abstract: "Show the other nodes, and what they say of themselves.")

  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the node's answer as JSON.") var json = false

  func run() async throws {
    try await reportingFailures {
      let (report, raw) = try await socket.node.get("/v1/peers", as: PeersReport.self)
      if json { return print(String(decoding: raw, as: UTF8.self), terminator: "") }
      print(PeersText.render(report, colours: Terminal.hasColours), terminator: "")
    }
  }
}

/// `sluice peers` for people.
enum PeersText {
  static func render(_ report: PeersReport, colours: Bool) -> String {
    guard !report.peers.isEmpty else { return "this node has no peers: there is no `peers` in its file\n" }
    let site = report.site.map { "  site \($0.printable)" } ?? ""
    var text = "node \((report.node ?? "?").printable)\(site)\n\n" + links(report.peers).render(colours: colours)
    for table in [pools(report.peers), facts(report.peers), overrides(report.overrides)] where !table.isEmpty {
      text += "\n" + table.render(colours: colours)
    }
    return text
  }

  private static func links(_ peers: [PeersReport.Peer]) -> TextTable {
    var table = TextTable([
      ("PEER", .left), ("SITE", .left), ("LINK", .left), ("SINCE", .right), ("HEARD", .right), ("RTT", .right),
      ("PHASE", .left), ("HEARS", .left), ("ADDRESS", .left), ("REASON", .left),
    ])
    for peer in peers {
      table.add([
        .init(peer.name), .init(peer.site ?? ""), .init(peer.link, colour(peer.link)),
        .init(StatusText.duration(peer.sinceSeconds)),
        .init(peer.ageSeconds.map { "\(StatusText.duration($0)) ago" } ?? "never"),
        .init(peer.roundTripMilliseconds.map { "\($0) ms" } ?? ""), .init(peer.phase ?? ""),
        .init(peer.hears.joined(separator: ", ")), .init(peer.address), .init(peer.reason),
      ])
    }
    return table
  }

  static func colour(_ link: String) -> TextTable.Colour { link == "up" ? .green : link == "down" ? .yellow : .red }

  private static func pools(_ peers: [PeersReport.Peer]) -> TextTable {
    var table = TextTable([
      ("PEER", .left), ("POOL", .left), ("UP", .right), ("IN FLIGHT", .right), ("CAPACITY", .right),
    ])
    for peer in peers {
      for pool in peer.pools {
        table.add([
          .init(peer.name), .init(pool.name), .init("\(pool.up)/\(pool.total)", pool.up == 0 ? .red : nil),
          "\(pool.inFlight)", .init(pool.capacity == 0 ? "" : "\(pool.capacity)"),
        ])
      }
    }
    return table
  }

  private static func facts(_ peers: [PeersReport.Peer]) -> TextTable {
    var table = TextTable([("PEER", .left), ("KIND", .left), ("NAME", .left), ("STATE", .left), ("REASON", .left)])
    for peer in peers {
      for fact in peer.facts {
        table.add([.init(peer.name), .init(fact.kind), .init(fact.name), .init(fact.state), .init(fact.reason)])
      }
    }
    return table
  }

  private static func overrides(_ overrides: [PeersReport.Override]) -> TextTable {
    var table = TextTable([("OVERRIDE", .left), ("KIND", .left), ("VALUE", .left), ("SAID ON", .left)])
    for override in overrides {
      // A VIP, a site and an address have no second name.
      let subject = override.backend.isEmpty ? override.pool : "\(override.pool)/\(override.backend)"
      table.add([
        .init(subject), .init(override.kind), .init(override.value ?? "(the file's)"), .init(override.node),
      ])
    }
    return table
  }
}
