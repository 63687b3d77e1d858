import Model

/// What one active probe found, in words for people.
package enum ProbeOutcome: Hashable, Sendable {
  case success
  case failure(String)

  /// By an HTTP status: "HTTP 503, expected 200-399".
  package static func status(_ status: Int, expected: [ClosedRange<Int>]) -> ProbeOutcome {
    if expected.contains(where: { $0.contains(status) }) { return .success }
    let ranges = expected.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    return .failure("HTTP \(status), expected \(ranges.joined(separator: ", "))")
  }

  /// "timeout after 1s in connect"; `step` is what the check was waiting for.
  package static func timeout(_ limit: Duration, in step: String? = nil) -> ProbeOutcome {
    let count = limit.milliseconds
    let length = count % 1000 == 0 ? "\(count / 1000)s" : "\(count)ms"
    return .failure("timeout after \(length)" + (step.map { " in \($0)" } ?? ""))
  }
}
