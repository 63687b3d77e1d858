internal import Admin

/// What moves clients between sites, as tables for the dashboard.
extension Operations {
  func routingPanels() async -> [PanelsReport.Panel] {
    var panels: [PanelsReport.Panel] = []
    if let names = try? await nameService() { panels += PanelsReport.Panel.names(names) }
    let bgp = await bgpStatus()
    if bgp.autonomousSystem != nil { panels += PanelsReport.Panel.bgp(bgp) }
    return panels
  }
}

extension PanelsReport.Panel {
  fileprivate static func names(_ report: NameServiceReport) -> [Self] {
    var panels: [Self] = []
    if !report.sites.isEmpty {
      panels.append(
        Self(
          name: "dns-sites", title: "Sites", columns: ["site", "state", "load", "others say", "why"],
          rows: report.sites.map { site in
            let others = site.observers.filter(\.counts).map { "\($0.node) \($0.up ? "up" : "down")" }
            let left = site.remainingSeconds.map { ", \(Int($0)) s left" } ?? ""
            return [
              site.name, site.state, site.load.map { "\(Int($0 * 100))%" } ?? "-",
              others.isEmpty ? "-" : others.joined(separator: ", "), site.reason + left,
            ]
          }))
    }
    guard !report.names.isEmpty else { return panels }
    let shown = report.names.prefix(50)
    panels.append(
      Self(
        name: "dns-names", title: "Balanced names", columns: ["name", "balance", "TTL", "addresses"],
        rows: shown.map { name in
          let members = name.members.prefix(8).map { member in
            let share = member.share == 1 ? "" : " ×\((member.share * 100).rounded() / 100)"
            return member.address + (member.up ? share : " down")
          }
          let more = name.members.count > 8 ? " and \(name.members.count - 8) more" : ""
          return [name.name, name.balance, "\(name.ttl) s", members.joined(separator: ", ") + more]
        }))
    return panels
  }

  fileprivate static func bgp(_ report: BGPStatusReport) -> [Self] {
    let leaving = report.leaving.map { ", leaving: \($0)" } ?? ""
    return [
      Self(
        name: "bgp-announcements", title: "BGP announcements\(leaving)", columns: ["name", "prefixes", "level", "why"],
        rows: report.announcements.map {
          [$0.name, $0.prefixes.joined(separator: ", "), $0.isLast ? "\($0.level), the last" : $0.level, $0.reason]
        }),
      Self(
        name: "bgp-peers", title: "BGP sessions",
        columns: ["peer", "AS", "state", "BFD", "announced", "received", "last error"],
        rows: report.peers.prefix(50).map { peer in
          [
            peer.name, peer.autonomousSystem.map { "\($0)" } ?? "-", peer.state, peer.bfd ?? "-",
            "\(peer.announced)", "\(peer.received)", peer.lastError ?? "-",
          ]
        }),
    ]
  }
}
