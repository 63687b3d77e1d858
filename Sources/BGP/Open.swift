import Wire

/// OPEN (RFC 4271 §4.2).
package struct Open: Hashable, Sendable {
  /// The two-octet field: AS_TRANS (23456) stands for a number that needs four (RFC 6793).
  package var shortAS: UInt16
  /// Seconds; 0 means no keepalives.
  package var holdTime: UInt16
  package var identifier: UInt32
  package var capabilities: [Capability]

  package static let asTrans: UInt16 = 23456

  package init(autonomousSystem: UInt32, holdTime: UInt16, identifier: UInt32, capabilities: [Capability]) {
    shortAS = UInt16(exactly: autonomousSystem) ?? Open.asTrans
    self.holdTime = holdTime
    self.identifier = identifier
    self.capabilities = capabilities
  }

  /// The sender's AS: the capability's number when it offers one.
  package var autonomousSystem: UInt32 { fourOctetAS ?? UInt32(shortAS) }

  package var fourOctetAS: UInt32? {
    for case .fourOctetAS(let number) in capabilities { return number }
    return nil
  }

  /// RFC 4724 §3: of several instances the last counts.
  package var gracefulRestart: GracefulRestart? {
    for case .gracefulRestart(let restart) in capabilities.reversed() { return restart }
    return nil
  }

  /// RFC 4760 §8: who names no family means IPv4 unicast.
  package var families: [FamilyCode] {
    let named = capabilities.compactMap { if case .multiprotocol(let family) = $0 { family } else { nil } }
    return named.isEmpty ? [.v4] : named
  }

  package func encode() -> [UInt8] {
    Message.build(.open) { writer in
      writer.u8(4)
      writer.u16(shortAS)
      writer.u16(holdTime)
      writer.u32(identifier)
      // One parameter per capability: what the oldest implementations read best.
      let parameters = capabilities.map(\.encoded)
      let total = parameters.reduce(0) { $0 + 2 + $1.count }
      guard total > 255 || parameters.contains(where: { $0.count > 255 }) else {
        writer.u8(UInt8(total))
        for parameter in parameters {
          writer.u8(2)
          writer.u8(UInt8(parameter.count))
          writer.append(parameter)
        }
        return
      }
      // RFC 9072: lengths that need two octets.
      writer.u8(255)
      writer.u8(255)
      let fitting = Open.fitting(parameters)
      writer.u16(UInt16(fitting.reduce(0) { $0 + 3 + $1.count }))
      for parameter in fitting {
        writer.u8(2)
        writer.u16(UInt16(parameter.count))
        writer.append(parameter)
      }
    }
  }

  /// An OPEN never passes 4,096 octets (RFC 8654 §4): what does not fit stays unsaid.
  private static func fitting(_ parameters: [[UInt8]]) -> [[UInt8]] {
    var room = 4096 - 32
    return parameters.prefix { parameter in
      room -= 3 + parameter.count
      return room >= 0
    }
  }

  /// From the bytes behind the header. The checks that need no configuration are made here (§6.2).
  static func decode(_ body: Span<UInt8>) throws(Notification) -> Open {
    var reader = ByteReader(body)
    guard let version = reader.u8(), let shortAS = reader.u16(), let holdTime = reader.u16(),
      let identifier = reader.u32(), let shortLength = reader.u8()
    else { throw .malformedOpen }
    guard version == 4 else { throw .unsupportedVersion }
    var extended = false
    var length = Int(shortLength)
    // RFC 9072 §2: type 255 in the first parameter's place tells; the short length is then ignored, but is not 0.
    if shortLength != 0, reader.remaining >= 3, body[reader.position] == 255 {
      guard reader.skip(1), let wide = reader.u16() else { throw .malformedOpen }
      extended = true
      length = Int(wide)
    }
    guard length == reader.remaining else { throw .malformedOpen }
    var open = Open(autonomousSystem: UInt32(shortAS), holdTime: holdTime, identifier: identifier, capabilities: [])
    while !reader.isAtEnd {
      guard let type = reader.u8() else { throw .malformedOpen }
      let count = extended ? reader.u16().map(Int.init) : reader.u8().map(Int.init)
      guard let count, let value = reader.take(count) else { throw .malformedOpen }
      guard type == 2 else { throw .unsupportedOptionalParameter }
      try decodeCapabilities(value, into: &open.capabilities)
    }
    try open.validate()
    return open
  }

  private static func decodeCapabilities(
    _ bytes: Span<UInt8>, into capabilities: inout [Capability]
  ) throws(Notification) {
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      guard let code = reader.u8(), let count = reader.u8(), let value = reader.take(Int(count)),
        let capability = Capability.decode(code: code, value)
      else { throw .malformedOpen }
      // RFC 5492 §4: the same instance again changes nothing.
      if !capabilities.contains(capability) { capabilities.append(capability) }
    }
  }

  private func validate() throws(Notification) {
    // RFC 7607: AS 0 is nobody. RFC 6793 §4.2.3: AS_TRANS alone is nobody either.
    guard shortAS != 0, fourOctetAS != 0, fourOctetAS != nil || shortAS != Open.asTrans else { throw .badPeerAS }
    if let fourOctetAS, shortAS != Open.asTrans, fourOctetAS != UInt32(shortAS) { throw .badPeerAS }
    guard holdTime == 0 || holdTime >= 3 else { throw .unacceptableHoldTime }
    guard identifier != 0 else { throw .badIdentifier }
  }
}
