/// The Internet checksum (RFC 1071): one's-complement sum of 16-bit words.
package struct InternetChecksum: Sendable {
  private var sum: UInt64 = 0
  private var odd = false

  package init() {}

  package mutating func update(_ bytes: Span<UInt8>) {
    for index in bytes.indices {
      sum &+= odd ? UInt64(bytes[index]) : UInt64(bytes[index]) << 8
      odd.toggle()
    }
  }

  package mutating func update(word: UInt16) { sum &+= UInt64(word) }

  /// The value to place in the header field; over a message that already holds it, 0 means intact.
  package consuming func finish() -> UInt16 {
    var folded = sum
    while folded > 0xffff { folded = (folded & 0xffff) + (folded >> 16) }
    return ~UInt16(folded)
  }
}
