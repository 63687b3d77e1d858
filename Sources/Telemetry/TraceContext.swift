/// A request's place in a trace, as `traceparent` carries it.
///
/// ```
///  00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
///  version  trace-id (16 bytes)           parent-id (8)    flags
/// ```
/// Source: W3C Recommendation "Trace Context", §3.2.
package struct TraceContext: Hashable, Sendable, BitwiseCopyable {
  package var high: UInt64
  package var low: UInt64
  /// The span that the request was sent in.
  package var parent: UInt64
  package var isSampled: Bool

  package init(high: UInt64, low: UInt64, parent: UInt64, isSampled: Bool) {
    self.high = high
    self.low = low
    self.parent = parent
    self.isSampled = isSampled
  }

  /// nil: not as the recommendation has it, which begins a new trace (§3.2.2.5 and §4.3).
  package init?(_ text: Span<UInt8>) {
    guard text.count >= 55, text[2] == TraceContext.dash, text[35] == TraceContext.dash,
      text[52] == TraceContext.dash, let version = TraceContext.number(text, 0..<2), version != 0xff,
      let high = TraceContext.number(text, 3..<19), let low = TraceContext.number(text, 19..<35),
      let parent = TraceContext.number(text, 36..<52), let flags = TraceContext.number(text, 53..<55)
    else { return nil }
    // Version 00 ends here; a later one may go on behind a dash.
    guard text.count == 55 || version != 0 && text[55] == TraceContext.dash else { return nil }
    guard high | low != 0, parent != 0 else { return nil }
    self.init(high: high, low: low, parent: parent, isSampled: flags & 1 == 1)
  }

  private static let dash = UInt8(ascii: "-")

  /// Lower-case hexadecimal digits only.
  private static func number(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
    var result: UInt64 = 0
    for index in range {
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): result = result << 4 | UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): result = result << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return result
  }

  package var traceID: String { TraceContext.hexadecimal(high) + TraceContext.hexadecimal(low) }

  package static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
