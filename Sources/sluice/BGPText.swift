internal import Admin

/// Sessions, announcements and routes for people.
enum BGPText {
  static func render(_ report: BGPStatusReport) -> String {
    guard let number = report.autonomousSystem else { return "this node has no `bgp`\n" }
    var text = "AS \(number), router ID \(report.routerID ?? "?")"
    text += report.leaving.map { ", leaving: \($0)" } ?? ""
    var peers = TextTable(
      ["PEER", "ADDRESS", "AS", "STATE", "FOR", "BFD", "TOLD", "HEARD", "LAST ERROR"].map { ($0, .left) })
    for peer in report.peers {
      peers.add(
        cells([
          peer.name, peer.address, peer.autonomousSystem.map(String.init) ?? "-", peer.state, age(peer.sinceSeconds),
          peer.bfd ?? "-", "\(peer.announced)", "\(peer.received)", peer.lastError ?? "",
        ]))
    }
    var rows = TextTable(["ANNOUNCEMENT", "LEVEL", "FOR", "PREFIXES", "WHY"].map { ($0, .left) })
    for item in report.announcements {
      rows.add(
        cells([item.name, item.level, age(item.sinceSeconds), item.prefixes.joined(separator: " "), item.reason]))
    }
    return "\(text)\n\n\(peers.render(colours: false))\n\(rows.render(colours: false))"
  }

  static func render(_ report: BGPRoutesReport) -> String {
    "told to \(report.peer):\n\(table(report.announced))\nheard from \(report.peer):\n\(table(report.received))"
  }

  private static func table(_ routes: [BGPRoutesReport.Route]) -> String {
    var rows = TextTable(
      ["PREFIX", "NEXT HOP", "PATH", "ORIGIN", "MED", "PREFERENCE", "COMMUNITIES"].map { ($0, .left) })
    for route in routes {
      rows.add(
        cells([
          route.prefix, route.nextHop, route.path.isEmpty ? "-" : route.path, route.origin,
          route.med.map(String.init) ?? "-", route.localPreference.map(String.init) ?? "-",
          route.communities.joined(separator: " "),
        ]))
    }
    return rows.render(colours: false)
  }

  private static func cells(_ texts: [String]) -> [TextTable.Cell] { texts.map { TextTable.Cell($0) } }

  private static func age(_ seconds: Double) -> String {
    switch Int(seconds) {
    case ..<120: "\(Int(seconds))s"
    case ..<7_200: "\(Int(seconds) / 60)m"
    default: "\(Int(seconds) / 3_600)h"
    }
  }
}
