internal import Model

/// A request to the kernel while it is written: a header, fixed fields, attributes. Numbers are in the machine's order,
/// addresses in the network's (linux/netlink.h).
struct NetlinkMessage {
  private(set) var bytes: [UInt8] = []

  init(_ type: UInt16, flags: UInt16) {
    bytes.reserveCapacity(128)
    number(UInt32(0))  // the length, patched by `seal`
    number(type)
    number(flags)
    number(UInt32(0))  // the sequence number, too
    number(UInt32(0))  // to the kernel
  }

  mutating func number<Number: FixedWidthInteger>(_ value: Number) {
    var rest = value
    // SAFETY: reads the bytes of a local integer.
    unsafe withUnsafeBytes(of: &rest) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func attribute(_ type: UInt16, _ value: [UInt8]) {
    number(UInt16(4 + value.count))
    number(type)
    bytes += value
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  mutating func attribute(_ type: UInt16, _ value: UInt32) {
    number(UInt16(8))
    number(type)
    number(value)
  }

  mutating func attribute(_ type: UInt16, text: String) { attribute(type, Array(text.utf8) + [0]) }

  mutating func nest(_ type: UInt16, _ body: (inout NetlinkMessage) -> Void) {
    let start = bytes.count
    number(UInt16(0))
    number(type)
    body(&self)
    patch(UInt16(bytes.count - start), at: start)
  }

  mutating func seal(sequence: UInt32) {
    patch(UInt32(bytes.count), at: 0)
    patch(sequence, at: 8)
  }

  private mutating func patch<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
    var rest = value
    // SAFETY: reads the bytes of a local integer.
    unsafe withUnsafeBytes(of: &rest) { raw in
      for index in raw.indices { unsafe bytes[offset + index] = raw[index] }
    }
  }
}

/// One message from the kernel: its type, and the bytes behind its header.
struct NetlinkAnswer {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  let body: ArraySlice<UInt8>

  /// The messages of one datagram; what is cut off at its end is left out.
  static func split(_ datagram: [UInt8]) -> [NetlinkAnswer] {
    var found: [NetlinkAnswer] = []
    var rest = datagram[...]
    while let length = rest.number(UInt32.self), length >= 16, Int(length) <= rest.count,
      let type = rest.number(UInt16.self, at: 4), let flags = rest.number(UInt16.self, at: 6),
      let sequence = rest.number(UInt32.self, at: 8)
    {
      let end = rest.startIndex + Int(length)
      found.append(
        NetlinkAnswer(type: type, flags: flags, sequence: sequence, body: rest[(rest.startIndex + 16)..<end]))
      rest = rest[min(rest.startIndex + (Int(length) + 3) & ~3, rest.endIndex)...]
    }
    return found
  }

  /// The attributes behind `fixed` bytes, the last of each type.
  func attributes(after fixed: Int) -> [UInt16: ArraySlice<UInt8>] {
    body.count >= fixed ? NetlinkAnswer.attributes(body.dropFirst(fixed)) : [:]
  }

  static func attributes(_ bytes: ArraySlice<UInt8>) -> [UInt16: ArraySlice<UInt8>] {
    var found: [UInt16: ArraySlice<UInt8>] = [:]
    var rest = bytes
    while let length = rest.number(UInt16.self), length >= 4, Int(length) <= rest.count,
      let type = rest.number(UInt16.self, at: 2)
    {
      // The upper bits say nested and byte order.
      found[type & 0x3fff] = rest[(rest.startIndex + 4)..<(rest.startIndex + Int(length))]
      rest = rest[min(rest.startIndex + (Int(length) + 3) & ~3, rest.endIndex)...]
    }
    return found
  }
}

extension ArraySlice<UInt8> {
  /// In the machine's order; nil past the end.
  func number<Number: FixedWidthInteger>(_: Number.Type, at offset: Int = 0) -> Number? {
    let size = MemoryLayout<Number>.size
    guard offset >= 0, count >= offset + size else { return nil }
    var value: Number = 0
    // SAFETY: writes the bytes of a local integer, as many as it has.
    unsafe Swift.withUnsafeMutableBytes(of: &value) { raw in
      for index in 0..<size { unsafe raw[index] = self[startIndex + offset + index] }
    }
    return value
  }

  var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
  var address: IPAddress? { IPAddress(bytes: Array(self)) }
}
