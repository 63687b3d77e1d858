import Wire

/// What a speaker says in its OPEN that it can do (RFC 5492).
package enum Capability: Hashable, Sendable {
  /// RFC 4760, code 1.
  case multiprotocol(FamilyCode)
  /// RFC 2918, code 2.
  case routeRefresh
  /// RFC 8950, code 5: prefixes of a family with next hops of an AFI.
  case extendedNextHop([NextHopEncoding])
  /// RFC 8654, code 6.
  case extendedMessage
  /// RFC 4724 and 8538, code 64.
  case gracefulRestart(GracefulRestart)
  /// RFC 6793, code 65.
  case fourOctetAS(UInt32)
  /// RFC 7911, code 69: read so that it can be shown; never offered, hence never in force.
  case addPath([AddPath])
  /// RFC 7313, code 70.
  case enhancedRouteRefresh
  /// A code that Sluice does not know: kept to be shown.
  case unknown(code: UInt8, value: [UInt8])

  package struct NextHopEncoding: Hashable, Sendable {
    package var family: FamilyCode
    package var nextHopAFI: UInt16
    package init(_ family: FamilyCode, nextHopAFI: UInt16) {
      self.family = family
      self.nextHopAFI = nextHopAFI
    }
  }

  package struct AddPath: Hashable, Sendable {
    package var family: FamilyCode
    /// 1: receives, 2: sends, 3: both.
    package var mode: UInt8
    package init(_ family: FamilyCode, mode: UInt8) {
      self.family = family
      self.mode = mode
    }
  }

  package var code: UInt8 {
    switch self {
    case .multiprotocol: 1
    case .routeRefresh: 2
    case .extendedNextHop: 5
    case .extendedMessage: 6
    case .gracefulRestart: 64
    case .fourOctetAS: 65
    case .addPath: 69
    case .enhancedRouteRefresh: 70
    case .unknown(let code, _): code
    }
  }

  /// Code, length, value.
  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.u8(code)
    writer.u8(0)
    switch self {
    case .multiprotocol(let family):
      writer.u16(family.afi)
      writer.u8(0)
      writer.u8(family.safi)
    case .routeRefresh, .extendedMessage, .enhancedRouteRefresh: break
    case .extendedNextHop(let encodings):
      for encoding in encodings.prefix(42) {
        writer.u16(encoding.family.afi)
        writer.u16(UInt16(encoding.family.safi))
        writer.u16(encoding.nextHopAFI)
      }
    case .gracefulRestart(let restart): restart.encode(into: &writer)
    case .fourOctetAS(let number): writer.u32(number)
    case .addPath(let families):
      for family in families.prefix(63) {
        writer.u16(family.family.afi)
        writer.u8(family.family.safi)
        writer.u8(family.mode)
      }
    case .unknown(_, let value): writer.append(Array(value.prefix(255)))
    }
    writer.patch8(at: 1, UInt8(writer.count - 2))
    return writer.bytes
  }

  /// nil when a known code has a length that its RFC does not allow.
  static func decode(code: UInt8, _ value: Span<UInt8>) -> Capability? {
    var reader = ByteReader(value)
    switch code {
    case 1:
      guard value.count == 4, let afi = reader.u16(), reader.skip(1), let safi = reader.u8() else { return nil }
      return .multiprotocol(FamilyCode(afi: afi, safi: safi))
    case 2: return value.isEmpty ? .routeRefresh : nil
    case 5:
      guard value.count % 6 == 0 else { return nil }
      var encodings: [NextHopEncoding] = []
      while let afi = reader.u16(), let safi = reader.u16(), let nextHop = reader.u16() {
        // The SAFI stands in two octets here (RFC 8950 §4); one beyond 255 names nothing.
        guard let narrow = UInt8(exactly: safi) else { continue }
        encodings.append(NextHopEncoding(FamilyCode(afi: afi, safi: narrow), nextHopAFI: nextHop))
      }
      return .extendedNextHop(encodings)
    case 6: return value.isEmpty ? .extendedMessage : nil
    case 64: return GracefulRestart.decode(value).map(Capability.gracefulRestart)
    case 65:
      guard value.count == 4, let number = reader.u32() else { return nil }
      return .fourOctetAS(number)
    case 69:
      guard value.count % 4 == 0 else { return nil }
      var families: [AddPath] = []
      while let afi = reader.u16(), let safi = reader.u8(), let mode = reader.u8() {
        families.append(AddPath(FamilyCode(afi: afi, safi: safi), mode: mode))
      }
      return .addPath(families)
    case 70: return value.isEmpty ? .enhancedRouteRefresh : nil
    default:
      var bytes: [UInt8] = []
      for index in value.indices { bytes.append(value[index]) }
      return .unknown(code: code, value: bytes)
    }
  }
}

/// The graceful restart capability (RFC 4724 §3, RFC 8538 §2).
///
///      R N r r | restart time, 12 bits | (AFI, SAFI, F r r r r r r r)*
package struct GracefulRestart: Hashable, Sendable {
  package struct Family: Hashable, Sendable {
    package var family: FamilyCode
    /// F: the forwarding state outlived the restart.
    package var preserved: Bool
    package init(_ family: FamilyCode, preserved: Bool) {
      self.family = family
      self.preserved = preserved
    }
  }

  /// R: this speaker has just restarted.
  package var restarted: Bool
  /// N: a NOTIFICATION or an expired hold timer is a graceful restart too (RFC 8538).
  package var notification: Bool
  /// Seconds until the routes may be dropped, at most 4,095.
  package var seconds: UInt16
  package var families: [Family]

  package init(restarted: Bool = false, notification: Bool = false, seconds: UInt16, families: [Family]) {
    self.restarted = restarted
    self.notification = notification
    self.seconds = min(seconds, 4095)
    self.families = families
  }

  func encode(into writer: inout ByteWriter) {
    writer.u16((restarted ? 0x8000 : 0) | (notification ? 0x4000 : 0) | seconds)
    for entry in families.prefix(63) {
      writer.u16(entry.family.afi)
      writer.u8(entry.family.safi)
      writer.u8(entry.preserved ? 0x80 : 0)
    }
  }

  static func decode(_ value: Span<UInt8>) -> GracefulRestart? {
    var reader = ByteReader(value)
    guard value.count % 4 == 2, let head = reader.u16() else { return nil }
    var families: [Family] = []
    while let afi = reader.u16(), let safi = reader.u8(), let flags = reader.u8() {
      families.append(Family(FamilyCode(afi: afi, safi: safi), preserved: flags & 0x80 != 0))
    }
    return GracefulRestart(
      restarted: head & 0x8000 != 0, notification: head & 0x4000 != 0, seconds: head & 0xfff, families: families)
  }
}
