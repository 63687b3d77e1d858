import BFD
import Testing
import Wire

func decode(_ bytes: [UInt8]) throws(PacketError) -> ControlPacket { try ControlPacket.decode(bytes.span) }

let good = ControlPacket(
  state: .up, multiplier: 3, myDiscriminator: 7, yourDiscriminator: 9, desiredMinTX: 50_000, requiredMinRX: 60_000)

@Suite struct PacketTests {
  @Test func aPacketHasTheSpecifiedLayout() {
    let expected: [UInt8] = [
      0x20, 0xc0, 3, 24, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0xc3, 0x50, 0, 0, 0xea, 0x60, 0, 0, 0, 0,
    ]
    #expect(good.encode() == expected)
  }

  @Test func packetsOfFRRAndBIRD() throws {
    #expect(captures.count == 7)
    for (name, bytes) in captures { #expect(try decode(bytes).encode() == bytes, "\(name)") }
    let poll = try decode(try #require(captures["frr-up-poll"]))
    #expect(poll.state == .up && poll.poll && !poll.final && poll.multiplier == 3)
    #expect(poll.desiredMinTX == 300_000 && poll.requiredMinEchoRX == 50_000)
    let final = try decode(try #require(captures["bird-up-final"]))
    #expect(final.final && final.yourDiscriminator == poll.myDiscriminator)
    let expired = try decode(try #require(captures["frr-detection-expired"]))
    #expect(expired.state == .down && expired.diagnostic == .detectionTimeExpired)
  }

  private func broken(_ change: (inout [UInt8]) -> Void) -> PacketError? {
    var bytes = good.encode()
    change(&bytes)
    do {
      _ = try decode(bytes)
      return nil
    } catch {
      return error
    }
  }

  @Test func everyCheckOfReception() {
    #expect(broken { _ in } == nil)
    #expect(broken { $0[0] = 0x00 } == .version)
    #expect(broken { $0[0] = 0x40 } == .version)
    #expect(broken { $0[3] = 23 } == .length)
    #expect(broken { $0[3] = 0 } == .length)
    #expect(broken { $0[3] = 25 } == .truncated)
    #expect(broken { $0[3] = 255 } == .truncated)
    #expect(broken { $0[2] = 0 } == .zeroMultiplier)
    #expect(broken { $0[1] |= 1 } == .multipoint)
    #expect(broken { $0[7] = 0 } == .zeroDiscriminator)
    #expect(broken { $0[11] = 0 } == .missingDiscriminator)
    #expect(
      broken {
        $0[1] = 0x80; $0[11] = 0
      } == .missingDiscriminator)
    #expect(
      broken {
        $0[1] = 0x40; $0[11] = 0
      } == nil)
    #expect(
      broken {
        $0[1] = 0x00; $0[11] = 0
      } == nil)
    #expect(broken { $0[1] |= 4 } == .length)
    #expect(
      broken {
        $0[1] |= 4; $0[3] = 28; $0 += [1, 4, 1, 65]
      } == .authentication)
    #expect(broken { $0 += [1, 2, 3] } == nil, "what follows the length is no part of it")
    for count in 0..<24 { #expect(broken { $0.removeLast(24 - count) } == .truncated) }
  }

  @Test func packetsSurvive() throws {
    var random = Random(seed: 41)
    for _ in 0..<2000 {
      func word(_ random: inout Random) -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }
      let packet = ControlPacket(
        diagnostic: Diagnostic(rawValue: UInt8(random.below(32))),
        state: State(rawValue: UInt8(random.below(4))) ?? .up,
        poll: random.below(2) == 0, final: random.below(2) == 0, controlPlaneIndependent: random.below(2) == 0,
        demand: random.below(2) == 0, multiplier: UInt8(1 + random.below(255)), myDiscriminator: 1 + random.below(99),
        yourDiscriminator: 1 + random.below(99), desiredMinTX: word(&random), requiredMinRX: word(&random),
        requiredMinEchoRX: word(&random))
      #expect(try decode(packet.encode()) == packet)
    }
  }
}
