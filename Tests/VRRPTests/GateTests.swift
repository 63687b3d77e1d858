import Model
import Testing
import VRRP
import Wire

@Suite struct GateTests {
  let header = Malformed.v4()

  func sealedGate(floor: UInt64 = 0) -> AdvertGate {
    var configuration = RouterConfiguration.example()
    configuration.isSealed = true
    return AdvertGate(configuration, code: Malformed.code, sequenceFloor: floor)
  }

  func sealed(_ count: Int, startedAt: Int64 = 1_000_000_000, key: UInt8 = 1) -> [[UInt8]] {
    var sealer = AdvertSealer(key: key, startedAt: startedAt)
    let advert = RouterConfiguration.example().advertisement(priority: 150)
    return (0..<count).compactMap { _ in advert.encode(in: header, sealedBy: &sealer, with: Malformed.code) }
  }

  @Test func aSealedAdvertIsTakenOnce() throws {
    var gate = sealedGate()
    for packet in sealed(3) {
      _ = try gate.admit(packet, in: header, local: nil)
      #expect(throws: AdvertError.replay) { try gate.admit(packet, in: header, local: nil) }
    }
    #expect(gate.counters.accepted == 3)
    #expect(gate.counters[.replay] == 3)
  }

  @Test func lateAdvertsAreTakenWithinTheWindow() throws {
    var gate = sealedGate()
    let packets = sealed(200)
    _ = try gate.admit(packets[100], in: header, local: nil)
    _ = try gate.admit(packets[40], in: header, local: nil)
    #expect(throws: AdvertError.replay) { try gate.admit(packets[36], in: header, local: nil) }
    #expect(throws: AdvertError.replay) { try gate.admit(packets[40], in: header, local: nil) }
    _ = try gate.admit(packets[199], in: header, local: nil)
    #expect(throws: AdvertError.replay) { try gate.admit(packets[100], in: header, local: nil) }
  }

  @Test func aRestartedSenderGoesOnAndItsPastDoesNot() throws {
    var gate = sealedGate()
    let past = sealed(5, startedAt: 1_000_000_000)
    let present = sealed(5, startedAt: 1_001_000_000)
    _ = try gate.admit(past[0], in: header, local: nil)
    _ = try gate.admit(present[0], in: header, local: nil)
    #expect(throws: AdvertError.replay) { try gate.admit(past[4], in: header, local: nil) }
  }

  @Test func aFloorRefusesWhatIsOlder() throws {
    var gate = sealedGate(floor: 1000 << 32 + 2)
    let packets = sealed(4)
    for old in packets.prefix(3) {
      #expect(throws: AdvertError.replay) { try gate.admit(old, in: header, local: nil) }
    }
    _ = try gate.admit(packets[3], in: header, local: nil)
  }

  @Test func keysChangeWhileBothAreKnown() throws {
    var gate = sealedGate()
    _ = try gate.admit(sealed(1, key: 1)[0], in: header, local: nil)
    _ = try gate.admit(sealed(1, startedAt: 1_001_000_000, key: 2)[0], in: header, local: nil)
    #expect(sealed(1, key: 3).isEmpty, "an unknown key seals nothing")
  }

  @Test func aTrailerThatNobodyAskedForIsRefused() {
    var gate = AdvertGate(.example())
    #expect(throws: AdvertError.unexpectedTrailer) { try gate.admit(sealed(1)[0], in: header, local: nil) }
  }

  @Test func withUnicastPeersOnlyTheyAreHeard() throws {
    var configuration = RouterConfiguration.example()
    configuration.peers = [address("192.0.2.1")]
    #expect(configuration.destinations == [address("192.0.2.1")])
    var gate = AdvertGate(configuration)
    let advert = configuration.advertisement(priority: 150)
    for (source, expected) in [("192.0.2.1", nil), ("192.0.2.2", AdvertError.unknownPeer)] as [(String, AdvertError?)] {
      let header = Malformed.v4(source, "192.0.2.9")
      let bytes = try #require(advert.encode(in: header))
      if let expected {
        #expect(throws: expected) { try gate.admit(bytes, in: header, local: nil) }
      } else {
        _ = try gate.admit(bytes, in: header, local: nil)
      }
    }
  }

  @Test func otherAddressesAreNotedInVersion3AndDroppedInVersion2ButForOwners() throws {
    var other = RouterConfiguration.example()
    other.addresses = [address("192.0.2.101")]
    var gate = AdvertGate(.example())
    let bytes = try #require(other.advertisement(priority: 9).encode(in: header))
    #expect(try gate.admit(bytes, in: header, local: nil).namesOtherAddresses)

    var old = AdvertGate(Malformed(.v2, "", .length).configuration)
    var otherOld = Malformed(.v2, "", .length).configuration
    otherOld.addresses = [address("192.0.2.77")]
    for (priority, isTaken) in [(9, false), (255, true), (0, true)] as [(UInt8, Bool)] {
      let bytes = try #require(otherOld.advertisement(priority: priority).encode(in: header))
      #expect(((try? old.admit(bytes, in: header, local: nil)) != nil) == isTaken)
    }
    #expect(old.counters[.addressList] == 1)
  }

  @Test func theOrderOfAddressesIsNoDifference() throws {
    var configuration = RouterConfiguration.example()
    configuration.addresses = [address("192.0.2.101"), address("192.0.2.100")]
    var gate = AdvertGate(configuration)
    configuration.addresses.reverse()
    let bytes = try #require(configuration.advertisement(priority: 9).encode(in: header))
    #expect(try !gate.admit(bytes, in: header, local: nil).namesOtherAddresses)
  }

  @Test func aRestartWithinTheSecondIsNoReplay() {
    let first = AdvertSealer(key: 1, startedAt: 1_700_000_000_250_000)
    let second = AdvertSealer(key: 1, startedAt: 1_700_000_000_260_000)
    #expect(first.next >> 32 == 1_700_000_000)
    #expect(first.next & 0xffff_ffff == 1 << 30, "a quarter of a second")
    #expect(second.next - first.next > 40_000_000, "more than adverts can be sent in 10 ms")
  }
}
