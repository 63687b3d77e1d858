/// A community (RFC 1997): "65001:100", or one of the well-known names.
package struct Community: Hashable, Sendable, LosslessStringConvertible {
  package var value: UInt32

  package init(_ value: UInt32) { self.value = value }

  package init?(_ text: String) {
    if let known = Community.names.first(where: { $0.name == text }) {
      self = known.community
      return
    }
    guard let parts = numbers(text, count: 2), let high = UInt16(exactly: parts[0]), let low = UInt16(exactly: parts[1])
    else { return nil }
    value = UInt32(high) << 16 | UInt32(low)
  }

  package var description: String {
    Community.names.first { $0.community == self }?.name ?? "\(value >> 16):\(value & 0xffff)"
  }

  /// RFC 8326: routers lower this route's preference, since it is about to go.
  package static let gracefulShutdown = Community(0xffff_0000)
  package static let noExport = Community(0xffff_ff01)
  package static let noAdvertise = Community(0xffff_ff02)
  package static let noExportSubconfed = Community(0xffff_ff03)
  /// RFC 7999.
  package static let blackhole = Community(0xffff_029a)
  /// RFC 3765.
  package static let noPeer = Community(0xffff_ff04)

  private static let names: [(name: String, community: Community)] = [
    ("graceful-shutdown", .gracefulShutdown), ("no-export", .noExport), ("no-advertise", .noAdvertise),
    ("no-export-subconfed", .noExportSubconfed), ("blackhole", .blackhole), ("no-peer", .noPeer),
  ]
}

extension Community: Comparable {
  package static func < (left: Community, right: Community) -> Bool { left.value < right.value }
}

/// A large community (RFC 8092): "4200000000:1:2".
package struct LargeCommunity: Hashable, Sendable, LosslessStringConvertible {
  package var administrator: UInt32
  package var first: UInt32
  package var second: UInt32

  package init(_ administrator: UInt32, _ first: UInt32, _ second: UInt32) {
    self.administrator = administrator
    self.first = first
    self.second = second
  }

  package init?(_ text: String) {
    guard let parts = numbers(text, count: 3) else { return nil }
    self.init(parts[0], parts[1], parts[2])
  }

  package var description: String { "\(administrator):\(first):\(second)" }
}

extension LargeCommunity: Comparable {
  package static func < (left: LargeCommunity, right: LargeCommunity) -> Bool {
    (left.administrator, left.first, left.second) < (right.administrator, right.first, right.second)
  }
}

/// An extended community (RFC 4360, RFC 5668): eight octets; "rt:65001:100" and "ro:65001:100" have names.
package struct ExtendedCommunity: Hashable, Sendable, LosslessStringConvertible {
  package var value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// "rt:AS:number" (route target), "ro:AS:number" (route origin), or sixteen hexadecimal digits.
  package init?(_ text: String) {
    if text.utf8.count == 16, text.utf8.allSatisfy({ ExtendedCommunity.isDigit($0) }),
      let value = UInt64(text, radix: 16)
    {
      self.value = value
      return
    }
    let kinds: [(name: String, subtype: UInt64)] = [("rt:", 2), ("ro:", 3)]
    guard let kind = kinds.first(where: { text.hasPrefix($0.name) }),
      let parts = numbers(String(text.dropFirst(3)), count: 2)
    else { return nil }
    if let short = UInt16(exactly: parts[0]) {
      value = kind.subtype << 48 | UInt64(short) << 32 | UInt64(parts[1])
    } else {
      guard let low = UInt16(exactly: parts[1]) else { return nil }
      value = 2 << 56 | kind.subtype << 48 | UInt64(parts[0]) << 16 | UInt64(low)
    }
  }

  package var description: String {
    let name: String? = value >> 48 & 255 == 2 ? "rt" : value >> 48 & 255 == 3 ? "ro" : nil
    switch (value >> 56, name) {
    case (0, .some(let name)): return "\(name):\(value >> 32 & 0xffff):\(value & 0xffff_ffff)"
    case (2, .some(let name)) where value >> 16 & 0xffff_ffff > 0xffff:
      return "\(name):\(value >> 16 & 0xffff_ffff):\(value & 0xffff)"
    default:
      let digits = String(value, radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (97...102).contains(byte) || (65...70).contains(byte)
  }
}

extension ExtendedCommunity: Comparable {
  package static func < (left: ExtendedCommunity, right: ExtendedCommunity) -> Bool { left.value < right.value }
}

/// Exactly `count` decimal numbers of at most 32 bits with colons between; no signs, no leading zeros.
private func numbers(_ text: String, count: Int) -> [UInt32]? {
  let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
  guard parts.count == count else { return nil }
  var values: [UInt32] = []
  for part in parts {
    guard (1...10).contains(part.count), part.count == 1 || part.first != 48,
      part.allSatisfy({ (48...57).contains($0) }),
      let value = UInt32(String(Substring(part)))
    else { return nil }
    values.append(value)
  }
  return values
}
