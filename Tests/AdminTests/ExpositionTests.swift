import Admin
import Testing

@Suite struct ExpositionTests {
  private func latencies() -> LatencyReport {
    var report = LatencyReport()
    report.count = 3
    report.sum = 0.25
    report.below = LatencyReport.bounds.map { $0 < 1_000 ? 1 : 2 }
    return report
  }

  @Test func countersAreNamedAsEachFormatWantsIt() {
    for (format, family) in [(Exposition.Format.prometheus, "x_requests_total"), (.openMetrics, "x_requests")] {
      var metrics = Exposition(format)
      metrics.begin("x_requests", .counter, "Requests.")
      metrics.sample([("pool", "a")], UInt64(7))
      #expect(metrics.text.contains("# TYPE \(family) counter\n"))
      #expect(metrics.text.contains("x_requests_total{pool=\"a\"} 7\n"))
    }
  }

  @Test func labelsAreEscaped() {
    var metrics = Exposition(.prometheus)
    metrics.begin("x", .gauge, "A \\ and\na line.")
    metrics.sample([("reason", "say \"no\"\\\n")], 1.5)
    #expect(metrics.text == "# HELP x A \\\\ and\\na line.\n# TYPE x gauge\nx{reason=\"say \\\"no\\\"\\\\\\n\"} 1.5\n")
  }

  @Test func histogramsAreCumulativeAndEndAtInfinity() {
    var metrics = Exposition(.openMetrics)
    metrics.begin("x_seconds", .histogram, "Time.")
    metrics.histogram([], latencies())
    let text = metrics.text
    #expect(text.contains("# UNIT x_seconds seconds\n"))
    #expect(text.contains("x_seconds_bucket{le=\"6.4e-05\"} 1\n"))
    #expect(text.contains("x_seconds_bucket{le=\"+Inf\"} 3\nx_seconds_sum 0.25\nx_seconds_count 3\n"))
    #expect(text.hasSuffix("# EOF\n"))
  }

  @Test func theFormatIsTheScrapersChoice() {
    #expect(Exposition.Format(accept: nil) == .prometheus)
    #expect(Exposition.Format(accept: "text/plain") == .prometheus)
    #expect(Exposition.Format(accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5") == .openMetrics)
  }

  @Test func everyFamilyOfANodeIsWrittenOnceAndHasItsBackends() async {
    let text = NodeMetrics.text(await FakeNode().status(), .prometheus)
    let families = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
    #expect(Set(families).count == families.count)
    #expect(text.contains("sluice_backend_up{pool=\"web\",backend=\"unix:/run/app one.sock\"} 1\n"))
    #expect(text.contains("verdict=\"up\",state=\"ready\",reason=\"200 OK\"} 1\n"))
  }
}
