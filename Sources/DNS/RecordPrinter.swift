import Model

/// Prints a record's data in presentation format; what does not fit its type's schema is printed as RFC 3597's `\# n hex`.
package enum RecordPrinter {
  package static func data(_ data: [UInt8], type: RecordType) -> String {
    guard let fields = RecordSchema.fields(of: type), let parts = parts(data, fields) else { return opaque(data) }
    return parts.joined(separator: " ")
  }

  static func opaque(_ data: [UInt8]) -> String {
    data.isEmpty ? "\\# 0" : "\\# \(data.count) \(hexadecimal(data[...]))"
  }

  private static func parts(_ data: [UInt8], _ fields: [RecordField]) -> [String]? {
    var parts: [String] = []
    var position = 0
    func number(_ bytes: Int) -> UInt32? {
      guard data.count - position >= bytes else { return nil }
      defer { position += bytes }
      return data[position..<(position + bytes)].reduce(0) { $0 << 8 | UInt32($1) }
    }
    func string() -> ArraySlice<UInt8>? {
      guard position < data.count, data.count - position > Int(data[position]) else { return nil }
      let start = position + 1
      position = start + Int(data[start - 1])
      return data[start..<position]
    }
    func rest() -> ArraySlice<UInt8> {
      defer { position = data.count }
      return data[position...]
    }
    for field in fields {
      switch field {
      case .u8:
        guard let value = number(1) else { return nil }
        parts.append(String(value))
      case .u16:
        guard let value = number(2) else { return nil }
        parts.append(String(value))
      case .u32, .seconds:
        guard let value = number(4) else { return nil }
        parts.append(String(value))
      case .ipv4, .ipv6:
        let width = if case .ipv4 = field { 4 } else { 16 }
        guard data.count - position >= width,
          let address = IPAddress(bytes: Array(data[position..<(position + width)]))
        else { return nil }
        position += width
        parts.append(address.description)
      case .name:
        guard let length = Name.length(in: data.span, at: position) else { return nil }
        parts.append(Name(unchecked: Array(data[position..<(position + length)])).description)
        position += length
      case .string:
        guard let value = string() else { return nil }
        parts.append(quoted(value))
      case .strings:
        guard position < data.count else { return nil }
        while position < data.count {
          guard let value = string() else { return nil }
          parts.append(quoted(value))
        }
      case .tag:
        guard let value = string(), !value.isEmpty, value.allSatisfy(isAlphanumeric) else { return nil }
        parts.append(String(decoding: value, as: UTF8.self))
      case .text: parts.append(quoted(rest()))
      case .hex:
        guard position < data.count else { return nil }
        parts.append(hexadecimal(rest()))
      case .base64:
        guard position < data.count else { return nil }
        parts.append(Base64.encode(Array(rest())))
      case .services:
        guard let services = ServiceParameters.print(rest()) else { return nil }
        parts += services
      }
    }
    return position == data.count ? parts : nil
  }

  /// A quoted string of RFC 1035 §5.1.
  static func quoted(_ bytes: ArraySlice<UInt8>) -> String {
    var text: [UInt8] = [UInt8(ascii: "\"")]
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
      case 0x20...0x7e: text.append(byte)
      default: text += decimalEscape(byte)
      }
    }
    return String(decoding: text + [UInt8(ascii: "\"")], as: UTF8.self)
  }
}

extension Record: CustomStringConvertible {
  /// One line of a zone file.
  package var description: String {
    "\(name) \(ttl) \(self.class.description) \(type) \(RecordPrinter.data(data, type: type))"
  }
}

func isAlphanumeric(_ byte: UInt8) -> Bool { byte &- 48 < 10 || lowercased(byte) &- 97 < 26 }

func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// Hexadecimal digits to bytes; nil for an odd count or another character.
func bytes(hexadecimal text: some Sequence<UInt8>) -> [UInt8]? {
  var bytes: [UInt8] = []
  var high: UInt8?
  for character in text {
    let digit: UInt8
    switch lowercased(character) {
    case 48...57: digit = character - 48
    case 97...102: digit = lowercased(character) - 87
    default: return nil
    }
    if let first = high {
      bytes.append(first << 4 | digit)
      high = nil
    } else {
      high = digit
    }
  }
  return high == nil ? bytes : nil
}
