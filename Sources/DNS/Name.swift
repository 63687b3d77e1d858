/// A domain name in wire form (RFC 1035 §3.1): labels with their lengths, closed by the root's zero byte.
///
/// Keeps the case it was written in; compares and hashes without regard to ASCII
/// case (RFC 4343). At most 255 bytes, each label 1 to 63.
package struct Name: Sendable {
  package static let maximumLength = 255
  package static let maximumLabel = 63

  /// The labels, each with its length in front, and the final zero.
  package let wire: [UInt8]

  package static let root = Name(unchecked: [0])

  init(unchecked wire: [UInt8]) { self.wire = wire }

  /// nil unless the bytes are exactly one uncompressed name.
  package init?(wire: [UInt8]) {
    guard Name.length(in: wire.span, at: 0) == wire.count else { return nil }
    self.wire = wire
  }

  /// The number of labels, the root's not counted.
  package var labelCount: Int { labelOffsets.count }
  package var isRoot: Bool { wire.count == 1 }
  package var isWildcard: Bool { wire.count > 2 && wire[0] == 1 && wire[1] == UInt8(ascii: "*") }

  /// Where each label's length byte stands.
  package var labelOffsets: [Int] {
    var offsets: [Int] = []
    var position = 0
    while wire[position] != 0 {
      offsets.append(position)
      position += Int(wire[position]) + 1
    }
    return offsets
  }

  /// The name without its first label; nil for the root.
  package var parent: Name? {
    isRoot ? nil : Name(unchecked: Array(wire[(Int(wire[0]) + 1)...]))
  }

  /// Whether this name is `ancestor` or below it.
  package func isWithin(_ ancestor: Name) -> Bool {
    let start = wire.count - ancestor.wire.count
    guard start >= 0, start == 0 || labelOffsets.contains(start) || ancestor.isRoot else { return false }
    return (0..<ancestor.wire.count).allSatisfy {
      DNS.lowercased(wire[start + $0]) == DNS.lowercased(ancestor.wire[$0])
    }
  }

  /// This name's labels followed by `suffix`; nil when that is too long.
  package func appending(_ suffix: Name) -> Name? {
    let bytes = wire.dropLast() + suffix.wire
    return bytes.count <= Name.maximumLength ? Name(unchecked: Array(bytes)) : nil
  }

  package var lowercased: Name { Name(unchecked: wire.map(DNS.lowercased)) }

  /// A key whose byte order is the canonical order of names (RFC 4034 §6.1): labels from the right, lower case.
  package var canonicalKey: [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(wire.count + 2)
    for offset in labelOffsets.reversed() {
      for byte in wire[(offset + 1)...(offset + Int(wire[offset]))] {
        // The terminator is the lowest byte, so the bytes 0 and 1 of a label are escaped upwards.
        if byte < 2 {
          key.append(1)
          key.append(byte + 1)
        } else {
          key.append(DNS.lowercased(byte))
        }
      }
      key.append(0)
    }
    return key
  }

  /// The length of the uncompressed name at `start`; nil when it is cut off, compressed or too long.
  package static func length(in bytes: Span<UInt8>, at start: Int) -> Int? {
    var position = start
    while position < bytes.count {
      let label = Int(bytes[position])
      if label == 0 {
        let length = position + 1 - start
        return length <= maximumLength ? length : nil
      }
      guard label <= maximumLabel else { return nil }
      position += label + 1
      guard position - start < maximumLength else { return nil }
    }
    return nil
  }
}

extension Name: Hashable {
  package static func == (left: Name, right: Name) -> Bool {
    let count = left.wire.count
    guard count == right.wire.count else { return false }
    let (left, right) = (left.wire.span, right.wire.span)
    var index = 0
    while index &+ 8 <= count {
      guard Octets.lowercased(Octets.load(left, at: index)) == Octets.lowercased(Octets.load(right, at: index)) else {
        return false
      }
      index &+= 8
    }
    while index < count {
      guard DNS.lowercased(left[index]) == DNS.lowercased(right[index]) else { return false }
      index &+= 1
    }
    return true
  }

  package func hash(into hasher: inout Hasher) {
    // PERF: words at a time, and the hasher once.
    let bytes = wire.span
    var hash = UInt64(truncatingIfNeeded: bytes.count)
    var index = 0
    while index &+ 8 <= bytes.count {
      hash = Octets.mix(hash, Octets.lowercased(Octets.load(bytes, at: index)))
      index &+= 8
    }
    while index < bytes.count {
      hash = Octets.mix(hash, UInt64(DNS.lowercased(bytes[index])))
      index &+= 1
    }
    hasher.combine(hash)
  }
}

extension Name: Comparable {
  package static func < (left: Name, right: Name) -> Bool {
    left.canonicalKey.lexicographicallyPrecedes(right.canonicalKey)
  }
}

/// ASCII lower case; other bytes, also a label's length (at most 63), stay.
@inlinable func lowercased(_ byte: UInt8) -> UInt8 {
  byte &- 0x41 < 26 ? byte | 0x20 : byte
}
