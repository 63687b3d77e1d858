/// Text forms of addresses: parsing is strict (no leading zeros, no partial
/// quads), printing follows RFC 5952.

extension IPAddress: LosslessStringConvertible {
  package init?(_ text: String) { self.init(ArraySlice(text.utf8)) }

  package init?(_ text: ArraySlice<UInt8>) {
    if text.contains(UInt8(ascii: ":")) {
      guard let (high, low) = IPAddress.parseV6(text) else { return nil }
      self.init(v6: high, low)
    } else {
      guard let bits = IPAddress.parseV4(text) else { return nil }
      self.init(v4: bits)
    }
  }

  static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
    var bits: UInt32 = 0
    var dots = 0
    var value: UInt32 = 0
    var digits = 0
    for byte in text {
      if byte == UInt8(ascii: ".") {
        guard digits > 0, dots < 3 else { return nil }
        bits = bits << 8 | value
        dots += 1
        (value, digits) = (0, 0)
        continue
      }
      // No zero before another digit.
      guard byte &- UInt8(ascii: "0") < 10, digits == 0 || value > 0 else { return nil }
      value = value * 10 + UInt32(byte - UInt8(ascii: "0"))
      digits += 1
      guard value < 256 else { return nil }
    }
    return dots == 3 && digits > 0 ? bits << 8 | value : nil
  }

  static func parseV6(_ text: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
    let bytes = Array(text)
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    if bytes.starts(with: "::".utf8) {
      gap = 0
      index = 2
    } else if bytes.first == UInt8(ascii: ":") {
      return nil
    }
    while index < bytes.count {
      guard groups.count < 8 else { return nil }
      let end = bytes[index...].firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
      let part = bytes[index..<end]
      if part.contains(UInt8(ascii: ".")) {
        // RFC 4291 §2.2: the last 32 bits may be a dotted quad.
        guard end == bytes.count, groups.count <= 6, let quad = parseV4(part) else { return nil }
        groups.append(UInt16(truncatingIfNeeded: quad >> 16))
        groups.append(UInt16(truncatingIfNeeded: quad))
        index = end
        break
      }
      guard (1...4).contains(part.count), let value = hexadecimal(part) else { return nil }
      groups.append(value)
      index = end
      if index < bytes.count {
        index += 1
        if index < bytes.count, bytes[index] == UInt8(ascii: ":") {
          guard gap == nil else { return nil }
          gap = groups.count
          index += 1
        } else if index == bytes.count {
          return nil
        }
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let words = groups.map(UInt64.init)
    return (
      words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3],
      words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7]
    )
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
    var value: UInt16 = 0
    for byte in digits {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt16(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt16(byte - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt16(byte - UInt8(ascii: "A") + 10)
      default: return nil
      }
    }
    return value
  }

  package var description: String {
    if family == .v4 { return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)" }
    if isMapped { return "::ffff:\(unmapped)" }
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - $0 % 4 * 16)) }
    // RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals.
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > max(best.count, 1) { best = start..<end }
      start = max(end, start + 1)
    }
    func text(_ range: Range<Int>) -> String { range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
    return best.isEmpty ? text(0..<8) : "\(text(0..<best.lowerBound))::\(text(best.upperBound..<8))"
  }
}

extension IPPrefix: LosslessStringConvertible {
  /// "10.0.0.0/8", "fd00::/8", or a lone address (a host prefix). Host bits must be zero.
  package init?(_ text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(ArraySlice(Array(parts[0]))) else { return nil }
    guard parts.count == 2 else {
      self.init(host: address)
      return
    }
    guard parts[1].count <= 3, parts[1].allSatisfy({ (48...57).contains($0) }),
      let length = Int(String(Substring(parts[1]))),
      let prefix = IPPrefix(address, length: length), prefix.address == address
    else { return nil }
    self = prefix
  }

  package var description: String { "\(address)/\(length)" }
}

extension Endpoint: LosslessStringConvertible {
  /// "192.0.2.1:80" or "[2001:db8::1]:80".
  package init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")) else { return nil }
    let digits = bytes[(colon + 1)...]
    guard (1...5).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
      let port = UInt16(String(decoding: digits, as: UTF8.self))
    else { return nil }
    var host = bytes[..<colon]
    let bracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]") && host.count > 2
    if bracketed { host = host.dropFirst().dropLast() }
    guard let address = IPAddress(host), bracketed == (address.family == .v6) else { return nil }
    self.init(address, port)
  }

  package var description: String { address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

extension SocketAddress: LosslessStringConvertible {
  /// An endpoint, or "unix:/path", or "unix:@abstract".
  package init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      // sun_path holds 108 bytes, one of them the terminator or the abstract mark.
      guard (1...107).contains(path.utf8.count),
        path.utf8.first == UInt8(ascii: "/") || path.utf8.first == UInt8(ascii: "@")
      else { return nil }
      self = .unix(path)
    } else {
      guard let endpoint = Endpoint(text) else { return nil }
      self = .ip(endpoint)
    }
  }

  package var description: String {
    switch self {
    case .ip(let endpoint): endpoint.description
    case .unix(let path): "unix:\(path)"
    }
  }
}
