import Model
import Testing
import VRRP
import Wire

/// Real adverts of keepalived 2.2: read as meant, and written alike byte for byte.
@Suite struct KeepalivedVectorTests {
  @Test func thereAreVectors() { #expect(Vector.keepalived.count == 12) }

  @Test(arguments: Vector.keepalived)
  func advertsAreReadAndWrittenAlike(vector: Vector) throws {
    let decoded = try DecodedAdvert(vector.payload.span, in: vector.header, minimumHopLimit: 64)
    let advert = decoded.advertisement
    #expect(advert.virtualRouter == 51)
    #expect(advert.priority == (vector.name.hasSuffix("-resign") ? 0 : 200))
    #expect(decoded.trailer == nil)
    if vector.name.hasPrefix("v2") {
      #expect(advert.version == .v2)
      #expect(advert.interval == .second)
      #expect(decoded.checksum == nil)
      let password = try #require(SimplePassword(Array("s3cret".utf8)))
      #expect(advert.authentication == (vector.name.hasPrefix("v2-simple") ? .simple(password) : .none))
    } else {
      #expect(advert.version == .v3)
      #expect(advert.interval == every(vector.name.hasPrefix("v3-ipv6-unicast") ? 50 : 10))
      #expect(decoded.checksum == .pseudoHeader)
    }
    let expected =
      vector.name.hasPrefix("v3-ipv6") ? ["fe80::100", "2001:db8::100"] : ["198.51.100.100", "198.51.100.101"]
    #expect(advert.addresses == expected.map(address))
    #expect(advert.encode(in: vector.header) == vector.payload)
  }

  @Test func ipv6UnicastComesWithAHopLimitBelow255() throws {
    let vector = try #require(Vector.keepalived.first { $0.name == "v3-ipv6-unicast" })
    #expect(vector.header.hopLimit == 64)
    #expect(throws: AdvertError.hopLimit) { try DecodedAdvert(vector.payload.span, in: vector.header) }
  }
}
