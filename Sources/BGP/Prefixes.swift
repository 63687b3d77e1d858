package import Model
package import Wire

/// NLRI (RFC 4271 §4.3): a length in bits, then as many bytes as hold them.
package enum Prefixes {
  /// Every prefix in `bytes`, host bits cleared; nil when one is longer than its family or than the field.
  package static func decode(_ bytes: Span<UInt8>, family: IPAddress.Family) -> [IPPrefix]? {
    var prefixes: [IPPrefix] = []
    let width = family == .v4 ? 32 : 128
    var position = 0
    while position < bytes.count {
      let length = Int(bytes[position])
      let count = (length + 7) / 8
      guard length <= width, bytes.count - position - 1 >= count else { return nil }
      var words: (high: UInt64, low: UInt64) = (0, 0)
      for offset in 0..<width / 8 {
        words.high = words.high << 8 | words.low >> 56
        words.low = words.low << 8 | (offset < count ? UInt64(bytes[position + 1 + offset]) : 0)
      }
      let address =
        family == .v4 ? IPAddress(v4: UInt32(truncatingIfNeeded: words.low)) : IPAddress(v6: words.high, words.low)
      guard let prefix = IPPrefix(address, length: length) else { return nil }
      prefixes.append(prefix)
      position += 1 + count
    }
    return prefixes
  }

  package static func size(_ prefix: IPPrefix) -> Int { 1 + (prefix.length + 7) / 8 }

  package static func encode(_ prefix: IPPrefix, into writer: inout ByteWriter) {
    writer.u8(UInt8(prefix.length))
    let count = (prefix.length + 7) / 8
    let address = prefix.address
    for index in 0..<count {
      let shift = UInt64(56 - index % 8 * 8)
      switch address.family {
      case .v4: writer.u8(UInt8(truncatingIfNeeded: address.low >> UInt64(24 - index * 8)))
      case .v6: writer.u8(UInt8(truncatingIfNeeded: (index < 8 ? address.high : address.low) >> shift))
      }
    }
  }
}
