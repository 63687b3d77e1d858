internal import Admin

/// `sluice dns status` for people.
enum NameText {
  static func render(_ report: NameServiceReport, colours: Bool) -> String {
    var text = ""
    var zones = TextTable([("ZONE", .left), ("SERIAL", .right), ("RECORDS", .right), ("SIGNED", .left)])
    for zone in report.zones {
      zones.add([
        "\(zone.name)", "\(zone.serial)", "\(zone.records)", zone.delegationSigners.isEmpty ? "no" : "yes",
      ])
    }
    text += zones.render(colours: colours)
    if !report.sites.isEmpty {
      var sites = TextTable([("SITE", .left), ("STATE", .left), ("ANSWERED", .left), ("LOAD", .right), ("WHY", .left)])
      for site in report.sites {
        let until = site.remainingSeconds.map { ", \(Int($0)) s left" } ?? ""
        sites.add([
          "\(site.name)", .init(site.state, site.state == "up" ? .green : site.answered ? .yellow : .red),
          site.answered ? "yes" : "no", "\(site.load.map { "\(Int($0 * 100))%" } ?? "-")", "\(site.reason)\(until)",
        ])
      }
      text += "\n" + sites.render(colours: colours)
    }
    if !report.names.isEmpty {
      var names = TextTable([
        ("NAME", .left), ("BALANCE", .left), ("TTL", .right), ("ADDRESS", .left), ("FROM", .left), ("UP", .left),
        ("SHARE", .right),
      ])
      for name in report.names {
        for (index, member) in name.members.enumerated() {
          let head = index == 0
          names.add([
            "\(head ? name.name : "")", "\(head ? name.balance : "")", "\(head ? "\(name.ttl)" : "")",
            "\(member.address)", "\(member.source)", member.up ? .init("up", .green) : .init("down", .red),
            "\((member.share * 100).rounded() / 100)",
          ])
        }
      }
      text += "\n" + names.render(colours: colours)
    }
    let counters = report.counters
    text +=
      "\nqueries: \(counters["queriesUDP"] ?? 0) by UDP, \(counters["queriesTCP"] ?? 0) by TCP, \(counters["queriesTLS"] ?? 0) by TLS; "
    text += "answered \(counters["answered"] ?? 0), of them \(counters["nameError"] ?? 0) NXDOMAIN, "
    text += "\(counters["refused"] ?? 0) REFUSED, \(counters["serverFailure"] ?? 0) SERVFAIL; "
    text += "malformed \(counters["malformed"] ?? 0), rate limited \(counters["rateLimited"] ?? 0)\n"
    return text
  }
}
