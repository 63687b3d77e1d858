/// Sessions and announcements as metric families.
extension NodeMetrics {
  static func bgp(_ report: BGPStatusReport, _ metrics: inout Exposition) {
    guard report.autonomousSystem != nil else { return }
    let peers = report.peers.map { (labels: [("peer", $0.name)] as Exposition.Labels, peer: $0) }
    func family(
      _ name: String, _ kind: Exposition.Kind, _ help: String, _ value: (BGPStatusReport.Peer) -> UInt64
    ) {
      metrics.begin(name, kind, help)
      for (labels, peer) in peers { metrics.sample(labels, value(peer)) }
    }
    family("sluice_bgp_session_up", .gauge, "1 while the session is Established.") {
      $0.state == "Established" ? 1 : 0
    }
    family("sluice_bgp_sessions_established", .counter, "How often it became Established.") { $0.established }
    family("sluice_bgp_routes_announced", .gauge, "Prefixes that the peer was told.") { UInt64($0.announced) }
    family("sluice_bgp_routes_received", .gauge, "Prefixes that the peer told us.") { UInt64($0.received) }
    family("sluice_bgp_messages_received", .counter, "BGP messages from the peer.") { $0.messagesIn }
    family("sluice_bgp_messages_sent", .counter, "BGP messages to the peer.") { $0.messagesOut }
    family("sluice_bgp_updates_treated_as_withdraw", .counter, "Malformed UPDATEs whose routes were dropped.") {
      $0.treatedAsWithdraw
    }
    family("sluice_bgp_attributes_discarded", .counter, "Malformed attributes that were dropped.") {
      $0.attributesDiscarded
    }
    family("sluice_bgp_notifications_received", .counter, "Sessions and attempts that the peer ended.") {
      $0.notificationsIn
    }
    metrics.begin("sluice_bgp_notifications_sent", .counter, "Sessions and attempts that we ended, by code/subcode.")
    for (labels, peer) in peers {
      for (code, count) in peer.errors.sorted(by: { $0.key < $1.key }) {
        metrics.sample(labels + [("code", code)], count)
      }
    }
    metrics.begin("sluice_bgp_bfd_up", .gauge, "1 while BFD has the path up; of peers with BFD.")
    for (labels, peer) in peers { if let bfd = peer.bfd { metrics.sample(labels, UInt64(bfd == "up" ? 1 : 0)) } }
    metrics.begin("sluice_bgp_announcement_level", .gauge, "2 announced, 1 degraded, 0 withdrawn.")
    for item in report.announcements {
      let level: UInt64 = item.level == "announced" ? 2 : item.level == "degraded" ? 1 : 0
      metrics.sample([("announcement", item.name)], level)
    }
  }
}
