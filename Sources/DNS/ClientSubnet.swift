package import Model

/// The network of the client that a resolver asks for (RFC 7871).
package struct ClientSubnet: Hashable, Sendable, BitwiseCopyable {
  package var address: IPAddress
  /// How many bits of the address the resolver tells.
  package var source: UInt8
  /// For how many bits the answer holds; 0 in queries.
  package var scope: UInt8

  package init(address: IPAddress, source: UInt8, scope: UInt8 = 0) {
    self.address = address
    self.source = source
    self.scope = scope
  }

  /// The option's data at `start`; nil when §6 and §7.1.1 call it malformed.
  init?(_ bytes: Span<UInt8>, at start: Int, length: Int) {
    guard length >= 4, start + length <= bytes.count else { return nil }
    let family = UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1])
    let source = bytes[start + 2]
    let count = length - 4
    guard bytes[start + 3] == 0, family == 1 || family == 2, source <= (family == 1 ? 32 : 128),
      count == (Int(source) + 7) / 8
    else { return nil }
    var words: (high: UInt64, low: UInt64) = (0, 0)
    let width = family == 1 ? 4 : 16
    for index in 0..<width {
      let byte = index < count ? UInt64(bytes[start + 4 + index]) : 0
      if family == 2, index < 8 { words.high = words.high << 8 | byte } else { words.low = words.low << 8 | byte }
    }
    let address =
      family == 1 ? IPAddress(v4: UInt32(truncatingIfNeeded: words.low)) : IPAddress(v6: words.high, words.low)
    // Bits beyond the source length must be zero.
    guard let prefix = IPPrefix(address, length: Int(source)), prefix.address == address else { return nil }
    self.init(address: address, source: source)
  }

  /// Bytes of the option without its code and length.
  var size: Int { 4 + (Int(source) + 7) / 8 }

  func write(into writer: inout MessageWriter) {
    writer.u16(8)
    writer.u16(UInt16(size))
    writer.u16(address.family == .v4 ? 1 : 2)
    writer.u8(source)
    writer.u8(scope)
    for index in 0..<(size - 4) {
      let shift = UInt64((address.family == .v4 ? 3 : 7) - index % 8) * 8
      let word = address.family == .v6 && index < 8 ? address.high : address.low
      writer.u8(UInt8(truncatingIfNeeded: word >> shift))
    }
  }
}
