import DNS
import Foundation
import Testing

/// Answers from one rich zone, compared with what Knot DNS answers from the same file.
@Suite struct VectorTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Vectors/dns")

  static func rich() throws -> Zone {
    let text = try String(contentsOf: folder.appendingPathComponent("rich.zone"), encoding: .utf8)
    return try Zone.parse(text, apex: named("rich.test")).zone
  }

  /// `DNS_VECTORS` names a larger file made by `ask-knot --all`.
  static var file: URL {
    ProcessInfo.processInfo.environment["DNS_VECTORS"].map { URL(fileURLWithPath: $0) }
      ?? folder.appendingPathComponent("rich.txt")
  }

  @Test func answersLikeKnot() throws {
    let vectors = Vector.read(try String(contentsOf: Self.file, encoding: .utf8))
    #expect(vectors.count >= 200)
    let server = Server([try Self.rich()])
    var different: [String] = []
    for vector in vectors {
      let response = server.ask(.query(vector.name, vector.type, id: 7, udpSize: vector.udpSize))
      let text = vector.differences(response)
      if !text.isEmpty, !Self.isExplained(vector, response, text) { different.append("\(vector)\n\(text)") }
    }
    #expect(
      different.isEmpty,
      "\(different.count) of \(vectors.count) differ:\n\(different.prefix(40).joined(separator: "\n"))")
  }

  /// Where this server means to differ.
  static func isExplained(_ vector: Vector, _ response: Message?, _ text: String) -> Bool {
    // RFC 9460 §4.1: the addresses of the target are wanted; Knot leaves them out when the target is the owner itself (".").
    if vector.type == .https || vector.type == .svcb,
      text.split(separator: "\n").allSatisfy({ $0.hasPrefix("  too much in additional") })
    {
      return response?.answers.contains { $0.dataName(at: 2)?.isRoot ?? false } ?? false
    }
    // RFC 2308 §3: the SOA belongs to a negative answer; in 512 bytes Knot leaves it out, here it fits.
    if vector.udpSize == nil, vector.head.hasPrefix("NXDOMAIN"), vector.authorities.isEmpty,
      vector.answers.contains(where: { $0.type == .dname })
    {
      return text.hasPrefix("  too much in authority: rich.test. 900 IN SOA") && text.split(separator: "\n").count == 1
    }
    return false
  }
}
