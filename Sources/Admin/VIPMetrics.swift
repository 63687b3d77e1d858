/// Virtual addresses, floating addresses and the store as metric families; nothing of what is not configured.
extension NodeMetrics {
  static func vips(_ report: VIPsReport, _ metrics: inout Exposition) {
    guard !report.vips.isEmpty else { return }
    let vips = report.vips.map { (labels: [("vip", $0.name)] as Exposition.Labels, vip: $0) }
    func family(_ name: String, _ kind: Exposition.Kind, _ help: String, _ value: (VIPStatusReport) -> UInt64?) {
      metrics.begin(name, kind, help)
      for (labels, vip) in vips { if let value = value(vip) { metrics.sample(labels, value) } }
    }
    family("sluice_vip_active", .gauge, "1 while this node has the VIP.") { $0.state == "active" ? 1 : 0 }
    family("sluice_vip_fault", .gauge, "1 while a fault keeps this node from having it.") {
      $0.state == "fault" ? 1 : 0
    }
    family("sluice_vip_priority", .gauge, "What adverts say now, with weights.") { UInt64(max($0.priority, 0)) }
    family("sluice_vip_addresses", .gauge, "Addresses of the VIP that are on the interface now.") {
      UInt64($0.held.count)
    }
    family("sluice_vip_transitions", .counter, "How often the state changed.") { UInt64($0.transitions) }
    family("sluice_vip_adverts_sent", .counter, "Adverts sent.") { $0.sent }
    family("sluice_vip_adverts_unsent", .counter, "Adverts that could not be sent.") { $0.unsent }
    family("sluice_vip_adverts_received", .counter, "Adverts taken in.") { $0.accepted }
    family("sluice_vip_announcements", .counter, "Gratuitous ARPs and unsolicited Neighbour Advertisements.") {
      $0.announcements
    }
    metrics.begin("sluice_vip_adverts_dropped", .counter, "Adverts that were dropped, by reason.")
    for (labels, vip) in vips {
      for (reason, count) in vip.dropped.sorted(by: { $0.key < $1.key }) {
        metrics.sample(labels + [("reason", reason)], count)
      }
    }
    metrics.begin("sluice_vip_strangers_dropped", .counter, "Adverts of routers that nobody here runs, by reason.")
    for (reason, count) in report.strangers.sorted(by: { $0.key < $1.key }) {
      metrics.sample([("reason", reason)], count)
    }
    metrics.begin(
      "sluice_vip_budget_seconds", .gauge, "How long the address is away in the worst case when this node takes over.")
    for (labels, vip) in vips {
      if let crash = vip.crash { metrics.sample(labels + [("event", "crash")], crash.milliseconds / 1_000) }
      if let stop = vip.cleanStop { metrics.sample(labels + [("event", "clean-stop")], stop.milliseconds / 1_000) }
    }
  }

  static func floating(_ report: FloatingReport, _ metrics: inout Exposition) {
    guard !report.pools.isEmpty else { return }
    metrics.begin("sluice_floating_ip_allocated", .gauge, "Allocated addresses of the pool.")
    for pool in report.pools { metrics.sample([("pool", pool.name)], UInt64(pool.allocated)) }
    metrics.begin("sluice_floating_ip_mapped", .gauge, "Addresses of the pool that are mapped to a server.")
    for pool in report.pools {
      let mapped = report.addresses.count { $0.pool == pool.name && $0.fixed != nil }
      metrics.sample([("pool", pool.name)], UInt64(mapped))
    }
    metrics.begin("sluice_floating_ip_changes", .counter, "Orders and moves by health that were carried out.")
    metrics.sample([], report.moves)
    metrics.begin("sluice_floating_ip_repairs", .counter, "What somebody else had undone, and was put back.")
    metrics.sample([], report.repairs)
    metrics.begin("sluice_floating_ip_troubles", .gauge, "What is not as it should be now; events say what.")
    metrics.sample([], UInt64(report.troubles.count))
  }

  static func store(_ status: StatusReport, _ metrics: inout Exposition) {
    guard let store = status.store else { return }
    metrics.begin("sluice_store_lost", .gauge, "1 while what shall outlive a restart cannot be kept.")
    metrics.sample([], UInt64(store.loss == nil ? 0 : 1))
  }
}
