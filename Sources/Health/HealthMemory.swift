package import Model

extension BackendHealth {
  /// What is known of a backend, for the process that comes after this one. Times are of the machine's monotonic clock.
  package struct Memory: Hashable, Codable, Sendable {
    package var verdict: Verdict
    package var isUp: Bool
    package var isProven: Bool
    package var reason: String
    package var ejection: Ejection
    package var agent: AgentStanding
    package var warmsUp: Bool
  }
}
