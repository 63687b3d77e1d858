import Wire

/// A BFD control packet (RFC 5880 §4.1).
///
///     version 3 bits, diagnostic 5 | state 2, P F C A D M | detect multiplier | length
///     my discriminator, 4 | your discriminator, 4
///     desired min TX, 4 | required min RX, 4 | required min echo RX, 4       (microseconds)
package struct ControlPacket: Hashable, Sendable {
  package var diagnostic: Diagnostic
  package var state: State
  package var poll: Bool
  package var final: Bool
  /// C: the sender's BFD outlives its control plane.
  package var controlPlaneIndependent: Bool
  package var demand: Bool
  package var multiplier: UInt8
  package var myDiscriminator: UInt32
  package var yourDiscriminator: UInt32
  /// Microseconds.
  package var desiredMinTX: UInt32
  package var requiredMinRX: UInt32
  package var requiredMinEchoRX: UInt32

  package static let length = 24

  package init(
    diagnostic: Diagnostic = .none, state: State, poll: Bool = false, final: Bool = false,
    controlPlaneIndependent: Bool = false, demand: Bool = false, multiplier: UInt8, myDiscriminator: UInt32,
    yourDiscriminator: UInt32, desiredMinTX: UInt32, requiredMinRX: UInt32, requiredMinEchoRX: UInt32 = 0
  ) {
    self.diagnostic = diagnostic
    self.state = state
    self.poll = poll
    self.final = final
    self.controlPlaneIndependent = controlPlaneIndependent
    self.demand = demand
    self.multiplier = multiplier
    self.myDiscriminator = myDiscriminator
    self.yourDiscriminator = yourDiscriminator
    self.desiredMinTX = desiredMinTX
    self.requiredMinRX = requiredMinRX
    self.requiredMinEchoRX = requiredMinEchoRX
  }

  package func encode() -> [UInt8] {
    var writer = ByteWriter(capacity: ControlPacket.length)
    writer.u8(1 << 5 | diagnostic.rawValue & 31)
    var flags = state.rawValue << 6
    if poll { flags |= 0x20 }
    if final { flags |= 0x10 }
    if controlPlaneIndependent { flags |= 0x08 }
    if demand { flags |= 0x02 }
    writer.u8(flags)
    writer.u8(multiplier)
    writer.u8(UInt8(ControlPacket.length))
    for word in [myDiscriminator, yourDiscriminator, desiredMinTX, requiredMinRX, requiredMinEchoRX] {
      writer.u32(word)
    }
    return writer.bytes
  }

  /// The checks of §6.8.6 that need no session, in its order. Every failure means: drop, and say nothing.
  package static func decode(_ bytes: Span<UInt8>) throws(PacketError) -> ControlPacket {
    var reader = ByteReader(bytes)
    guard let first = reader.u8(), let flags = reader.u8(), let multiplier = reader.u8(), let length = reader.u8()
    else {
      throw .truncated
    }
    guard first >> 5 == 1 else { throw .version }
    guard length >= (flags & 0x04 != 0 ? 26 : 24) else { throw .length }
    guard Int(length) <= bytes.count else { throw .truncated }
    guard multiplier != 0 else { throw .zeroMultiplier }
    guard flags & 0x01 == 0 else { throw .multipoint }
    guard let mine = reader.u32(), let yours = reader.u32(), let transmit = reader.u32(), let receive = reader.u32(),
      let echo = reader.u32()
    else { throw .truncated }
    guard mine != 0 else { throw .zeroDiscriminator }
    let state = State(rawValue: flags >> 6) ?? .down
    guard yours != 0 || state == .down || state == .adminDown else { throw .missingDiscriminator }
    // No authentication is configured, ever.
    guard flags & 0x04 == 0 else { throw .authentication }
    return ControlPacket(
      diagnostic: Diagnostic(rawValue: first & 31), state: state, poll: flags & 0x20 != 0, final: flags & 0x10 != 0,
      controlPlaneIndependent: flags & 0x08 != 0, demand: flags & 0x02 != 0, multiplier: multiplier,
      myDiscriminator: mine, yourDiscriminator: yours, desiredMinTX: transmit, requiredMinRX: receive,
      requiredMinEchoRX: echo)
  }
}

/// Why a packet is dropped.
package enum PacketError: String, Error, Hashable, Sendable, CaseIterable {
  case truncated
  case version
  case length
  case zeroMultiplier
  case multipoint
  case zeroDiscriminator
  case missingDiscriminator
  case authentication
  /// Its TTL or hop limit shows that it was forwarded further than the path allows (RFC 5881 §5).
  case timeToLive
  /// It is for another session.
  case foreignDiscriminator
  /// This end is administratively down.
  case administrativelyDown
}

package enum State: UInt8, Hashable, Sendable, CaseIterable {
  case adminDown = 0
  case down = 1
  case initializing = 2
  case up = 3
}

/// Why the sender's session last left Up (§4.1). Numbers without a name are kept as they came.
package struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue & 31 }

  package static let none = Diagnostic(rawValue: 0)
  package static let detectionTimeExpired = Diagnostic(rawValue: 1)
  package static let echoFailed = Diagnostic(rawValue: 2)
  package static let neighborSignaledDown = Diagnostic(rawValue: 3)
  package static let forwardingPlaneReset = Diagnostic(rawValue: 4)
  package static let pathDown = Diagnostic(rawValue: 5)
  package static let concatenatedPathDown = Diagnostic(rawValue: 6)
  package static let administrativelyDown = Diagnostic(rawValue: 7)
  package static let reverseConcatenatedPathDown = Diagnostic(rawValue: 8)

  package var description: String {
    let names = [
      "no diagnostic", "control detection time expired", "echo function failed", "neighbor signaled session down",
      "forwarding plane reset", "path down", "concatenated path down", "administratively down",
      "reverse concatenated path down",
    ]
    return rawValue < names.count ? names[Int(rawValue)] : "diagnostic \(rawValue)"
  }
}
