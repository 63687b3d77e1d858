internal import Model
internal import Wire

/// Version 2:
///
///     +-----------------+---------+----------+--------+-----------+------+
///     | signature (12)  | ver|cmd | fam|prot | length | addresses | TLVs |
///     +-----------------+---------+----------+--------+-----------+------+
enum ProxyBinary {
  static let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
  static let crc32cType: UInt8 = 0x03

  static func parse(_ bytes: Span<UInt8>) throws(ProxyError) -> (header: ProxyHeader, length: Int)? {
    for index in 0..<min(12, bytes.count) where bytes[index] != signature[index] { throw .noSignature }
    guard bytes.count >= 16 else { return nil }
    let (command, kind) = (bytes[12], bytes[13])
    guard command >> 4 == 2 else { throw .unsupportedVersion }
    guard command & 15 <= 1 else { throw .unsupportedCommand }
    let length = 16 + (Int(bytes[14]) << 8 | Int(bytes[15]))
    guard length <= ProxyHeader.maximumLength else { throw .tooLong }
    guard bytes.count >= length else { return nil }

    let message = bytes.extracting(0..<length)
    let (origin, addressBytes) = try origin(message, kind)
    try checkTLVs(message, from: 16 + addressBytes)
    // LOCAL: the addresses are to be discarded, whatever they are.
    return (ProxyHeader(command & 15 == 0 ? .local : origin), length)
  }

  private static func origin(_ message: Span<UInt8>, _ kind: UInt8) throws(ProxyError) -> (ProxyHeader.Origin, Int) {
    let isLocal = message[12] & 15 == 0
    let transport: ProxyHeader.Transport
    switch kind & 15 {
    case 1: transport = .stream
    case 2: transport = .datagram
    case 0: return (.local, 0)
    default:
      guard isLocal else { throw .unsupportedFamily }
      return (.local, message.count - 16)
    }
    var reader = ByteReader(message)
    _ = reader.skip(16)
    switch kind >> 4 {
    case 0: return (.local, 0)
    case 1:
      guard let source = reader.u32(), let destination = reader.u32(), let sourcePort = reader.u16(),
        let destinationPort = reader.u16()
      else { throw .shortAddresses }
      let from = Endpoint(IPAddress(v4: source), sourcePort)
      return (.proxied(source: from, destination: Endpoint(IPAddress(v4: destination), destinationPort), transport), 12)
    case 2:
      guard let a = reader.u64(), let b = reader.u64(), let c = reader.u64(), let d = reader.u64(),
        let sourcePort = reader.u16(), let destinationPort = reader.u16()
      else { throw .shortAddresses }
      let from = Endpoint(IPAddress(v6: a, b), sourcePort)
      return (.proxied(source: from, destination: Endpoint(IPAddress(v6: c, d), destinationPort), transport), 36)
    case 3:
      guard reader.skip(216) else { throw .shortAddresses }
      return (.unix, 216)
    default:
      guard isLocal else { throw .unsupportedFamily }
      return (.local, message.count - 16)
    }
  }

  /// Walks type, length, value triples; verifies CRC32C (2.2.3) when it is there.
  private static func checkTLVs(_ message: Span<UInt8>, from start: Int) throws(ProxyError) {
    var reader = ByteReader(message)
    guard reader.seek(to: start) else { throw .shortAddresses }
    var isChecked = false
    while !reader.isAtEnd {
      guard let type = reader.u8(), let length = reader.u16() else { throw .malformedTLV }
      let valueStart = reader.position
      if type == crc32cType {
        guard !isChecked, length == 4, let expected = reader.u32() else { throw .malformedTLV }
        isChecked = true
        var checksum = CRC32C()
        checksum.update(message.extracting(0..<valueStart))
        for _ in 0..<4 { checksum.update(0) }
        checksum.update(message.extracting(valueStart + 4..<message.count))
        guard checksum.finish() == expected else { throw .checksum }
      } else {
        guard reader.skip(Int(length)) else { throw .malformedTLV }
      }
    }
  }
}

extension ProxyHeader {
  /// The binary form, with a CRC32C when asked for. Mixed families go as IPv6 with mapped addresses.
  package func encodeV2(checksum: Bool = false, facts: ProxyFacts = ProxyFacts()) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    writer.append(ProxyBinary.signature)
    switch origin {
    case .local, .unix:
      writer.u8(0x20)
      writer.u8(0)
      writer.u16(0)
    case .proxied(let source, let destination, let transport):
      let isV4 = source.address.family == .v4 && destination.address.family == .v4
      writer.u8(0x21)
      writer.u8((isV4 ? 0x10 : 0x20) | (transport == .stream ? 1 : 2))
      writer.u16(isV4 ? 12 : 36)
      for address in [source.address, destination.address] {
        if isV4 {
          writer.u32(UInt32(truncatingIfNeeded: address.low))
        } else {
          writer.u64(address.high)
          writer.u64(address.family == .v4 ? 0xffff_0000_0000 | address.low : address.low)
        }
      }
      writer.u16(source.port)
      writer.u16(destination.port)
    }
    if case .proxied = origin { writer.append(facts.bytes) }
    writer.patch16(at: 14, UInt16(writer.count - 16 + (checksum ? 7 : 0)))
    guard checksum else { return writer.bytes }

    writer.u8(ProxyBinary.crc32cType)
    writer.u16(4)
    let valueStart = writer.count
    writer.u32(0)
    var crc = CRC32C()
    crc.update(writer.bytes.span)
    let value = crc.finish()
    writer.patch16(at: valueStart, UInt16(value >> 16))
    writer.patch16(at: valueStart + 2, UInt16(truncatingIfNeeded: value))
    return writer.bytes
  }
}
