/// An IPv4 or IPv6 address, 17 significant bytes, no allocation.
///
/// `high` and `low` are the 128 bits in host order; an IPv4 address lives in the
/// low 32 bits of `low`. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is kept as
/// IPv6; `unmapped` turns it into the IPv4 address that a dual-stack socket means.
package struct IPAddress: Hashable, Sendable, BitwiseCopyable {
  package enum Family: UInt8, Sendable, BitwiseCopyable {
    case v4, v6

    /// PERF: the compiler's own is called through a table from other modules: 130 of 5,300 instructions of an answer
    /// with three addresses.
    @inlinable package static func == (left: Family, right: Family) -> Bool {
      switch (left, right) {
      case (.v4, .v4), (.v6, .v6): true
      default: false
      }
    }
  }

  package let high: UInt64
  package let low: UInt64
  package let family: Family

  @inlinable package init(v4 bits: UInt32) {
    high = 0
    low = UInt64(bits)
    family = .v4
  }

  @inlinable package init(v6 high: UInt64, _ low: UInt64) {
    self.high = high
    self.low = low
    family = .v6
  }

  @inlinable package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    self.init(v4: UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d))
  }

  package static let anyV4 = IPAddress(v4: 0)
  package static let anyV6 = IPAddress(v6: 0, 0)
  package static let loopbackV4 = IPAddress(127, 0, 0, 1)
  package static let loopbackV6 = IPAddress(v6: 0, 1)

  /// The width of the address in bits: 32 or 128.
  @inlinable package var width: Int { family == .v4 ? 32 : 128 }

  @inlinable package var isMapped: Bool { family == .v6 && high == 0 && low >> 32 == 0xffff }
  @inlinable package var unmapped: IPAddress { isMapped ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : self }
  package var isUnspecified: Bool { high == 0 && low == 0 }
  package var isLoopback: Bool { family == .v4 ? low >> 24 == 127 : high == 0 && low == 1 }

  /// Whether one machine can have it, for others to reach: neither unspecified, loopback, multicast nor reserved.
  package var isHost: Bool {
    if isUnspecified || isLoopback { return false }
    return family == .v4 ? low >> 24 != 0 && low >> 24 < 224 : !isMapped && high >> 56 != 0xff
  }

  /// The address in network order: 4 or 16 bytes.
  package var bytes: [UInt8] {
    var result: [UInt8] = []
    if family == .v6 {
      for shift in stride(from: 56, through: 0, by: -8) { result.append(UInt8(truncatingIfNeeded: high >> shift)) }
    }
    for shift in stride(from: family == .v6 ? 56 : 24, through: 0, by: -8) {
      result.append(UInt8(truncatingIfNeeded: low >> shift))
    }
    return result
  }

  /// From network order; nil unless there are 4 or 16 bytes.
  package init?(bytes: [UInt8]) {
    switch bytes.count {
    case 4: self.init(bytes[0], bytes[1], bytes[2], bytes[3])
    case 16:
      var words: (UInt64, UInt64) = (0, 0)
      for index in 0..<8 {
        words.0 = words.0 << 8 | UInt64(bytes[index])
        words.1 = words.1 << 8 | UInt64(bytes[index + 8])
      }
      self.init(v6: words.0, words.1)
    default: return nil
    }
  }
}

extension IPAddress: Comparable {
  @inlinable package static func < (left: IPAddress, right: IPAddress) -> Bool {
    if left.family != right.family { return left.family == .v4 }
    return left.high != right.high ? left.high < right.high : left.low < right.low
  }
}

/// An address and a length (CIDR): the set of addresses that share the first `length` bits.
package struct IPPrefix: Hashable, Sendable, BitwiseCopyable {
  /// The address with all bits beyond `length` cleared.
  package let address: IPAddress
  package let length: Int

  /// nil when the length does not fit the family.
  package init?(_ address: IPAddress, length: Int) {
    guard (0...address.width).contains(length) else { return nil }
    self.length = length
    let (high, low) = IPPrefix.mask(address.family, length)
    self.address =
      address.family == .v4
      ? IPAddress(v4: UInt32(truncatingIfNeeded: address.low & low))
      : IPAddress(v6: address.high & high, address.low & low)
  }

  package init(host address: IPAddress) {
    self.address = address
    length = address.width
  }

  @inlinable package func contains(_ other: IPAddress) -> Bool {
    guard other.family == address.family else { return false }
    let (high, low) = IPPrefix.mask(address.family, length)
    return other.high & high == address.high && other.low & low == address.low
  }

  @inlinable static func mask(_ family: IPAddress.Family, _ length: Int) -> (UInt64, UInt64) {
    if family == .v4 { return (0, length == 0 ? 0 : (UInt64(UInt32.max) << UInt64(32 - length)) & 0xffff_ffff) }
    if length == 0 { return (0, 0) }
    if length <= 64 { return (UInt64.max << UInt64(64 - length), 0) }
    return (.max, UInt64.max << UInt64(128 - length))
  }
}

/// An IP address and a port.
package struct Endpoint: Hashable, Sendable, BitwiseCopyable {
  package let address: IPAddress
  package let port: UInt16

  @inlinable package init(_ address: IPAddress, _ port: UInt16) {
    self.address = address
    self.port = port
  }
}

/// What a socket binds or connects to.
package enum SocketAddress: Hashable, Sendable {
  case ip(Endpoint)
  /// A Unix socket's path; a leading "@" means Linux's abstract namespace.
  case unix(String)
}
