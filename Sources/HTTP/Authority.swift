/// `uri-host [ ":" port ]` (RFC 9110 §7.2), the value of Host and the authority of a target.
struct Authority {
  /// The host without port and without a trailing dot; an IPv6 literal keeps its brackets.
  var name: Range<Int>
  var port: UInt16?

  /// nil unless `range` is a host name or an IP literal, with or without a port.
  ///
  /// Userinfo is refused (RFC 9110 §4.2.4), and so is an empty host.
  init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
    var position = range.lowerBound
    let end = range.upperBound
    guard position < end else { return nil }
    if bytes[position] == UInt8(ascii: "[") {
      position &+= 1
      var colons = 0
      while position < end, Byte.isIPv6(bytes[position]) {
        if bytes[position] == Byte.colon { colons &+= 1 }
        position &+= 1
      }
      guard position < end, bytes[position] == UInt8(ascii: "]"), (2...7).contains(colons) else { return nil }
      position &+= 1
      name = range.lowerBound..<position
    } else {
      while position < end, Byte.isHostName(bytes[position]) { position &+= 1 }
      var last = position
      if last > range.lowerBound, bytes[last &- 1] == UInt8(ascii: ".") { last &-= 1 }
      guard last > range.lowerBound else { return nil }
      name = range.lowerBound..<last
    }
    guard position < end else { return }
    guard bytes[position] == Byte.colon else { return nil }
    position &+= 1
    // RFC 3986 §3.2.3: the port may be empty.
    guard position < end else { return }
    guard end &- position <= 5 else { return nil }
    var value: UInt32 = 0
    while position < end {
      guard Byte.isDigit(bytes[position]) else { return nil }
      value = value &* 10 &+ UInt32(bytes[position] &- 0x30)
      position &+= 1
    }
    guard value > 0, let port = UInt16(exactly: value) else { return nil }
    self.port = port
  }
}
