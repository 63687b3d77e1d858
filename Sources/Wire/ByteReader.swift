/// A bounds-checked cursor over received bytes, big-endian (network order).
///
/// Reads that would pass the end return nil and leave the cursor where it was,
/// so a truncated message is one `guard let` away from its protocol's error.
package struct ByteReader: ~Escapable {
  package let bytes: Span<UInt8>
  @usableFromInline package internal(set) var position = 0

  @_lifetime(copy bytes)
  package init(_ bytes: Span<UInt8>) { self.bytes = bytes }

  @inlinable package var remaining: Int { bytes.count - position }
  @inlinable package var isAtEnd: Bool { position == bytes.count }

  @_lifetime(self: copy self)
  package mutating func u8() -> UInt8? {
    guard remaining >= 1 else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  @_lifetime(self: copy self)
  package mutating func u16() -> UInt16? {
    guard remaining >= 2 else { return nil }
    defer { position += 2 }
    return UInt16(bytes[position]) << 8 | UInt16(bytes[position + 1])
  }

  @_lifetime(self: copy self)
  package mutating func u32() -> UInt32? {
    guard remaining >= 4 else { return nil }
    defer { position += 4 }
    var value: UInt32 = 0
    for offset in 0..<4 { value = value << 8 | UInt32(bytes[position + offset]) }
    return value
  }

  @_lifetime(self: copy self)
  package mutating func u64() -> UInt64? {
    guard remaining >= 8 else { return nil }
    defer { position += 8 }
    var value: UInt64 = 0
    for offset in 0..<8 { value = value << 8 | UInt64(bytes[position + offset]) }
    return value
  }

  /// The next `count` bytes as a span of the same lifetime, or nil.
  @_lifetime(copy self)
  package mutating func take(_ count: Int) -> Span<UInt8>? {
    guard count >= 0, remaining >= count else { return nil }
    defer { position += count }
    return bytes.extracting(position..<position + count)
  }

  /// Moves the cursor forward; false (and no move) past the end.
  @_lifetime(self: copy self)
  package mutating func skip(_ count: Int) -> Bool {
    guard count >= 0, remaining >= count else { return false }
    position += count
    return true
  }

  /// Moves the cursor to an absolute offset (DNS compression); false past the end.
  @_lifetime(self: copy self)
  package mutating func seek(to offset: Int) -> Bool {
    guard offset >= 0, offset <= bytes.count else { return false }
    position = offset
    return true
  }
}
