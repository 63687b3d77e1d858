/// Which requests are looked at closely, and who is told of them.
package struct Tracing: Hashable, Sendable {
  /// The share of requests that are sampled if their sender did not decide it, 0...1.
  package var sample = 0.01
  /// The http:// URL of an OTLP collector's traces; nil: samples are kept for `sluice explain` only.
  package var otlp: String?
  /// `service.name` of the spans.
  package var service = "sluice"
  /// Spans that may wait for the collector; what comes beyond is dropped and counted.
  package var queue = 4_096
  package var every = Duration.seconds(1)

  package init() {}
}
