import Model
import Testing
import VRRP
import Wire

@Suite struct CodecTests {
  static func randomAdvert(_ random: inout Random) -> (Advertisement, PacketHeader) {
    let version: ProtocolVersion = random.below(3) == 0 ? .v2 : .v3
    let isV4 = version == .v2 || random.below(2) == 0
    func some(_ random: inout Random) -> IPAddress {
      isV4 ? IPAddress(v4: UInt32(truncatingIfNeeded: random.next())) : IPAddress(v6: random.next(), random.next())
    }
    let count = random.below(8) == 0 ? 255 : 1 + Int(random.below(20))
    let centiseconds = version == .v3 ? 1 + Int(random.below(4095)) : 100 * (1 + Int(random.below(255)))
    var advert = Advertisement(
      version: version, virtualRouter: UInt8(1 + random.below(255)), priority: UInt8(random.below(256)),
      interval: every(centiseconds, version), addresses: (0..<count).map { _ in some(&random) })
    if version == .v2, random.below(2) == 0,
      let password = SimplePassword((0..<random.below(9)).map { _ in UInt8(random.below(256)) })
    {
      advert.authentication = .simple(password)
    }
    return (advert, PacketHeader(source: some(&random), destination: some(&random)))
  }

  @Test func whatIsWrittenIsRead() throws {
    var random = Random(seed: 7)
    for _ in 0..<500 {
      let (advert, header) = CodecTests.randomAdvert(&random)
      for form in [ChecksumForm.pseudoHeader, .plain] {
        let bytes = try #require(advert.encode(in: header, checksum: form))
        #expect(try DecodedAdvert(bytes.span, in: header).advertisement == advert)
        #expect(DecodedAdvert.virtualRouter(peekedFrom: bytes.span) == advert.virtualRouter)
      }
    }
  }

  @Test func anyFlippedBitIsNoticed() throws {
    var random = Random(seed: 8)
    for _ in 0..<60 {
      let (advert, header) = CodecTests.randomAdvert(&random)
      var bytes = try #require(advert.encode(in: header))
      let place = Int(random.below(UInt32(bytes.count)))
      bytes[place] ^= 1 << UInt8(random.below(8))
      #expect(throws: AdvertError.self) { try DecodedAdvert(bytes.span, in: header) }
    }
  }

  @Test func anyBytesAreAnAdvertOrAnError() {
    var random = Random(seed: 9)
    var read = 0
    for _ in 0..<20_000 {
      var bytes = (0..<random.below(60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if bytes.count > 3 {
        bytes[0] = random.below(2) == 0 ? 0x21 : 0x31
        bytes[3] = UInt8(random.below(12))
      }
      let header = PacketHeader(source: .loopbackV4, destination: PacketHeader.groupV4)
      if (try? DecodedAdvert(bytes.span, in: header)) != nil { read += 1 }
    }
    #expect(read < 10, "a random checksum fits once in 32,768")
  }

  @Test func bothChecksumsOfVersion3AreTakenOverIPv4() throws {
    let advert = RouterConfiguration.example().advertisement(priority: 100)
    let header = PacketHeader(source: address("192.0.2.1"), destination: PacketHeader.groupV4)
    let plain = try #require(advert.encode(in: header, checksum: .plain))
    let pseudo = try #require(advert.encode(in: header, checksum: .pseudoHeader))
    #expect(plain != pseudo)
    #expect(try DecodedAdvert(plain.span, in: header).checksum == .plain)
    #expect(try DecodedAdvert(pseudo.span, in: header).checksum == .pseudoHeader)
  }

  @Test func whatFitsNoAdvertIsNotWritten() throws {
    let header = PacketHeader(source: address("192.0.2.1"), destination: PacketHeader.groupV4)
    let header6 = PacketHeader(source: address("fe80::1"), destination: PacketHeader.groupV6)
    let good = RouterConfiguration.example().advertisement(priority: 100)
    #expect(good.encode(in: header) != nil)
    func refused(_ edit: (inout Advertisement) -> Void, _ header: PacketHeader) -> Bool {
      var advert = good
      edit(&advert)
      return advert.encode(in: header) == nil
    }
    #expect(refused({ $0.addresses = [] }, header))
    #expect(refused({ $0.addresses = Array(repeating: $0.addresses[0], count: 256) }, header))
    #expect(refused({ $0.addresses.append(address("2001:db8::1")) }, header))
    #expect(refused({ $0.virtualRouter = 0 }, header))
    #expect(refused({ $0.version = .v2 }, header), "10 cs in version 2")
    #expect(refused({ $0.interval = every(20_000, .v2) }, header), "200 s in version 3")
    #expect(refused({ $0.authentication = .simple(SimplePassword([1]) ?? SimplePassword([])!) }, header))
    #expect(refused({ _ in }, header6))
    #expect(refused({ _ in }, PacketHeader(source: address("192.0.2.1"), destination: PacketHeader.groupV6)))
    #expect(SimplePassword(Array("ninebytes".utf8)) == nil)
  }
}
