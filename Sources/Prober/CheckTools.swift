import HTTP
package import Health
import Model
import Routing

/// How one run of a check ended.
package enum CheckResult: Hashable, Sendable {
  case report(ProbeReport.Finding)
  /// It has nothing to say: an agent that is silent.
  case nothing

  static func failure(_ reason: String) -> CheckResult { .report(.probe(.failure(reason))) }
  static var success: CheckResult { .report(.probe(.success)) }
}

/// What the checks of one thread share to work with.
package struct CheckTools: ~Copyable {
  /// As much of an answer is looked at.
  package static let window = 64 * 1024

  var head = ResponseHead()
  var scratch = RegexScratch()
  let limits = HeadLimits(headBytes: CheckTools.window, fields: FieldTable.capacity)

  package init() {}

  /// nil: it matches. `what` is "body" or "reply".
  mutating func mismatch(_ pattern: Regex, _ bytes: Span<UInt8>, _ what: String) -> ProbeOutcome? {
    scratch.exhausted = false
    if pattern.matches(bytes, scratch: &scratch) { return nil }
    return .failure(
      scratch.exhausted ? "\(what): the match was given up after too many steps" : "\(what) does not match")
  }
}

extension [UInt8] {
  mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    reserveCapacity(count + range.count)
    for index in range { append(bytes[index]) }
  }
}
