import Model
import Testing
import VRRP
import Wire

/// A good packet with something wrong in it, and what that is called.
struct Malformed: Sendable, CustomTestStringConvertible {
  enum Base: Sendable { case v2, v2Simple, v3, v6, sealed }
  var base: Base
  var what: String
  var expected: AdvertError
  /// Offsets and values.
  var edits: [(Int, UInt8)] = []
  /// The length to cut or to extend with zeros to.
  var length: Int?
  var fixesChecksum = true
  var header: PacketHeader?
  var testDescription: String { "\(base): \(what)" }

  init(
    _ base: Base, _ what: String, _ expected: AdvertError, _ edits: [(Int, UInt8)] = [], length: Int? = nil,
    fixesChecksum: Bool = true, header: PacketHeader? = nil
  ) {
    self.base = base
    self.what = what
    self.expected = expected
    self.edits = edits
    self.length = length
    self.fixesChecksum = fixesChecksum
    self.header = header
  }

  static let here = address("192.0.2.9")
  static func v4(_ source: String = "192.0.2.1", _ destination: String = "224.0.0.18", hops: UInt8 = 255)
    -> PacketHeader
  {
    PacketHeader(source: address(source), destination: address(destination), hopLimit: hops)
  }
  static func v6(_ source: String = "fe80::1", _ destination: String = "ff02::12", hops: UInt8 = 255) -> PacketHeader {
    PacketHeader(source: address(source), destination: address(destination), hopLimit: hops)
  }

  var configuration: RouterConfiguration {
    var result = RouterConfiguration.example()
    switch base {
    case .v3: break
    case .sealed: result.isSealed = true
    case .v6: result.addresses = [address("fe80::100"), address("2001:db8::100")]
    case .v2, .v2Simple:
      result = RouterConfiguration(
        name: "old", version: .v2, virtualRouter: 51, addresses: [address("192.0.2.100"), address("192.0.2.101")])
      if base == .v2Simple, let password = SimplePassword(Array("s3cret".utf8)) {
        result.authentication = .simple(password)
      }
    }
    return result
  }

  static let code = toyCode([1: 11, 2: 22])

  /// The packet and its header.
  var packet: ([UInt8], PacketHeader) {
    let usual = base == .v6 ? Malformed.v6() : Malformed.v4()
    var sealer = AdvertSealer(key: 1, startedAt: 1000)
    let advert = configuration.advertisement(priority: 150)
    var bytes =
      (base == .sealed
        ? advert.encode(in: usual, sealedBy: &sealer, with: Malformed.code) : advert.encode(in: usual)) ?? []
    for (offset, value) in edits where offset < bytes.count { bytes[offset] = value }
    if let length {
      bytes = Array(bytes.prefix(length)) + [UInt8](repeating: 0, count: max(0, length - bytes.count))
    }
    let header = header ?? usual
    if fixesChecksum, bytes.count >= 8 {
      bytes[6] = 0
      bytes[7] = 0
      var sum = InternetChecksum()
      if bytes[0] >> 4 != 2 {
        let pseudo = header.source.bytes + header.destination.bytes
        sum.update(pseudo.span)
        sum.update(word: UInt16(bytes.count))
        sum.update(word: 112)
      }
      sum.update(bytes.span)
      let value = sum.finish()
      bytes[6] = UInt8(value >> 8)
      bytes[7] = UInt8(value & 255)
    }
    return (bytes, header)
  }

  static let rows: [Malformed] =
    (0...7).map { (count: Int) in Malformed(.v3, "\(count) bytes", .length, length: count) }
    + (1...7).map { (count: Int) in Malformed(.v2, "\(count) bytes", .length, length: count) }
    + [0, 1, 4, 5, 6, 7, 15].map { Malformed(.v3, "version \($0)", .version, [(0, UInt8($0) << 4 | 1)]) }
    + [0, 2, 3, 15].map { Malformed(.v3, "type \($0)", .type, [(0, 0x30 | UInt8($0))]) }
    + [0, 2, 15].map { Malformed(.v2, "type \($0)", .type, [(0, 0x20 | UInt8($0))]) }
    + [0, 1, 64, 254].map { Malformed(.v3, "TTL \($0)", .hopLimit, header: v4(hops: UInt8($0))) }
    + [0, 1, 64, 254].map { Malformed(.v6, "hop limit \($0)", .hopLimit, header: v6(hops: UInt8($0))) }
    + [
      Malformed(.v2, "TTL 254", .hopLimit, header: v4(hops: 254)),
      Malformed(.v3, "cut in the address", .length, length: 11),
      Malformed(.v3, "cut before the address", .length, length: 8),
      Malformed(.v3, "one byte too long", .length, length: 13),
      Malformed(.v3, "padded as by Ethernet", .length, length: 26),
      Malformed(.v3, "longer by a trailer less one", .length, length: 43),
      Malformed(.v3, "longer by zeros, as long as a trailer", .length, length: 44),
      Malformed(.v3, "more than an advert can be", .length, length: 9000),
      Malformed(.v3, "count 2 of 1", .length, [(3, 2)]),
      Malformed(.v3, "count 255 of 1", .length, [(3, 255)]),
      Malformed(.v3, "count 0", .count, [(3, 0)]),
      Malformed(.v6, "count 0", .count, [(3, 0)]),
      Malformed(.v6, "count 1 of 2", .length, [(3, 1)]),
      Malformed(.v6, "count 3 of 2", .length, [(3, 3)]),
      Malformed(.v6, "cut in an address", .length, length: 39),
      Malformed(.v6, "count 8, as IPv4 would fit", .length, [(3, 8)]),
      Malformed(.v2, "count 0", .count, [(3, 0)]),
      Malformed(.v2, "count 1 of 2", .length, [(3, 1)]),
      Malformed(.v2, "count 3 of 2", .length, [(3, 3)]),
      Malformed(.v2, "count 4: the authentication data as addresses", .length, [(3, 4)]),
      Malformed(.v2, "without authentication data", .length, length: 16),
      Malformed(.v2, "half the authentication data", .length, length: 20),
      Malformed(.v2, "too long", .length, length: 25),
      Malformed(.v3, "checksum off by one", .checksum, [(7, 0xff)], fixesChecksum: false),
      Malformed(.v3, "checksum zero", .checksum, [(6, 0), (7, 0)], fixesChecksum: false),
      Malformed(.v3, "priority changed on the way", .checksum, [(2, 255)], fixesChecksum: false),
      Malformed(.v3, "another source than summed", .checksum, fixesChecksum: false, header: v4("192.0.2.2")),
      Malformed(.v6, "another source than summed", .checksum, fixesChecksum: false, header: v6("fe80::2")),
      Malformed(
        .v6, "another destination than summed", .checksum, fixesChecksum: false, header: v6("fe80::1", "fe80::3")),
      Malformed(.v2, "checksum zero", .checksum, [(6, 0), (7, 0)], fixesChecksum: false),
      Malformed(.v2Simple, "a password changed on the way", .checksum, [(16, 0x54)], fixesChecksum: false),
      Malformed(.v3, "VRID 0", .virtualRouter, [(1, 0)]),
      Malformed(.v2, "VRID 0", .virtualRouter, [(1, 0)]),
      Malformed(.v3, "VRID 52", .virtualRouter, [(1, 52)]),
      Malformed(.v2, "VRID 255", .virtualRouter, [(1, 255)]),
      Malformed(.v3, "interval 0", .interval, [(4, 0), (5, 0)]),
      Malformed(.v3, "interval 0 with reserved bits", .interval, [(4, 0xf0), (5, 0)]),
      Malformed(.v2, "interval 0", .interval, [(5, 0)]),
      Malformed(.v2, "another interval", .interval, [(5, 3)]),
      Malformed(.v2, "simple authentication, none here", .authenticationType, [(4, 1)]),
      Malformed(.v2, "authentication by IPsec AH", .authenticationType, [(4, 2)]),
      Malformed(.v2, "authentication type 255", .authenticationType, [(4, 255)]),
      Malformed(.v2Simple, "no authentication", .authenticationType, [(4, 0)]),
      Malformed(.v2Simple, "another password", .authenticationString, [(16, 0x54)]),
      Malformed(.v2Simple, "a longer password", .authenticationString, [(23, 0x54)]),
      Malformed(.v2, "another address", .addressList, [(11, 7)]),
      Malformed(.v2, "an address twice", .addressList, [(15, 100)]),
      Malformed(.v3, "version 2 here version 3", .length, [(0, 0x21)]),
      Malformed(.v6, "version 2 over IPv6", .family, [(0, 0x21)]),
      Malformed(.v3, "families mixed in the header", .family, header: v4("192.0.2.1", "ff02::12")),
      Malformed(.v3, "our own source", .ownAddress, header: v4("192.0.2.9")),
      Malformed(.sealed, "no trailer", .missingTrailer, length: 12),
      Malformed(.sealed, "half a trailer", .length, length: 28),
      Malformed(.sealed, "another format", .length, [(14, 2)]),
      Malformed(.sealed, "no magic", .length, [(12, 0)]),
      Malformed(.sealed, "a reserved bit", .length, [(19, 1)]),
      Malformed(.sealed, "an unknown key", .unknownKey, [(15, 9)]),
      Malformed(.sealed, "another known key", .code, [(15, 2)]),
      Malformed(.sealed, "a code off by one bit", .code, [(43, 0)]),
      Malformed(.sealed, "the sequence changed", .code, [(27, 77)]),
      Malformed(.sealed, "the priority changed", .code, [(2, 255)]),
      Malformed(.sealed, "sent from another address", .code, header: v4("192.0.2.2")),
      Malformed(.sealed, "sent to another address", .code, header: v4("192.0.2.1", "192.0.2.9")),
    ]
}

@Suite struct MalformedTests {
  @Test func thereAreMany() { #expect(Malformed.rows.count >= 90) }

  @Test(arguments: Malformed.rows)
  func badAdvertsAreDroppedAndCounted(row: Malformed) {
    var gate = AdvertGate(row.configuration, code: Malformed.code)
    let (bytes, header) = row.packet
    #expect(throws: row.expected) { try gate.admit(bytes, in: header, local: Malformed.here) }
    #expect(gate.counters[row.expected] == 1)
    #expect(gate.counters.totalDropped == 1)
    #expect(gate.counters.accepted == 0)
  }

  @Test(arguments: [Malformed.Base.v2, .v2Simple, .v3, .v6, .sealed])
  func unchangedTheyAreTaken(base: Malformed.Base) throws {
    let row = Malformed(base, "good", .length)
    var gate = AdvertGate(row.configuration, code: Malformed.code)
    let (bytes, header) = row.packet
    let admitted = try gate.admit(bytes, in: header, local: Malformed.here)
    #expect(admitted.advertisement.priority == 150)
    #expect(admitted.source == header.source)
    #expect(gate.counters.accepted == 1)
  }
}
