package import Health
import Model
package import Routing

/// Looks for a pattern in what a TCP server says, up to 64 KiB of it.
///
/// Nothing marks the end of such a reply: the pattern is tried whenever more has come.
package struct ReplySearch: Sendable {
  private let pattern: Regex
  private var content: [UInt8] = []

  package init(_ pattern: Regex) { self.pattern = pattern }

  package mutating func take(_ bytes: Span<UInt8>, _ tools: inout CheckTools) -> ProbeOutcome? {
    content.append(bytes, 0..<min(bytes.count, CheckTools.window - content.count))
    guard let mismatch = tools.mismatch(pattern, content.span, "reply") else { return .success }
    return content.count == CheckTools.window ? mismatch : nil
  }

  package mutating func end(_ tools: inout CheckTools) -> ProbeOutcome {
    content.isEmpty ? .failure("connection closed without a reply") : .failure("reply does not match")
  }
}
