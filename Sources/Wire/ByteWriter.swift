/// Builds a message in network order; lengths that are known late are patched in.
///
/// For control-plane messages (one allocation per message). The data plane
/// writes into buffers that the Reactor lends.
package struct ByteWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  package var count: Int { bytes.count }

  package mutating func u8(_ value: UInt8) { bytes.append(value) }
  package mutating func u16(_ value: UInt16) {
    bytes.append(UInt8(truncatingIfNeeded: value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }
  package mutating func u32(_ value: UInt32) {
    for shift in [24, 16, 8, 0] as [UInt32] { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }
  package mutating func u64(_ value: UInt64) {
    u32(UInt32(truncatingIfNeeded: value >> 32))
    u32(UInt32(truncatingIfNeeded: value))
  }
  package mutating func append(_ other: [UInt8]) { bytes.append(contentsOf: other) }
  package mutating func append(_ other: Span<UInt8>) {
    bytes.reserveCapacity(bytes.count + other.count)
    for index in other.indices { bytes.append(other[index]) }
  }
  package mutating func append(_ text: StaticString) {
    for byte in text.description.utf8 { bytes.append(byte) }
  }
  package mutating func zeros(_ count: Int) {
    for _ in 0..<count { bytes.append(0) }
  }

  /// Overwrites two bytes that were written before, e.g. a length.
  package mutating func patch16(at offset: Int, _ value: UInt16) {
    bytes[offset] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }
  package mutating func patch8(at offset: Int, _ value: UInt8) { bytes[offset] = value }
}
