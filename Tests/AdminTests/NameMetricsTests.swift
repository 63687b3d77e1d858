import Admin
import Testing

@Suite struct NameMetricsTests {
  @Test func namesSitesAndCountersAreFamilies() async {
    var site = NameServiceReport.Site(name: "eu", state: "up", answered: true, reason: "", sinceSeconds: 1)
    site.load = 0.5
    site.observers = [
      .init(node: "b", up: false, ageSeconds: 0, counts: true),
      .init(node: "c", up: false, ageSeconds: 60, counts: false),
    ]
    let name = NameServiceReport.Name(
      name: "api.example.com.", balance: "failover", ttl: 5, longestTTL: 60,
      members: [.init(address: "192.0.2.1", source: "site eu", up: true, share: 0.25)])
    let report = NameServiceReport(
      zones: [.init(name: "example.com.", serial: 7, records: 3, delegationSigners: [])], names: [name], sites: [site],
      counters: ["queriesUDP": 9, "nameError": 2, "rateLimited": 4])
    let text = NodeMetrics.text(await FakeNode().status(), .prometheus, names: report)
    for line in [
      "sluice_dns_queries_total{transport=\"udp\"} 9", "sluice_dns_answers_total{code=\"NXDOMAIN\"} 2",
      "sluice_dns_rate_limited_total 4", "sluice_dns_zone_serial{zone=\"example.com.\"} 7",
      "sluice_dns_name_ttl_seconds{name=\"api.example.com.\"} 5",
      "sluice_dns_member_up{name=\"api.example.com.\",address=\"192.0.2.1\"} 1",
      "sluice_dns_member_share{name=\"api.example.com.\",address=\"192.0.2.1\"} 0.25",
      "sluice_dns_site_answered{site=\"eu\"} 1", "sluice_dns_site_observers{site=\"eu\"} 1",
      "sluice_dns_site_observers_down{site=\"eu\"} 1", "sluice_dns_site_load{site=\"eu\"} 0.5",
    ] { #expect(text.contains(line + "\n"), "\(line)") }
  }
}
