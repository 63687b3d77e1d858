/// CRC-32C (Castagnoli), reflected, as in RFC 9260 appendix A.
struct CRC32C {
  private var state = UInt32.max

  mutating func update(_ byte: UInt8) {
    state ^= UInt32(byte)
    for _ in 0..<8 { state = state & 1 == 1 ? state >> 1 ^ 0x82f6_3b78 : state >> 1 }
  }

  mutating func update(_ bytes: Span<UInt8>) {
    for index in bytes.indices { update(bytes[index]) }
  }

  func finish() -> UInt32 { ~state }
}
