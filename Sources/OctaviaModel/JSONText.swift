// JSON as text: written as Python's json.dumps does, which is what clients of this API have always read.

extension JSON {
  /// `{"a": 1, "b": [true, null]}`, ASCII only.
  package var text: String {
    var out: [UInt8] = []
    write(into: &out)
    return String(decoding: out, as: UTF8.self)
  }

  package func write(into out: inout [UInt8]) {
    switch self {
    case .null: out += "null".utf8
    case .bool(let flag): out += (flag ? "true" : "false").utf8
    case .int(let number): out += String(number).utf8
    case .double(let number): out += (number.isFinite ? String(number) : "null").utf8
    case .string(let text): Self.write(text, into: &out)
    case .array(let list):
      out.append(UInt8(ascii: "["))
      for (index, element) in list.enumerated() {
        if index > 0 { out += ", ".utf8 }
        element.write(into: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let object):
      out.append(UInt8(ascii: "{"))
      for (index, member) in object.members.enumerated() {
        if index > 0 { out += ", ".utf8 }
        Self.write(member.key, into: &out)
        out += ": ".utf8
        member.value.write(into: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ text: String, into out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for unit in text.utf16 {
      switch unit {
      case 0x22: out += #"\""#.utf8
      case 0x5c: out += #"\\"#.utf8
      case 0x0a: out += #"\n"#.utf8
      case 0x0d: out += #"\r"#.utf8
      case 0x09: out += #"\t"#.utf8
      case 0x08: out += #"\b"#.utf8
      case 0x0c: out += #"\f"#.utf8
      case 0x20..<0x7f: out.append(UInt8(unit))
      default:
        out += #"\u"#.utf8
        let digits = String(unit, radix: 16)
        out += String(repeating: "0", count: 4 - digits.count).utf8
        out += digits.utf8
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}

/// Why bytes are not JSON.
package struct JSONError: Error, Hashable, Sendable {
  package var offset: Int
}

extension JSON {
  /// Nothing that a client or an amphora sends is nested deeper.
  package static let depthLimit = 64

  /// - Throws: `JSONError` at the first byte that is wrong.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.document()
  }

  package init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }
}

private struct JSONParser {
  let bytes: [UInt8]
  var position = 0

  mutating func document() throws(JSONError) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw JSONError(offset: position) }
    return value
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
  }

  private mutating func next() throws(JSONError) -> UInt8 {
    guard position < bytes.count else { throw JSONError(offset: position) }
    position += 1
    return bytes[position - 1]
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func expect(_ word: StaticString, _ value: JSON) throws(JSONError) -> JSON {
    for byte in word.description.utf8 where try next() != byte { throw JSONError(offset: position - 1) }
    return value
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    guard depth < JSON.depthLimit else { throw JSONError(offset: position) }
    skipSpace()
    switch peek {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try expect("true", true)
    case UInt8(ascii: "f"): return try expect("false", false)
    case UInt8(ascii: "n"): return try expect("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSON {
    position += 1
    var members: [(String, JSON)] = []
    skipSpace()
    if peek == UInt8(ascii: "}") {
      position += 1
      return .object(JSONObject())
    }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw JSONError(offset: position) }
      let key = try string()
      skipSpace()
      guard try next() == UInt8(ascii: ":") else { throw JSONError(offset: position - 1) }
      members.append((key, try value(depth: depth + 1)))
      skipSpace()
      switch try next() {
      case UInt8(ascii: ","): continue
      case UInt8(ascii: "}"): return .object(JSONObject(members))
      default: throw JSONError(offset: position - 1)
      }
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSON {
    position += 1
    var list: [JSON] = []
    skipSpace()
    if peek == UInt8(ascii: "]") {
      position += 1
      return .array(list)
    }
    while true {
      list.append(try value(depth: depth + 1))
      skipSpace()
      switch try next() {
      case UInt8(ascii: ","): continue
      case UInt8(ascii: "]"): return .array(list)
      default: throw JSONError(offset: position - 1)
      }
    }
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    while let byte = peek, (0x30...0x39).contains(byte) || [0x2b, 0x2d, 0x2e, 0x45, 0x65].contains(byte) {
      position += 1
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    let digits = text.drop { $0 == "-" }
    // RFC 8259 section 6: no leading zero, no leading plus.
    guard let first = digits.first, first.isNumber, text.last?.isNumber == true, !text.hasPrefix("--"),
      !(digits.count > 1 && first == "0" && digits.dropFirst().first?.isNumber == true)
    else { throw JSONError(offset: start) }
    if let number = Int(text) { return .int(number) }
    guard let number = Double(text), number.isFinite else { throw JSONError(offset: start) }
    return .double(number)
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    var out: [UInt8] = []
    while true {
      let byte = try next()
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: out, as: UTF8.self) else { throw JSONError(offset: position - 1) }
        return text
      case UInt8(ascii: "\\"): try escape(into: &out)
      case 0..<0x20: throw JSONError(offset: position - 1)
      default: out.append(byte)
      }
    }
  }

  private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
    switch try next() {
    case UInt8(ascii: "n"): out.append(0x0a)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "r"): out.append(0x0d)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0c)
    case UInt8(ascii: "u"):
      let high = try unit()
      var scalar = UInt32(high)
      if (0xd800..<0xdc00).contains(high) {
        guard try next() == UInt8(ascii: "\\"), try next() == UInt8(ascii: "u") else {
          throw JSONError(offset: position)
        }
        let low = try unit()
        guard (0xdc00..<0xe000).contains(low) else { throw JSONError(offset: position) }
        scalar = 0x10000 + (UInt32(high) - 0xd800) << 10 + (UInt32(low) - 0xdc00)
      }
      guard let character = Unicode.Scalar(scalar) else { throw JSONError(offset: position) }
      out += String(Character(character)).utf8
    case let byte where [0x22, 0x5c, 0x2f].contains(byte): out.append(byte)
    default: throw JSONError(offset: position - 1)
    }
  }

  private mutating func unit() throws(JSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(try next())).hexDigitValue else {
        throw JSONError(offset: position - 1)
      }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}
