/// SipHash-2-4: a keyed hash that a client who does not know the key cannot steer.
///
/// Used where hostile input picks a table slot or where an opaque token must not
/// be forgeable. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
package struct SipHash: Sendable {
  @usableFromInline var v0: UInt64
  @usableFromInline var v1: UInt64
  @usableFromInline var v2: UInt64
  @usableFromInline var v3: UInt64
  @usableFromInline var tail: UInt64 = 0
  @usableFromInline var length: UInt64 = 0

  @inlinable package init(key: (UInt64, UInt64)) {
    v0 = key.0 ^ 0x736f_6d65_7073_6575
    v1 = key.1 ^ 0x646f_7261_6e64_6f6d
    v2 = key.0 ^ 0x6c79_6765_6e65_7261
    v3 = key.1 ^ 0x7465_6462_7974_6573
  }

  @inlinable mutating func round() {
    v0 &+= v1
    v1 = v1 &<< 13 | v1 &>> 51
    v1 ^= v0
    v0 = v0 &<< 32 | v0 &>> 32
    v2 &+= v3
    v3 = v3 &<< 16 | v3 &>> 48
    v3 ^= v2
    v0 &+= v3
    v3 = v3 &<< 21 | v3 &>> 43
    v3 ^= v0
    v2 &+= v1
    v1 = v1 &<< 17 | v1 &>> 47
    v1 ^= v2
    v2 = v2 &<< 32 | v2 &>> 32
  }

  @inlinable mutating func compress(_ word: UInt64) {
    v3 ^= word
    round()
    round()
    v0 ^= word
  }

  @inlinable package mutating func update(_ byte: UInt8) {
    tail |= UInt64(byte) &<< ((length & 7) &* 8)
    length &+= 1
    if length & 7 == 0 {
      compress(tail)
      tail = 0
    }
  }

  @inlinable package mutating func update(_ bytes: Span<UInt8>) {
    for index in bytes.indices { update(bytes[index]) }
  }

  /// Eight bytes, little-endian.
  @inlinable package mutating func update(_ word: UInt64) {
    if length & 7 == 0 {
      compress(word)
      length &+= 8
    } else {
      for shift in stride(from: UInt64(0), to: 64, by: 8) { update(UInt8(truncatingIfNeeded: word &>> shift)) }
    }
  }

  @inlinable package mutating func update(_ text: String) {
    for byte in text.utf8 { update(byte) }
  }

  @inlinable package consuming func finish() -> UInt64 {
    compress(tail | length &<< 56)
    v2 ^= 0xff
    round()
    round()
    round()
    round()
    return v0 ^ v1 ^ v2 ^ v3
  }
}
