package import Model

/// What an agent's line says; what it does not mention stays as it was.
///
///     up 75% maxconn:30
///     drain # going to be upgraded
///
/// Words are separated by blanks or commas, in any order and case, and end with the line.
/// Source: HAProxy configuration manual, "agent-check".
package struct AgentReport: Hashable, Sendable {
  package enum Operational: Hashable, Sendable {
    case up
    /// The agent's word: down, fail, failed or stopped.
    case down(String)
  }

  package var operational: Operational?
  package var administrative: AdministrativeState?
  /// Percent of the configured weight, 0...1000.
  package var weight: Int?
  package var maxConnections: Int?
  /// What follows `#`.
  package var comment: String?

  package init() {}

  package init(line: [UInt8]) throws(AgentLineError) {
    guard let text = String(validating: line.prefix { $0 != 10 && $0 != 13 && $0 != 0 }, as: UTF8.self) else {
      throw .notText
    }
    let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let words = (parts.first ?? "").split { $0 == " " || $0 == "\t" || $0 == "," }
    guard !words.isEmpty else { throw .empty }
    for word in words { try read(word.lowercased()) }
    if parts.count == 2 {
      let trimmed = parts[1].drop { $0 == " " || $0 == "\t" }
      comment = trimmed.isEmpty ? nil : String(trimmed.prefix(200))
    }
  }

  private mutating func read(_ word: String) throws(AgentLineError) {
    switch word {
    case "up": operational = .up
    case "down", "fail", "failed", "stopped": operational = .down(word)
    case "ready": administrative = .ready
    case "drain": administrative = .drain
    case "maint": administrative = .maintenance
    default:
      if word.hasSuffix("%"), let percent = AgentReport.number(word.dropLast()), percent <= 1000 {
        weight = percent
      } else if word.hasPrefix("maxconn:"), let limit = AgentReport.number(word.dropFirst(8)) {
        maxConnections = limit
      } else {
        throw .unknownWord(String(word.prefix(40)))
      }
    }
  }

  private static func number(_ digits: Substring) -> Int? {
    guard (1...9).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(digits)
  }
}

/// Why an agent's line was ignored.
package enum AgentLineError: Error, Hashable, CustomStringConvertible {
  case empty
  case notText
  case unknownWord(String)

  package var description: String {
    switch self {
    case .empty: "the agent's line is empty"
    case .notText: "the agent's line is not text"
    case .unknownWord(let word):
      "the agent's word \"\(word)\" is none of up, down, fail, stopped, ready, drain, maint, N%, maxconn:N"
    }
  }
}

/// What an agent's lines amount to so far.
package struct AgentStanding: Hashable, Codable, Sendable {
  /// nil until a line sets or clears it.
  package var administrative: AdministrativeState?
  /// Percent of the configured weight.
  package var weight = 100
  package var maxConnections: Int?
  /// Why the agent says down; nil: it does not.
  package var down: String?

  package init() {}

  mutating func apply(_ report: AgentReport) {
    switch report.operational {
    case .up: down = nil
    case .down(let word): down = "agent: \(word)" + (report.comment.map { " (\($0))" } ?? "")
    case nil: break
    }
    administrative = report.administrative ?? administrative
    weight = report.weight ?? weight
    maxConnections = report.maxConnections ?? maxConnections
  }
}
