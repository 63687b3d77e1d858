/// Single bytes and the character classes of the grammar.
enum Byte {
  @inline(__always) static var tab: UInt8 { 0x09 }
  @inline(__always) static var lf: UInt8 { 0x0a }
  @inline(__always) static var cr: UInt8 { 0x0d }
  @inline(__always) static var space: UInt8 { 0x20 }
  @inline(__always) static var colon: UInt8 { 0x3a }
  @inline(__always) static var comma: UInt8 { 0x2c }

  @inline(__always) static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }
  @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  @inline(__always) static func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

  /// tchar, RFC 9110 §5.6.2: ALPHA, DIGIT and !#$%&'*+-.^_`|~
  @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
    set(byte, 0x03ff_6cfa_0000_0000, 0x57ff_ffff_c7ff_fffe)
  }

  /// What a host name of a URI may hold here: ALPHA, DIGIT and "-._~". Narrower than RFC 3986 §3.2.2's
  /// reg-name: percent-escapes and sub-delims name no DNS host, and parsers differ on them.
  @inline(__always) static func isHostName(_ byte: UInt8) -> Bool {
    set(byte, 0x03ff_6000_0000_0000, 0x47ff_fffe_87ff_fffe)
  }

  /// Inside the brackets of an IPv6 literal: hexadecimal digits, ":" and ".".
  @inline(__always) static func isIPv6(_ byte: UInt8) -> Bool {
    set(byte, 0x07ff_4000_0000_0000, 0x0000_007e_0000_007e)
  }

  /// 0–15, or nil.
  @inline(__always) static func hexadecimal(_ byte: UInt8) -> UInt8? {
    if byte &- 0x30 < 10 { return byte &- 0x30 }
    let lower = byte | 0x20
    return lower &- 0x61 < 6 ? lower &- 0x61 &+ 10 : nil
  }

  /// Membership in a set of ASCII characters: bit n of `low` is character n, of `high` character n + 64.
  @inline(__always) private static func set(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
    guard byte < 0x80 else { return false }
    return ((byte < 0x40 ? low : high) &>> UInt64(byte & 0x3f)) & 1 == 1
  }
}

extension Span where Element == UInt8 {
  /// Whether the bytes of `range` are `text` (lower case), ignoring ASCII case.
  func equals(_ range: Range<Int>, lowercase text: String) -> Bool {
    guard range.count == text.utf8.count else { return false }
    var position = range.lowerBound
    for byte in text.utf8 {
      guard Byte.lower(self[position]) == byte else { return false }
      position &+= 1
    }
    return true
  }
}
