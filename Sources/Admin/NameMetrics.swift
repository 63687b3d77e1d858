/// The name server as metric families. Labels are zones, balanced names and sites of the configuration, and their addresses.
extension NodeMetrics {
  static func names(_ report: NameServiceReport, _ metrics: inout Exposition) {
    counters(report.counters, &metrics)
    if let tls = report.tls { handshakes(tls, &metrics) }
    metrics.begin("sluice_dns_zone_serial", .gauge, "The SOA's serial.")
    for zone in report.zones { metrics.sample([("zone", zone.name)], UInt64(zone.serial)) }
    metrics.begin("sluice_dns_name_ttl_seconds", .gauge, "The TTL of a balanced name's answers now.")
    for name in report.names { metrics.sample([("name", name.name)], UInt64(name.ttl)) }
    let members = report.names.flatMap { name in
      name.members.map { (labels: [("name", name.name), ("address", $0.address)] as Exposition.Labels, member: $0) }
    }
    metrics.begin("sluice_dns_member_up", .gauge, "1 while the address may be answered with.")
    for (labels, member) in members { metrics.sample(labels, UInt64(member.up ? 1 : 0)) }
    metrics.begin("sluice_dns_member_share", .gauge, "The part of its weight that counts: load and warm-up take off.")
    for (labels, member) in members { metrics.sample(labels, member.share) }
    sites(report.sites, &metrics)
  }

  private static func counters(_ counts: [String: UInt64], _ metrics: inout Exposition) {
    func family(_ name: String, _ help: String, _ samples: [(Exposition.Labels, String)]) {
      metrics.begin(name, .counter, help)
      for (labels, key) in samples { metrics.sample(labels, counts[key] ?? 0) }
    }
    family(
      "sluice_dns_queries", "Queries, by transport.",
      [
        ([("transport", "udp")], "queriesUDP"), ([("transport", "tcp")], "queriesTCP"),
        ([("transport", "tls")], "queriesTLS"),
      ])
    family(
      "sluice_dns_answers", "Answers, by response code.",
      [
        ([("code", "NOERROR")], "noError"), ([("code", "NXDOMAIN")], "nameError"), ([("code", "REFUSED")], "refused"),
        ([("code", "SERVFAIL")], "serverFailure"), ([("code", "FORMERR")], "formatError"),
        ([("code", "NOTIMP")], "notImplemented"), ([("code", "other")], "otherCode"),
      ])
    family("sluice_dns_truncated", "Answers with TC, so that clients come back over TCP.", [([], "truncated")])
    family("sluice_dns_rate_limited", "Answers that rate limiting kept back or cut.", [([], "rateLimited")])
    family("sluice_dns_malformed", "Queries that could not be read.", [([], "malformed")])
    family("sluice_dns_dropped", "Messages that are no queries.", [([], "dropped")])
    family("sluice_dns_connections", "TCP clients.", [([], "connections")])
    family("sluice_dns_connections_evicted", "TCP clients that were closed to make room.", [([], "evicted")])
    family("sluice_dns_transfers", "Zones sent to secondaries.", [([], "transfers")])
    family("sluice_dns_signatures", "DNSSEC signatures made; most answers use kept ones.", [([], "signatures")])
  }

  private static func handshakes(_ report: TLSReport, _ metrics: inout Exposition) {
    metrics.begin("sluice_dns_tls_handshakes", .counter, "TLS handshakes with DNS clients that were completed.")
    metrics.sample([], report.handshakes)
    metrics.begin("sluice_dns_tls_resumptions", .counter, "Of those, the ones that resumed a session.")
    metrics.sample([], report.resumed)
    metrics.begin("sluice_dns_tls_failures", .counter, "Handshakes with DNS clients that came to nothing, by reason.")
    for (reason, count) in report.failed.sorted(by: { $0.key < $1.key }) { metrics.sample([("reason", reason)], count) }
    metrics.begin(
      "sluice_dns_certificate_expiry_seconds", .gauge, "When the name server's certificate expires, since 1970.")
    for certificate in report.certificates {
      metrics.sample([("file", certificate.file)], Double(certificate.expiresAt))
    }
  }

  private static func sites(_ sites: [NameServiceReport.Site], _ metrics: inout Exposition) {
    func family(_ name: String, _ help: String, _ value: (NameServiceReport.Site) -> Double?) {
      metrics.begin(name, .gauge, help)
      for site in sites { if let value = value(site) { metrics.sample([("site", site.name)], value) } }
    }
    family("sluice_dns_site_answered", "1 while the site's addresses may be answered with.") { $0.answered ? 1 : 0 }
    family("sluice_dns_site_drained", "1 while an operator keeps it out.") { $0.state == "drained" ? 1 : 0 }
    family("sluice_dns_site_stale", "1 while nobody is heard that sees it.") { $0.state == "stale" ? 1 : 0 }
    family("sluice_dns_site_observers", "Other nodes whose word on it is fresh.") {
      Double($0.observers.count(where: \.counts))
    }
    family("sluice_dns_site_observers_down", "Those of them that say down.") {
      Double($0.observers.count { $0.counts && !$0.up })
    }
    family("sluice_dns_site_load", "What its nodes have under way, in proportion to capacity.", \.load)
  }
}
