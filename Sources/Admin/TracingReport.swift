/// How the export of spans goes; numbers are of sampled requests since the start.
package struct TracingReport: Codable, Hashable, Sendable {
  /// Absent: samples are only kept for `sluice explain`.
  package var collector: String?
  package var exported: UInt64
  /// Not taken by the collector.
  package var lost: UInt64
  /// Found no room in the queue.
  package var dropped: UInt64
  /// Why the last batch was lost; absent: it was taken.
  package var trouble: String?

  package init(collector: String?, exported: UInt64, lost: UInt64, dropped: UInt64, trouble: String?) {
    self.collector = collector
    self.exported = exported
    self.lost = lost
    self.dropped = dropped
    self.trouble = trouble
  }
}

extension NodeMetrics {
  static func tracing(_ report: TracingReport, _ metrics: inout Exposition) {
    for (name, help, value) in [
      ("sluice_traced_requests_exported", "Sampled requests whose spans the collector took.", report.exported),
      ("sluice_traced_requests_lost", "Sampled requests whose spans it did not take.", report.lost),
      ("sluice_traced_requests_dropped", "Sampled requests that found no room in the queue.", report.dropped),
    ] {
      metrics.begin(name, .counter, help)
      metrics.sample([], value)
    }
  }
}
