import DNS
import Testing

/// What hostile or broken clients send, and the RFC's answer to it.
@Suite struct MalformedQueryTests {
  enum Expected: Equatable, Sendable {
    case drop
    case code(ResponseCode)
  }

  static let question: [UInt8] = [3, 119, 119, 119, 4, 114, 105, 99, 104, 4, 116, 101, 115, 116, 0, 0, 1, 0, 1]

  static func header(_ flags: UInt16 = 0, _ counts: [UInt8] = [1, 0, 0, 0]) -> [UInt8] {
    [0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 255)] + counts.flatMap { [0, $0] }
  }

  static func options(_ data: [UInt8], version: UInt8 = 0, size: UInt16 = 1232) -> [UInt8] {
    [0, 0, 41, UInt8(size >> 8), UInt8(size & 255), 0, version, 0, 0, UInt8(data.count >> 8), UInt8(data.count & 255)]
      + data
  }

  static let withOptions = header(0, [1, 0, 0, 1]) + question

  static let table: [(String, [UInt8], Expected)] = [
    ("nothing", [], .drop),
    ("less than a header", Array(header().prefix(11)), .drop),
    ("a response", header(0x8000) + question, .drop),
    ("a response that is malformed too", header(0x8000), .drop),
    ("opcode IQUERY", header(1 << 11) + question, .code(.notImplemented)),
    ("opcode STATUS", header(2 << 11) + question, .code(.notImplemented)),
    ("opcode NOTIFY", header(4 << 11) + question, .code(.notImplemented)),
    ("opcode UPDATE", header(5 << 11) + question, .code(.refused)),
    ("opcode 15", header(15 << 11) + question, .code(.notImplemented)),
    ("no question", header(0, [0, 0, 0, 0]), .code(.formatError)),
    ("two questions", header(0, [2, 0, 0, 0]) + question + question, .code(.formatError)),
    ("255 questions announced", header(0, [255, 0, 0, 0]) + question, .code(.formatError)),
    ("a question announced, none there", header(), .code(.formatError)),
    ("a cut label", header() + [3, 119], .code(.formatError)),
    ("a name without end", header() + [1, 97], .code(.formatError)),
    ("no type", header() + [1, 97, 0], .code(.formatError)),
    ("half a class", header() + [1, 97, 0, 0, 1, 0], .code(.formatError)),
    ("a label of 64", header() + [64] + [UInt8](repeating: 97, count: 64) + [0, 0, 1, 0, 1], .code(.formatError)),
    ("a label of kind 0x80", header() + [0x80, 0, 0, 0, 1, 0, 1], .code(.formatError)),
    ("a pointer to itself", header() + [0xc0, 12, 0, 1, 0, 1], .code(.formatError)),
    ("a pointer to the header", header() + [0xc0, 0, 0, 1, 0, 1], .code(.formatError)),
    ("a pointer forwards", header() + [0xc0, 40, 0, 1, 0, 1], .code(.formatError)),
    ("a label, then a loop", header() + [1, 97, 0xc0, 12, 0, 1, 0, 1], .code(.formatError)),
    (
      "a name of 256 bytes",
      header() + [UInt8]((0..<127).flatMap { _ in [1, 97] as [UInt8] }) + [1, 97, 0, 0, 1, 0, 1], .code(.formatError)
    ),
    ("a trailing byte", header() + question + [0], .code(.formatError)),
    (
      "an answer in a query", header(0, [1, 1, 0, 0]) + question + [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
      .code(.formatError)
    ),
    (
      "an authority in a query", header(0, [1, 0, 1, 0]) + question + [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0],
      .code(.formatError)
    ),
    ("an additional announced, none there", withOptions, .code(.formatError)),
    ("a cut OPT", withOptions + [0, 0, 41, 4], .code(.formatError)),
    ("OPT data longer than the message", withOptions + [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 9, 1], .code(.formatError)),
    ("two OPT", header(0, [1, 0, 0, 2]) + question + options([]) + options([]), .code(.formatError)),
    ("OPT with an owner", withOptions + [1, 97] + options([]), .code(.formatError)),
    ("more additionals than a query has", header(0, [1, 0, 0, 200]) + question + options([]), .code(.formatError)),
    ("half an option", withOptions + options([0, 3, 0]), .code(.formatError)),
    ("an option longer than OPT", withOptions + options([0, 3, 0, 5, 1]), .code(.formatError)),
    ("a cookie of 7", withOptions + options([0, 10, 0, 7, 1, 2, 3, 4, 5, 6, 7]), .code(.formatError)),
    ("a cookie of 15", withOptions + options([0, 10, 0, 15] + [UInt8](repeating: 1, count: 15)), .code(.formatError)),
    ("a cookie of 41", withOptions + options([0, 10, 0, 41] + [UInt8](repeating: 1, count: 41)), .code(.formatError)),
    ("a subnet of 3 bytes", withOptions + options([0, 8, 0, 3, 0, 1, 24]), .code(.formatError)),
    ("a subnet of family 3", withOptions + options([0, 8, 0, 4, 0, 3, 0, 0]), .code(.formatError)),
    ("a subnet of /33", withOptions + options([0, 8, 0, 9, 0, 1, 33, 0, 1, 2, 3, 4, 5]), .code(.formatError)),
    ("a subnet with a scope", withOptions + options([0, 8, 0, 7, 0, 1, 24, 24, 1, 2, 3]), .code(.formatError)),
    (
      "a subnet with bits beyond its length", withOptions + options([0, 8, 0, 7, 0, 1, 20, 0, 1, 2, 3]),
      .code(.formatError)
    ),
    (
      "a subnet with a byte too many", withOptions + options([0, 8, 0, 8, 0, 1, 24, 0, 1, 2, 3, 0]), .code(.formatError)
    ),
    ("EDNS version 1", withOptions + options([], version: 1), .code(.badVersion)),
    ("EDNS version 255 with junk", withOptions + options([9], version: 255), .code(.badVersion)),
    ("TSIG with an unknown key", withOptions + [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0], .code(.formatError)),
    (
      "TSIG before OPT", header(0, [1, 0, 0, 2]) + question + [0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 0] + options([]),
      .code(.formatError)
    ),
    (
      "an additional record that is neither", withOptions + [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4],
      .code(.noError)
    ),
    ("an additional whose owner loops", withOptions + [0xc0, 31, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], .code(.formatError)),
    ("class HS", header() + question.dropLast() + [4], .code(.refused)),
    ("class ANY", header() + question.dropLast() + [255], .code(.refused)),
    ("type 0", header() + question.dropLast(4) + [0, 0, 0, 1], .code(.formatError)),
    ("type OPT", header() + question.dropLast(4) + [0, 41, 0, 1], .code(.formatError)),
    ("type MAILB", header() + question.dropLast(4) + [0, 253, 0, 1], .code(.notImplemented)),
    ("type TKEY", header() + question.dropLast(4) + [0, 249, 0, 1], .code(.notImplemented)),
    ("AXFR of a name inside", header() + question.dropLast(4) + [0, 252, 0, 1], .code(.notAuthoritative)),
    ("AXFR over UDP", header() + question.dropFirst(4).dropLast(4) + [0, 252, 0, 1], .code(.notImplemented)),
    ("an unknown option", withOptions + options([0xff, 0xff, 0, 2, 1, 2]), .code(.noError)),
    ("a UDP size of 0", withOptions + options([], size: 0), .code(.noError)),
    ("all reserved flags", header(0x07f0) + question, .code(.noError)),
  ]

  @Test(arguments: table.indices) func isAnsweredByTheRFC(_ index: Int) throws {
    let (title, bytes, expected) = Self.table[index]
    let server = Server([try VectorTests.rich()])
    let (outcome, response) = server.ask(bytes)
    if expected == .drop {
      #expect(outcome == .drop(.notAQuery), "\(title)")
      return
    }
    #expect(outcome == .respond, "\(title)")
    let message = try Message(response)
    #expect(.code(message.code) == expected, "\(title): \(message.code.description)")
    #expect(message.isResponse && message.id == 0x1234, "\(title)")
    // An error never amplifies: what cannot be read is answered by twelve bytes.
    if message.code == .formatError { #expect(response.count <= max(bytes.count, 12) + 11, "\(title)") }
  }

  @Test func aDecoderMeetsHostileNames() {
    let pointers: [UInt8] = (0..<60).flatMap { [0xc0, UInt8(12 + max(0, $0 - 1) * 2)] as [UInt8] }
    let hostile: [([UInt8], Message.Failure)] = [
      (Self.header() + [0xc0, 12, 0, 1, 0, 1], .badPointer),
      (Self.header() + [0xc0, 14, 0, 1, 0, 1], .badPointer),
      (Self.header() + [1, 97, 0xc0, 12, 0, 1, 0, 1], .badPointer),
      (Self.header() + pointers, .badPointer),
      (Self.header() + [0x40, 0, 0, 1, 0, 1], .badName),
      (Self.header() + [63], .truncated),
      (Self.header(0, [0, 255, 255, 255]), .truncated),
      (Self.header() + Self.question + [1], .trailingBytes),
    ]
    for (bytes, failure) in hostile { #expect(throws: failure) { try Message(bytes) } }
  }

  @Test func aChainOfPointersEndsAt255Bytes() {
    // Each record's owner is a label and a pointer to the owner before: 1,000 of them would be 2,000 bytes.
    var bytes = Self.header(0, [0, 0, 0, 0])
    bytes[6] = 3
    bytes[7] = 232
    bytes += [1, 97, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    var last = 12
    for _ in 1..<1000 {
      let here = bytes.count
      bytes += [1, 97, 0xc0 | UInt8(last >> 8), UInt8(last & 255), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
      last = here
    }
    #expect(throws: Message.Failure.badName) { try Message(bytes) }
  }
}
