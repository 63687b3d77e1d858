internal import ArgumentParser
internal import Config
internal import Model

/// A time on the command line: seconds as a number, or a duration as a file writes it (`90`, `0.5`, `500ms`, `2m`).
struct Seconds: ExpressibleByArgument, Hashable, CustomStringConvertible {
  var count: Double

  init(_ count: Double) { self.count = count }

  init?(argument: String) {
    if let duration = Units.duration(argument) {
      count = Double(duration.milliseconds) / 1_000
    } else if let number = Double(argument), number >= 0, number.isFinite {
      count = number
    } else {
      return nil
    }
  }

  var description: String { count == count.rounded() ? "\(Int(count))" : "\(count)" }

  var duration: Duration { .milliseconds(Int64(count * 1_000)) }

  /// - Throws: wrong arguments, when it is not a whole number of seconds within `range`.
  func whole(_ option: String, _ range: ClosedRange<Int>) throws -> Int {
    guard count == count.rounded(), Double(range.lowerBound)...Double(range.upperBound) ~= count else {
      throw ValidationError("\(option) must be whole seconds from \(range.lowerBound)s to \(range.upperBound)s.")
    }
    return Int(count)
  }
}
