/// The rules of RFC 9113 §8.2 for single fields.
enum FieldRules {
  /// A lower-case token (§8.2.1).
  static func checkName(_ name: Span<UInt8>) throws(MessageError) {
    guard name.count > 0 else { throw .emptyName }
    for index in name.indices {
      let byte = name[index]
      guard byte.isTokenCharacter else { throw .malformedName }
      if byte &- 0x41 < 26 { throw .upperCaseName }
    }
  }

  /// §8.2.1: neither NUL, CR nor LF, and no blank around; here no other control character either, as in HTTP/1.1.
  static func checkValue(_ value: Span<UInt8>) throws(MessageError) {
    guard value.count > 0 else { return }
    var bad = false
    for index in value.indices {
      let byte = value[index]
      bad = bad || (byte < 0x20 && byte != 0x09) || byte == 0x7f
    }
    if bad { throw .malformedValue }
    if value[0].isBlank || value[value.count - 1].isBlank { throw .blankAroundValue }
  }

  /// Bytes that a target may hold: visible ASCII (the HTTP/1.1 parser narrows it further).
  static func isVisible(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where bytes[index] <= 0x20 || bytes[index] >= 0x7f { return false }
    return bytes.count > 0
  }

  static func isToken(_ bytes: Span<UInt8>) -> Bool {
    for index in bytes.indices where !bytes[index].isTokenCharacter { return false }
    return bytes.count > 0
  }

  /// 1*DIGIT below 2^62 without a leading zero, as in HTTP/1.1; nil: something else.
  static func length(_ value: Span<UInt8>) -> Int64? {
    guard (1...19).contains(value.count), value.count == 1 || value[0] != UInt8(ascii: "0") else { return nil }
    var number: UInt64 = 0
    for index in value.indices {
      guard value[index] &- 0x30 < 10 else { return nil }
      number = number &* 10 &+ UInt64(value[index] &- 0x30)
    }
    return number < 1 << 62 ? Int64(number) : nil
  }
}

extension UInt8 {
  var isBlank: Bool { self == 0x20 || self == 0x09 }

  /// tchar, RFC 9110 §5.6.2.
  @inline(__always) var isTokenCharacter: Bool {
    guard self < 0x80 else { return false }
    let set: UInt64 = self < 0x40 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
    return (set &>> UInt64(self & 0x3f)) & 1 == 1
  }

  @inline(__always) var lower: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension Span where Element == UInt8 {
  func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index].lower != other[index].lower { return false }
    return true
  }
}
