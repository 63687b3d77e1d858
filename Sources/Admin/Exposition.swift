/// Metrics as text: Prometheus' format 0.0.4, or OpenMetrics 1.0.
///
/// Families must be written whole, one after the other; names are without the `_total` of counters.
package struct Exposition {
  package enum Format: Sendable {
    case prometheus, openMetrics

    package var contentType: String {
      switch self {
      case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }

    /// What a scraper asks for; whoever does not say gets Prometheus' own.
    package init(accept: String?) {
      self = accept?.contains("application/openmetrics-text") == true ? .openMetrics : .prometheus
    }
  }

  package enum Kind: String { case counter, gauge, histogram }
  package typealias Labels = [(name: String, value: String)]

  package let format: Format
  private var lines = ""
  private var family = ""
  private var kind = Kind.gauge

  package init(_ format: Format) { self.format = format }

  /// The whole text; OpenMetrics has an end mark, so that a cut answer is seen.
  package var text: String { format == .openMetrics ? lines + "# EOF\n" : lines }

  /// Begins a family: what follows are its samples.
  /// - Parameter name: with its unit as the last word (`_seconds`, `_bytes`), without `_total`.
  package mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
    (family, self.kind) = (name, kind)
    // The older format names a counter's family as its samples.
    let shown = kind == .counter && format == .prometheus ? name + "_total" : name
    lines += "# HELP \(shown) \(Exposition.escaped(help, quotes: format == .openMetrics))\n"
    lines += "# TYPE \(shown) \(kind.rawValue)\n"
    if format == .openMetrics, let unit = ["seconds", "bytes"].first(where: { name.hasSuffix("_" + $0) }) {
      lines += "# UNIT \(shown) \(unit)\n"
    }
  }

  package mutating func sample(_ labels: Labels, _ value: UInt64) { line(suffix, labels, "\(value)") }
  package mutating func sample(_ labels: Labels, _ value: Double) { line(suffix, labels, Exposition.number(value)) }

  /// A histogram's samples; one that is empty has none.
  package mutating func histogram(_ labels: Labels, _ report: LatencyReport) {
    guard report.count > 0 else { return }
    for (bound, below) in zip(LatencyReport.bounds, report.below) {
      line("_bucket", labels + [("le", Exposition.number(Double(bound) / 1e6))], "\(below)")
    }
    line("_bucket", labels + [("le", "+Inf")], "\(report.count)")
    line("_sum", labels, Exposition.number(report.sum))
    line("_count", labels, "\(report.count)")
  }

  private var suffix: String { kind == .counter ? "_total" : "" }

  private mutating func line(_ suffix: String, _ labels: Labels, _ value: String) {
    lines += family + suffix
    if !labels.isEmpty {
      lines += "{"
      for (index, label) in labels.enumerated() {
        if index > 0 { lines += "," }
        lines += "\(label.name)=\"\(Exposition.escaped(label.value, quotes: true))\""
      }
      lines += "}"
    }
    lines += " \(value)\n"
  }

  static func number(_ value: Double) -> String {
    if value == .infinity { return "+Inf" }
    if value.isNaN { return "NaN" }
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
    return "\(value)"
  }

  static func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
