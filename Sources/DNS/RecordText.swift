import Model

/// What is wrong with a record's data in text, and at which of its tokens.
package struct RecordTextError: Error, Hashable, Sendable {
  /// An index of the tokens; their `endIndex` when something is missing at the end.
  package let token: Int
  package let text: String

  init(_ token: Int, _ text: String) {
    self.token = token
    self.text = text
  }
}

/// Parses a record's data from the words of a zone file.
enum RecordText {
  static func parse(
    _ type: RecordType, _ tokens: ArraySlice<ZoneToken>, origin: Name?
  ) throws(RecordTextError) -> [UInt8] {
    // RFC 3597 §5: any type may be written as opaque bytes, which must then fit the type.
    if let first = tokens.first, first.bytes.count == 2, first.bytes.elementsEqual("\\#".utf8), !first.isQuoted {
      let data = try opaque(tokens)
      guard RecordSchema.fields(of: type) == nil || !RecordPrinter.data(data, type: type).hasPrefix("\\#") else {
        throw RecordTextError(tokens.startIndex, "these bytes are no \(type) record")
      }
      return data
    }
    guard let fields = RecordSchema.fields(of: type) else {
      throw RecordTextError(tokens.startIndex, "\(type) data must be written as \\# LENGTH HEX")
    }
    var data: [UInt8] = []
    var index = tokens.startIndex
    for field in fields { try append(field, tokens, &index, origin, to: &data) }
    guard index == tokens.endIndex else { throw RecordTextError(index, "unexpected text after the \(type) data") }
    guard data.count <= 65_535 else { throw RecordTextError(tokens.startIndex, "the data has more than 65535 bytes") }
    return data
  }

  private static func opaque(_ tokens: ArraySlice<ZoneToken>) throws(RecordTextError) -> [UInt8] {
    let second = tokens.startIndex + 1
    guard tokens.count > 1, let length = decimal(tokens[second].bytes, maximum: 65_535) else {
      throw RecordTextError(second, "expected the number of bytes")
    }
    guard let data = bytes(hexadecimal: tokens[(second + 1)...].lazy.flatMap(\.bytes)) else {
      throw RecordTextError(second + 1, "expected pairs of hexadecimal digits")
    }
    guard data.count == Int(length) else {
      throw RecordTextError(second, "\(length) bytes announced, \(data.count) written")
    }
    return data
  }

  private static func append(
    _ field: RecordField, _ tokens: ArraySlice<ZoneToken>, _ index: inout Int, _ origin: Name?, to data: inout [UInt8]
  ) throws(RecordTextError) {
    func next(_ what: String) throws(RecordTextError) -> ZoneToken {
      guard index < tokens.endIndex else { throw RecordTextError(index, "expected \(what)") }
      defer { index += 1 }
      return tokens[index]
    }
    func big(_ value: UInt64, _ bytes: Int) {
      for shift in stride(from: (bytes - 1) * 8, through: 0, by: -8) {
        data.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
      }
    }
    func number(
      _ bytes: Int, _ parse: (ArraySlice<UInt8>, UInt32) -> UInt32?, _ what: String
    ) throws(RecordTextError) {
      let maximum = bytes == 4 ? UInt32.max : (1 << UInt32(bytes * 8)) - 1
      let token = try next(what)
      guard let value = parse(token.bytes, maximum) else { throw RecordTextError(index - 1, "expected \(what)") }
      big(UInt64(value), bytes)
    }
    func string(_ what: String) throws(RecordTextError) -> [UInt8] {
      let token = try next(what)
      guard let value = ServiceParameters.unescape(token.bytes) else {
        throw RecordTextError(index - 1, NameTextError.badEscape.text)
      }
      return value
    }
    func short(_ what: String) throws(RecordTextError) {
      let value = try string(what)
      guard value.count <= 255 else { throw RecordTextError(index - 1, "a string holds at most 255 bytes") }
      data.append(UInt8(value.count))
      data += value
    }

    switch field {
    case .u8: try number(1, decimal, "a number up to 255")
    case .u16: try number(2, decimal, "a number up to 65535")
    case .u32: try number(4, decimal, "a number up to 4294967295")
    case .seconds: try number(4, seconds, "a time like 3600 or 1h30m")
    case .ipv4, .ipv6:
      let family: IPAddress.Family = if case .ipv4 = field { .v4 } else { .v6 }
      let what = family == .v4 ? "an IPv4 address" : "an IPv6 address"
      let token = try next(what)
      guard let address = IPAddress(token.bytes), address.family == family else {
        throw RecordTextError(index - 1, "expected \(what)")
      }
      if family == .v6 { big(address.high, 8) }
      big(address.low, family == .v6 ? 8 : 4)
    case .name:
      let token = try next("a name")
      do {
        data += try Name(text: token.bytes, origin: origin).wire
      } catch {
        throw RecordTextError(index - 1, error.text)
      }
    case .string: try short("a string")
    case .strings:
      try short("a string")
      while index < tokens.endIndex { try short("a string") }
    case .tag:
      try short("a property tag")
      guard let tag = Optional(tokens[index - 1].bytes), !tag.isEmpty, tag.allSatisfy(isAlphanumeric) else {
        throw RecordTextError(index - 1, "a property tag has letters and digits only")
      }
    case .text: data += try string("a value")
    case .hex:
      _ = try next("hexadecimal digits")
      let start = index - 1
      guard let value = bytes(hexadecimal: tokens[start...].lazy.flatMap(\.bytes)), !value.isEmpty else {
        throw RecordTextError(start, "expected pairs of hexadecimal digits")
      }
      index = tokens.endIndex
      data += value
    case .base64:
      _ = try next("base 64")
      let start = index - 1
      guard let value = Base64.decode(tokens[start...].flatMap(\.bytes)), !value.isEmpty else {
        throw RecordTextError(start, "expected base 64")
      }
      index = tokens.endIndex
      data += value
    case .services:
      data += try ServiceParameters.parse(tokens[index...])
      index = tokens.endIndex
    }
  }

  /// A decimal number without sign.
  static func decimal(_ text: ArraySlice<UInt8>, maximum: UInt32) -> UInt32? {
    guard (1...10).contains(text.count) else { return nil }
    var value: UInt64 = 0
    for byte in text {
      guard byte &- 48 < 10 else { return nil }
      value = value * 10 + UInt64(byte - 48)
    }
    return value <= UInt64(maximum) ? UInt32(value) : nil
  }

  /// Seconds, or a sum of numbers with units (w, d, h, m, s), as BIND and everybody after it read them.
  static func seconds(_ text: ArraySlice<UInt8>, maximum: UInt32) -> UInt32? {
    if let plain = decimal(text, maximum: maximum) { return plain }
    var total: UInt64 = 0
    var digits = text.startIndex
    for (index, byte) in zip(text.indices, text) where byte &- 48 >= 10 {
      let unit: UInt64
      switch lowercased(byte) {
      case UInt8(ascii: "w"): unit = 604_800
      case UInt8(ascii: "d"): unit = 86_400
      case UInt8(ascii: "h"): unit = 3600
      case UInt8(ascii: "m"): unit = 60
      case UInt8(ascii: "s"): unit = 1
      default: return nil
      }
      guard let value = decimal(text[digits..<index], maximum: .max) else { return nil }
      digits = index + 1
      total += UInt64(value) * unit
      guard total <= UInt64(maximum) else { return nil }
    }
    return digits == text.endIndex && !text.isEmpty ? UInt32(total) : nil
  }
}
