import Model
import Wire

/// The code of a message under a key that is known by its id, or nil for an unknown id.
///
/// Given from above, since HMAC lives with OpenSSL. At least 16 bytes; HMAC-SHA-256 gives 32, of which the first 16
/// are sent (HMAC-SHA-256-128, RFC 4868 §2.6).
package typealias MessageCode = @Sendable (_ key: UInt8, _ message: [UInt8]) -> [UInt8]?

/// What Sluice nodes append to a version 3 advert by choice: version 3 itself has no authentication.
///
///     +------+------+------+------+
///     | 'S'  | 'L'  | 0x01 |key id|   0x01: this format
///     +------+------+------+------+
///     |     reserved, zero        |
///     +---------------------------+
///     |  sequence, 64 bits        |   Unix time when the sender started, seconds in 32.32 bits of fixed point,
///     |                           |   plus one for each advert since
///     +---------------------------+
///     |  code, 128 bits           |
///     +---------------------------+
///
/// The code covers: source address, destination address, then the IP payload up to the code, its checksum as zero.
/// So an advert cannot be moved to another link, sender, peer or VRID. The VRRP checksum covers the trailer too.
/// A router that doesn't know the trailer drops the advert for its length: this is for Sluice nodes only.
package struct AuthenticationTrailer: Hashable, Sendable {
  package static let length = 32
  static let codeLength = 16
  static let magic: [UInt8] = [0x53, 0x4c, 0x01]

  package var key: UInt8
  package var sequence: UInt64
  package var code: [UInt8]

  /// nil when the bytes are not a trailer of this format.
  @_lifetime(reader: copy reader)
  init?(reading reader: inout ByteReader) {
    guard reader.u8() == 0x53, reader.u8() == 0x4c, reader.u8() == 0x01, let key = reader.u8(), reader.u32() == 0,
      let sequence = reader.u64(), let code = reader.take(AuthenticationTrailer.codeLength)
    else { return nil }
    self.key = key
    self.sequence = sequence
    self.code = code.indices.map { code[$0] }
  }

  /// Whether the code is that of the payload it came in; throws `.unknownKey` or `.code`.
  package func verify(
    _ payload: Span<UInt8>, in header: PacketHeader, with code: MessageCode
  ) throws(AdvertError) {
    var covered = payload.indices.dropLast(AuthenticationTrailer.codeLength).map { payload[$0] }
    guard covered.count >= 8 else { throw .length }
    covered[ByteWriter.checksumOffset] = 0
    covered[ByteWriter.checksumOffset + 1] = 0
    guard let expected = code(key, header.source.bytes + header.destination.bytes + covered) else { throw .unknownKey }
    guard expected.count >= AuthenticationTrailer.codeLength else { throw .code }
    // All bytes are looked at, so that time tells nothing of where they differ.
    var difference: UInt8 = 0
    for index in 0..<AuthenticationTrailer.codeLength { difference |= expected[index] ^ self.code[index] }
    guard difference == 0 else { throw .code }
  }
}

/// The sending side: which key, and the next sequence number. One per sending router.
package struct AdvertSealer: Hashable, Sendable {
  package var key: UInt8
  package private(set) var next: UInt64

  /// - Parameter startedAt: Unix time in microseconds. It must grow with each start: what is not greater than the last
  ///   start's is taken for a replay by the peers. So a restart within the same second is no replay either, and no
  ///   sender counts faster than this clock.
  package init(key: UInt8, startedAt: Int64) {
    self.key = key
    let (seconds, microseconds) = UInt64(max(0, startedAt)).quotientAndRemainder(dividingBy: 1_000_000)
    next = seconds << 32 | microseconds << 32 / 1_000_000
  }

  mutating func append(to writer: inout ByteWriter, _ header: PacketHeader, _ code: MessageCode) -> Bool {
    writer.append(AuthenticationTrailer.magic)
    writer.u8(key)
    writer.u32(0)
    writer.u64(next)
    guard let full = code(key, header.source.bytes + header.destination.bytes + writer.bytes),
      full.count >= AuthenticationTrailer.codeLength
    else { return false }
    writer.append(Array(full.prefix(AuthenticationTrailer.codeLength)))
    next &+= 1
    return true
  }
}

/// The receiving side of one sender: a sequence number is taken once (the sliding window of RFC 4303 §3.4.3).
package struct ReplayWindow: Hashable, Sendable {
  /// How far behind the highest a number may come late, in adverts.
  package static let width: UInt64 = 64

  private var highest: UInt64
  /// Bit n: `highest − n` was taken.
  private var taken: UInt64 = .max

  /// - Parameter floor: numbers up to this one are old. A node that starts knows no sender's number; give it its own
  ///   start minus the greatest uptime that a replay may have, or 0 to trust the first number heard.
  package init(floor: UInt64 = 0) { highest = floor }

  /// Whether the number is new; it is then taken. Ask only after the code was verified.
  package mutating func take(_ sequence: UInt64) -> Bool {
    if sequence > highest {
      let ahead = sequence - highest
      taken = ahead < ReplayWindow.width ? taken << ahead | 1 : 1
      highest = sequence
      return true
    }
    let behind = highest - sequence
    guard behind < ReplayWindow.width, taken & (1 << behind) == 0 else { return false }
    taken |= 1 << behind
    return true
  }
}
