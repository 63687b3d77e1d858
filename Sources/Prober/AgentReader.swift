/// Collects an agent's line: up to LF, the connection's end, or 1 KiB. Source: HAProxy configuration
/// manual, "agent-check".
package struct AgentReader: Sendable {
  package static let limit = 1024

  private var line: [UInt8] = []

  package init() {}

  /// The line, without its LF, once it is complete.
  package mutating func take(_ bytes: Span<UInt8>) -> [UInt8]? {
    for index in bytes.indices {
      if bytes[index] == UInt8(ascii: "\n") { return line }
      line.append(bytes[index])
      if line.count == AgentReader.limit { return line }
    }
    return nil
  }

  /// What was said before the connection ended; nil: nothing.
  package func end() -> [UInt8]? { line.isEmpty ? nil : line }
}
