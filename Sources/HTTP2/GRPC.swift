/// What of gRPC a proxy acts on. Source: gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md, statuscodes.md).
package enum GRPC {
  /// The status codes that Sluice itself makes or looks for.
  package enum Status {
    package static let ok: UInt8 = 0
    package static let cancelled: UInt8 = 1
    package static let deadlineExceeded: UInt8 = 4
    package static let resourceExhausted: UInt8 = 8
    package static let unimplemented: UInt8 = 12
    package static let `internal`: UInt8 = 13
    package static let unavailable: UInt8 = 14
  }

  /// Statuses are 0 to 16; what is above is unknown to everybody.
  package static let statuses = 17

  /// Whether a Content-Type is gRPC's, with or without a message format: but not gRPC-Web's.
  package static func isContentType(_ value: Span<UInt8>) -> Bool {
    let name: StaticString = "application/grpc"
    guard value.count >= name.utf8CodeUnitCount, value.extracting(0..<name.utf8CodeUnitCount).isExactly(name) else {
      return false
    }
    guard value.count > name.utf8CodeUnitCount else { return true }
    let next = value[name.utf8CodeUnitCount]
    return next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
  }

  /// grpc-timeout in milliseconds, rounded up: 1 to 8 digits and a unit; nil: malformed, and so ignored.
  package static func timeout(_ value: Span<UInt8>) -> Int64? {
    guard (2...9).contains(value.count) else { return nil }
    var number: Int64 = 0
    for index in 0..<value.count - 1 {
      guard value[index] &- 0x30 < 10 else { return nil }
      number = number * 10 + Int64(value[index] &- 0x30)
    }
    switch value[value.count - 1] {
    case UInt8(ascii: "H"): return number * 3_600_000
    case UInt8(ascii: "M"): return number * 60_000
    case UInt8(ascii: "S"): return number * 1000
    case UInt8(ascii: "m"): return number
    case UInt8(ascii: "u"): return (number + 999) / 1000
    case UInt8(ascii: "n"): return (number + 999_999) / 1_000_000
    default: return nil
    }
  }

  /// The value of grpc-status; nil: none that is known.
  package static func status(_ value: Span<UInt8>) -> UInt8? {
    guard (1...2).contains(value.count) else { return nil }
    var number: UInt8 = 0
    for index in value.indices {
      guard value[index] &- 0x30 < 10 else { return nil }
      number = number * 10 + (value[index] &- 0x30)
    }
    return number < UInt8(statuses) ? number : nil
  }

  /// The value of grpc-status in the text of a trailer section.
  package static func status(inTrailers text: Span<UInt8>) -> UInt8? {
    let name: StaticString = "grpc-status:"
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count, text[end] != 0x0d { end += 1 }
      if end - start > name.utf8CodeUnitCount, text.extracting(start..<start + name.utf8CodeUnitCount).isExactly(name) {
        var first = start + name.utf8CodeUnitCount
        while first < end, text[first].isBlank { first += 1 }
        return status(text.extracting(first..<end))
      }
      start = end + 2
    }
    return nil
  }

  /// What a client is told instead of an HTTP status of our own.
  package static func status(for http: UInt16, deadline: Bool) -> UInt8 {
    if deadline { return Status.deadlineExceeded }
    switch http {
    case 400: return Status.internal
    case 404, 405, 501: return Status.unimplemented
    case 413, 431: return Status.resourceExhausted
    case 499: return Status.cancelled
    default: return Status.unavailable
    }
  }
}
