internal import Admin

/// The dashboard's panels of virtual and floating addresses; none of what is not configured.
extension PanelsReport {
  init(_ vips: VIPsReport, _ floating: FloatingReport) {
    self.init(panels: [Panel(vips), Panel(floating)].filter { !$0.rows.isEmpty })
  }
}

extension PanelsReport.Panel {
  fileprivate init(_ report: VIPsReport) {
    self.init(
      name: "vips", title: "Virtual addresses",
      columns: ["vip", "state", "since", "priority", "addresses", "interface", "heard", "failing"],
      rows: report.vips.map { vip in
        [
          vip.name, vip.state, StatusText.duration(vip.sinceSeconds), "\(vip.priority)",
          (vip.addresses + vip.companions).joined(separator: ", "), vip.interface, vip.lastHeard ?? "",
          vip.failing.joined(separator: "; "),
        ]
      })
  }

  fileprivate init(_ report: FloatingReport) {
    self.init(
      name: "floating-ips", title: "Floating addresses",
      columns: ["address", "mapped to", "pool", "failover", "here"],
      rows: report.addresses.map { entry in
        [entry.address, entry.fixed ?? "nobody", entry.pool, entry.failover ?? "", entry.isHere ? "yes" : "no"]
      })
  }
}
