import Wire

/// One BGP message (RFC 4271 §4, RFC 2918).
///
///     16 octets of ones | length, 2 | type, 1 | body
package enum Message: Hashable, Sendable {
  case open(Open)
  case update(Update)
  case notification(Notification)
  case keepalive
  case routeRefresh(RouteRefresh)

  package enum Kind: UInt8, Sendable {
    case open = 1
    case update = 2
    case notification = 3
    case keepalive = 4
    case routeRefresh = 5

    /// The shortest whole message of this kind (RFC 4271 §6.1).
    var minimumLength: Int {
      switch self {
      case .open: 29
      case .update: 23
      case .notification: 21
      case .keepalive: 19
      case .routeRefresh: 23
      }
    }
  }

  package static let headerLength = 19
  package static let classicLimit = 4096
  package static let extendedLimit = 65535

  /// What stands at the front of `bytes`: nil while the message is not whole.
  ///
  /// A wrong marker or length is found as soon as its bytes are there, so that a
  /// peer cannot make us wait for, or hold, more than one message.
  package static func frame(_ bytes: Span<UInt8>) throws(Notification) -> (kind: Kind, length: Int)? {
    for index in 0..<min(16, bytes.count) where bytes[index] != 255 { throw .connectionNotSynchronized }
    guard bytes.count >= headerLength else { return nil }
    let length = UInt16(bytes[16]) << 8 | UInt16(bytes[17])
    guard Int(length) >= headerLength else { throw .badMessageLength(length) }
    guard let kind = Kind(rawValue: bytes[18]) else {
      // §6.1 looks at the length before the type.
      guard Int(length) <= classicLimit else { throw .badMessageLength(length) }
      throw .badMessageType(bytes[18])
    }
    // RFC 8654 §4: we offer extended messages, so all but OPEN and KEEPALIVE may be long.
    let limit = kind == .open || kind == .keepalive ? classicLimit : extendedLimit
    guard Int(length) <= limit, Int(length) >= kind.minimumLength, kind != .keepalive || length == 19 else {
      throw .badMessageLength(length)
    }
    return bytes.count >= Int(length) ? (kind, Int(length)) : nil
  }

  /// A whole message, as `frame` found it.
  package static func decode(_ bytes: Span<UInt8>, options: CodecOptions) throws(Notification) -> Message {
    guard let (kind, length) = try frame(bytes), length == bytes.count else {
      throw .badMessageLength(UInt16(truncatingIfNeeded: bytes.count))
    }
    let body = bytes.extracting(headerLength..<length)
    switch kind {
    case .open: return .open(try Open.decode(body))
    case .update: return .update(try Update.decode(body, options: options))
    case .notification:
      return .notification(
        Notification(code: body[0], subcode: body[1], data: body.count > 2 ? copy(body.extracting(2..<body.count)) : [])
      )
    case .keepalive: return .keepalive
    case .routeRefresh: return .routeRefresh(try RouteRefresh.decode(body, whole: bytes))
    }
  }

  /// The wire form of everything but UPDATE, which may need several messages: see `UpdateEncoder`.
  package static func encode(_ notification: Notification) -> [UInt8] {
    build(.notification) { writer in
      writer.u8(notification.code)
      writer.u8(notification.subcode)
      writer.append(Array(notification.data.prefix(classicLimit - 21)))
    }
  }

  package static let keepaliveBytes = build(.keepalive) { _ in }

  static func build(_ kind: Kind, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    for _ in 0..<16 { writer.u8(255) }
    writer.u16(0)
    writer.u8(kind.rawValue)
    body(&writer)
    writer.patch16(at: 16, UInt16(truncatingIfNeeded: writer.count))
    return writer.bytes
  }

  static func copy(_ bytes: Span<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for index in bytes.indices { result.append(bytes[index]) }
    return result
  }
}

/// ROUTE-REFRESH (RFC 2918), with the borders of RFC 7313.
package struct RouteRefresh: Hashable, Sendable {
  package enum Subtype: UInt8, Sendable {
    case request = 0
    case begin = 1
    case end = 2
  }

  package var family: FamilyCode
  /// nil: a subtype that RFC 7313 §5 tells us to ignore.
  package var subtype: Subtype?

  package init(_ family: FamilyCode, _ subtype: Subtype? = .request) {
    self.family = family
    self.subtype = subtype
  }

  package func encode() -> [UInt8] {
    Message.build(.routeRefresh) { writer in
      writer.u16(family.afi)
      writer.u8(subtype?.rawValue ?? 255)
      writer.u8(family.safi)
    }
  }

  static func decode(_ body: Span<UInt8>, whole: Span<UInt8>) throws(Notification) -> RouteRefresh {
    var reader = ByteReader(body)
    guard let afi = reader.u16(), let subtype = reader.u8(), let safi = reader.u8() else {
      throw .badMessageLength(UInt16(truncatingIfNeeded: whole.count))
    }
    let kind = Subtype(rawValue: subtype)
    guard reader.isAtEnd else {
      // RFC 7313 §5: the whole message goes back. A request may carry filters (RFC 5291), never agreed to here.
      guard kind == .begin || kind == .end else { throw .badMessageLength(UInt16(truncatingIfNeeded: whole.count)) }
      throw Notification(.routeRefresh, 1, Message.copy(whole))
    }
    return RouteRefresh(FamilyCode(afi: afi, safi: safi), kind)
  }
}

/// What the two OPENs agreed on, as far as the codec must know it.
package struct CodecOptions: Hashable, Sendable {
  package var fourOctetAS: Bool
  package var families: Set<FamilyCode>
  /// IPv4 prefixes may have IPv6 next hops (RFC 8950).
  package var extendedNextHop: Bool
  package var isInternal: Bool
  /// The longest message that the peer takes.
  package var sendLimit: Int

  package init(
    fourOctetAS: Bool = true, families: Set<FamilyCode> = [.v4, .v6], extendedNextHop: Bool = false,
    isInternal: Bool = false, sendLimit: Int = Message.classicLimit
  ) {
    self.fourOctetAS = fourOctetAS
    self.families = families
    self.extendedNextHop = extendedNextHop
    self.isInternal = isInternal
    self.sendLimit = sendLimit
  }
}
