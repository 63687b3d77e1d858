package import Model
package import Telemetry

/// What can be asked about requests.
package struct ExplainPorts: Sendable {
  package var request: @Sendable (ExplainQuestion) -> Explanation = { _ in Explanation(worker: 0, generation: 0) }
  /// Which part of a route a request does not match; nil: it matches.
  package var mismatch: @Sendable (Route, ExplainQuestion) -> String? = { _, _ in nil }
  /// The sampled requests with a trace's or request's id, explained; nil: all, in short.
  package var samples: @Sendable (String?) -> [SampledRequest] = { _ in [] }
  /// At most so many that wait for export, and how many found no room since the start.
  package var takeSpans: @Sendable (Int) -> (requests: [TracedRequest], dropped: UInt64) = { _ in ([], 0) }

  package init() {}
}
