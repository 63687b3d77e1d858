import Foundation
import Model
import Peering
import TLS
import Testing

/// A talk that another implementation made from the documentation.
@Suite struct VectorTests {
  let lines: [String: [UInt8]]

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Vectors/peering/talk.txt")
    let words = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("#") }
      .map { $0.split(separator: " ") }
    lines = Dictionary(
      words.map { (String($0[0]), VectorTests.bytes($0[1])) }, uniquingKeysWith: { first, _ in first })
  }

  static func bytes(_ text: Substring) -> [UInt8] {
    let digits = Array(text.utf8).map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  static let callerSays: [Message] = [
    .welcome(
      .init(
        name: "a", site: "site-a", version: "1.0", boot: 1, wall: 1_700_000_000_000, position: .init(boot: 0, time: 0))),
    .heartbeat(.init(time: 1_000, echo: 900, held: 50)),
    .reports(
      .init(
        isWhole: true, isLast: true,
        reports: [
          .node(.init(phase: .serving, generation: 7, links: [.init(name: "b", isUp: true)])),
          .pool("web", .init(up: 2, total: 3, inFlight: 10, capacity: 0)),
        ], removed: [])),
    .registers([
      Register(
        key: RegisterKey(.state, pool: "web", backend: "b1"), value: "drain",
        stamp: Stamp(time: 1_700_000_000_000 << 16 | 3, node: "a"))
    ]),
    .entries(
      .init(
        upTo: 12_345,
        entries: [
          PersistenceEntry(pool: "web", hash: 0x0123_4567_89ab_cdef, backend: "b1", remaining: 60_000),
          PersistenceEntry(pool: "web", hash: 2, backend: "b2", remaining: 30_000),
        ])),
  ]
  static let calleeSays: [Message] = [
    .welcome(
      .init(
        name: "b", site: "site-b", version: "1.0", boot: 2, wall: 1_700_000_000_005,
        position: .init(boot: 1, time: 77))),
    .acknowledgement(3),
  ]

  private func channel(_ role: Channel.Role) -> Channel {
    let secret = (role == .caller ? 0..<32 : 32..<64).map { UInt8($0) }
    var fixed = Cryptography.real
    fixed.keyPair = { (secret, KeyAgreement.publicValue(of: secret) ?? []) }
    return Channel(role, keys: [Array("a key that all nodes share".utf8)], fixed)
  }

  private func line(_ name: String) throws -> [UInt8] { try #require(lines[name], "\(name)") }

  @Test func bothSidesSayExactlyTheVectorsBytes() throws {
    var (caller, callee) = (channel(.caller), channel(.callee))
    var (heard, out): ([Message], [UInt8]) = ([], [])
    #expect(try caller.opening == line("caller-hello"))
    try callee.receive(caller.opening.span, into: &heard, out: &out)
    #expect(try out == line("callee-hello"))
    var nothing: [UInt8] = []
    try caller.receive(out.span, into: &heard, out: &nothing)
    for (number, message) in VectorTests.callerSays.enumerated() {
      let record = caller.seal(message) ?? []
      #expect(try record == line("caller-record-\(number)"))
      try callee.receive(record.span, into: &heard, out: &nothing)
    }
    #expect(heard == VectorTests.callerSays)
    for (number, message) in VectorTests.calleeSays.enumerated() {
      let record = callee.seal(message)
      #expect(try record == line("callee-record-\(number)"))
    }
  }
}
