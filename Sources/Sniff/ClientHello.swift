internal import Wire

/// What a TLS client says of where it wants to, before anything is encrypted.
/// Source: RFC 8446 §4.1.2, and RFC 5246 §7.4.1.2 for clients of TLS 1.2 and before.
package struct ClientHello: Hashable, Sendable {
  /// The host name (RFC 6066 §3), lower case, without a trailing dot; nil: none was sent.
  package var serverName: String?
  /// Offered protocols (RFC 7301), the client's favourite first.
  package var protocols: [String] = []

  package init() {}

  /// A ClientHello in more bytes than this is refused: browsers need 600 to 2,000, with post-quantum keys.
  package static var maximumLength: Int { 16 * 1024 }

  /// Parses what a connection began with; nil when more bytes are needed. The handshake message may lie in many records.
  package static func parse(_ bytes: Span<UInt8>) throws(ClientHelloError) -> ClientHello? {
    var message: [UInt8] = []
    var position = 0
    while position < bytes.count {
      // struct { ContentType type; ProtocolVersion version; uint16 length; } of TLSPlaintext, RFC 8446 §5.1
      guard bytes[position] == 22 else { throw position == 0 ? .notTLS : .unexpectedRecord }
      guard position + 1 < bytes.count else { return nil }
      guard bytes[position + 1] == 3 else { throw position == 0 ? .notTLS : .unexpectedRecord }
      guard position + 5 <= bytes.count else { return nil }
      let length = Int(bytes[position + 3]) << 8 | Int(bytes[position + 4])
      // §5.1: no empty fragments of handshake messages, none above 2^14.
      guard length > 0, length <= 1 << 14 else { throw .malformed }
      let end = min(position + 5 + length, bytes.count)
      for index in position + 5..<end { message.append(bytes[index]) }
      if let hello = try body(message.span) { return hello }
      position += 5 + length
    }
    guard bytes.count < maximumLength else { throw .tooLong }
    return nil
  }

  /// nil when the message is not whole yet.
  private static func body(_ message: Span<UInt8>) throws(ClientHelloError) -> ClientHello? {
    guard message.count >= 4 else {
      if message.count > 0, message[0] != 1 { throw .notClientHello }
      return nil
    }
    guard message[0] == 1 else { throw .notClientHello }
    let length = Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3])
    guard length <= maximumLength else { throw .tooLong }
    guard message.count >= 4 + length else { return nil }
    var reader = ByteReader(message.extracting(4..<4 + length))
    return try read(&reader)
  }

  private static func read(_ reader: inout ByteReader) throws(ClientHelloError) -> ClientHello {
    guard let version = reader.u16(), version >> 8 == 3, reader.skip(32) else { throw .malformed }
    guard let session = reader.u8(), session <= 32, reader.skip(Int(session)) else { throw .malformed }
    guard let ciphers = reader.u16(), ciphers >= 2, ciphers % 2 == 0, reader.skip(Int(ciphers)) else {
      throw .malformed
    }
    guard let methods = reader.u8(), methods >= 1, reader.skip(Int(methods)) else { throw .malformed }
    var hello = ClientHello()
    // A client of TLS 1.2 may have no extensions at all.
    if reader.isAtEnd { return hello }
    guard let total = reader.u16(), reader.remaining == Int(total) else { throw .malformed }
    var seen: Set<UInt16> = []
    while !reader.isAtEnd {
      guard let type = reader.u16(), let length = reader.u16(), let data = reader.take(Int(length)) else {
        throw .malformed
      }
      // RFC 8446 §4.2: never two of one type. Which of two names would the server behind us believe?
      guard seen.insert(type).inserted else { throw .malformed }
      var content = ByteReader(data)
      switch type {
      case 0: hello.serverName = try serverName(&content)
      case 16: hello.protocols = try protocols(&content)
      default: break
      }
    }
    return hello
  }

  private static func serverName(_ reader: inout ByteReader) throws(ClientHelloError) -> String {
    guard let total = reader.u16(), reader.remaining == Int(total) else { throw .malformed }
    // §3: at most one name of a type, and there is one type, host_name(0).
    guard let type = reader.u8(), type == 0, let length = reader.u16(), length > 0, let name = reader.take(Int(length)),
      reader.isAtEnd
    else { throw .malformed }
    var text = ""
    for index in name.indices {
      let byte = name[index]
      // Names on the wire are ASCII; what is no letter, digit, "-", "_" or "." could mean another host to another parser.
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): text.unicodeScalars.append(Unicode.Scalar(byte + 32))
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
        UInt8(ascii: "."), UInt8(ascii: "_"):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      default: throw .badName
      }
    }
    if text.last == "." { text.removeLast() }
    guard !text.isEmpty, text.utf8.count <= 253 else { throw .badName }
    return text
  }

  private static func protocols(_ reader: inout ByteReader) throws(ClientHelloError) -> [String] {
    guard let total = reader.u16(), total >= 2, reader.remaining == Int(total) else { throw .malformed }
    var result: [String] = []
    while !reader.isAtEnd {
      guard let length = reader.u8(), length > 0, let name = reader.take(Int(length)) else { throw .malformed }
      var bytes: [UInt8] = []
      for index in name.indices { bytes.append(name[index]) }
      result.append(String(decoding: bytes, as: UTF8.self))
    }
    return result
  }
}

/// Why what a connection began with is no ClientHello.
package enum ClientHelloError: Error, Hashable, Sendable, CaseIterable {
  case notTLS, notClientHello, unexpectedRecord, malformed, badName, tooLong

  package var reason: StaticString {
    switch self {
    case .notTLS: "not TLS"
    case .notClientHello: "TLS that does not begin with a ClientHello"
    case .unexpectedRecord: "another record within the ClientHello"
    case .malformed: "malformed ClientHello"
    case .badName: "a server name that is no host name"
    case .tooLong: "ClientHello too long"
    }
  }
}
