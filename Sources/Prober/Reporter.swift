package import Health

/// What goes up, and when: news at once, and what only repeats itself a moment later, in bursts.
///
/// PERF: with 1,000 probes a second the report's receiver was woken for each of them: two futex calls and two
/// switches each, a third of what probing costs. A burst is one message: what the receiver does once for each is not
/// done 64 times.
package struct Reporter: ~Copyable {
  /// How long a repeated success may wait, in milliseconds.
  package static let hold: Int64 = 64

  private let report: @Sendable ([ProbeReport]) -> Void
  private var held: [ProbeReport] = []
  package private(set) var due: Int64?

  package init(_ report: @escaping @Sendable ([ProbeReport]) -> Void) { self.report = report }

  /// - Parameter isRoutine: nothing changes by it, whenever it is heard.
  package mutating func add(_ finding: ProbeReport, isRoutine: Bool, at milliseconds: Int64) {
    held.append(finding)
    if isRoutine {
      due = due ?? milliseconds + Reporter.hold
    } else {
      flush()
    }
  }

  package mutating func flush(at milliseconds: Int64) {
    if let due, due <= milliseconds { flush() }
  }

  private mutating func flush() {
    report(held)
    held = []
    due = nil
  }
}
