import Model
import Sniff
import Testing
import Wire

private func parse(_ bytes: [UInt8]) -> Result<Parsed?, ProxyError> {
  do {
    guard let (header, length) = try ProxyHeader.parse(bytes.span) else { return .success(nil) }
    return .success(Parsed(header: header, length: length))
  } catch {
    return .failure(error)
  }
}

private struct Parsed: Equatable {
  var header: ProxyHeader
  var length: Int
}

private func parse(_ text: String) -> Result<Parsed?, ProxyError> { parse(Array(text.utf8)) }

private let signature: [UInt8] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

private func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text)) }

@Suite struct ProxyHeaderTests {
  @Test func whatTLSTellsIsBehindTheAddresses() throws {
    let header = ProxyHeader(source: try endpoint("192.0.2.1:56324"), destination: try endpoint("198.51.100.2:443"))
    var facts = ProxyFacts()
    facts.negotiated = "h2"
    facts.serverName = "a.test"
    var encryption = ProxyFacts.Encryption(version: "TLSv1.3", cipher: "X")
    encryption.hasCertificate = true
    encryption.commonName = "bob"
    facts.encryption = encryption
    let bytes = header.encodeV2(checksum: true, facts: facts)
    let added: [UInt8] =
      [1, 0, 2] + Array("h2".utf8) + [2, 0, 6] + Array("a.test".utf8) + [0x20, 0, 25, 7, 0, 0, 0, 0]
      + [0x21, 0, 7] + Array("TLSv1.3".utf8) + [0x22, 0, 3] + Array("bob".utf8) + [0x23, 0, 1] + Array("X".utf8)
    #expect(Array(bytes[28..<28 + added.count]) == added)
    // Our own reader takes it, checksum and all.
    #expect(parse(bytes) == .success(Parsed(header: header, length: bytes.count)))
    #expect(ProxyHeader(.local).encodeV2(facts: facts) == signature + [0x20, 0, 0, 0])
  }

  @Test func textIsParsed() throws {
    let v4 = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    let header = ProxyHeader(source: try endpoint("192.0.2.1:56324"), destination: try endpoint("198.51.100.2:443"))
    #expect(parse(v4 + "GET") == .success(Parsed(header: header, length: v4.utf8.count)))
    let v6 = "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"
    let header6 = ProxyHeader(source: try endpoint("[2001:db8::1]:1"), destination: try endpoint("[::1]:65535"))
    #expect(parse(v6) == .success(Parsed(header: header6, length: v6.utf8.count)))
    for text in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 anything 1 2\r\n"] {
      #expect(parse(text) == .success(Parsed(header: ProxyHeader(.local), length: text.utf8.count)))
    }
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\n", ProxyError.noSignature), ("PROXY\r\n", .noSignature), ("proxy TCP4", .noSignature),
    ("PROXY \r\n", .malformedText), ("PROXY TCP4\r\n", .malformedText),
    ("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", .malformedText),
    ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n", .malformedText), ("PROXY TCP4 1.1.1.1  2.2.2.2 1 2\r\n", .malformedText),
    ("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", .malformedText), ("PROXY TCP4 1.1.1.1 2.2.2.2 1 -1\r\n", .malformedText),
    ("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n", .malformedText), ("PROXY TCP4 1.1.1.256 2.2.2.2 1 2\r\n", .malformedText),
    ("PROXY TCP4 ::1 ::1 1 2\r\n", .malformedText), ("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", .malformedText),
    ("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", .malformedText), ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", .malformedText),
    ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\rX", .malformedText), ("PROXY TCP4 01.1.1.1 2.2.2.2 1 2\r\n", .malformedText),
    ("PROXY UNKNOWN " + String(repeating: "x", count: 100), .textTooLong),
  ])
  func textIsStrict(text: String, error: ProxyError) {
    #expect(parse(text) == .failure(error))
  }

  @Test func theLongestTextIs107Bytes() {
    let text = "PROXY UNKNOWN " + String(repeating: "x", count: 91) + "\r\n"
    #expect(text.utf8.count == 107)
    #expect(parse(text) == .success(Parsed(header: ProxyHeader(.local), length: 107)))
    #expect(parse("PROXY UNKNOWN " + String(repeating: "x", count: 92) + "\r\n") == .failure(.textTooLong))
  }

  @Test func binaryHasTheSpecifiedLayout() throws {
    let header = ProxyHeader(source: try endpoint("192.0.2.1:258"), destination: try endpoint("198.51.100.2:443"))
    let expected = signature + [0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 2, 1, 2, 1, 187]
    #expect(header.encodeV2() == expected)
    #expect(parse(expected + [1, 2]) == .success(Parsed(header: header, length: 28)))
  }

  @Test func localIgnoresItsAddresses() {
    for kind: UInt8 in [0x00, 0x11, 0x7f] {
      let bytes = signature + [0x20, kind, 0, 12] + Array(repeating: 0, count: 12)
      #expect(parse(bytes) == .success(Parsed(header: ProxyHeader(.local), length: 28)), "\(kind)")
    }
    #expect(ProxyHeader(.local).encodeV2() == signature + [0x20, 0, 0, 0])
  }

  @Test func unixAddressesAreSkipped() {
    let bytes = signature + [0x21, 0x31, 0, 216] + Array(repeating: 7, count: 216)
    #expect(parse(bytes) == .success(Parsed(header: ProxyHeader(.unix), length: 232)))
  }

  @Test(
    arguments: [
      ([0x11, 0x11, 0, 12] + Array(repeating: 0, count: 12), ProxyError.unsupportedVersion),
      ([0x22, 0x11, 0, 12] + Array(repeating: 0, count: 12), .unsupportedCommand),
      ([0x21, 0x41, 0, 12] + Array(repeating: 0, count: 12), .unsupportedFamily),
      ([0x21, 0x13, 0, 12] + Array(repeating: 0, count: 12), .unsupportedFamily),
      ([0x21, 0x11, 0, 11] + Array(repeating: 0, count: 11), .shortAddresses),
      ([0x21, 0x21, 0, 35] + Array(repeating: 0, count: 35), .shortAddresses),
      ([0x21, 0x31, 0, 100] + Array(repeating: 0, count: 100), .shortAddresses),
      ([0x21, 0x11, 0xff, 0xff], .tooLong),
      ([0x21, 0x11, 0, 14] + Array(repeating: 0, count: 14), .malformedTLV),
      ([0x21, 0x11, 0, 16] + Array(repeating: 0, count: 12) + [4, 0, 2, 0], .malformedTLV),
      ([0x21, 0x11, 0, 18] + Array(repeating: 0, count: 12) + [3, 0, 3, 0, 0, 0], .malformedTLV),
      ([0x21, 0x11, 0, 19] + Array(repeating: 0, count: 12) + [3, 0, 4, 0, 0, 0, 0], .checksum),
    ] as [([UInt8], ProxyError)])
  func binaryIsStrict(rest: [UInt8], error: ProxyError) {
    #expect(parse(signature + rest) == .failure(error))
  }

  @Test func whatIsWrittenIsReadAtEverySplit() {
    var random = Random(seed: 21)
    for _ in 0..<200 {
      let isV4 = random.below(2) == 0
      func endpoint() -> Endpoint {
        let address =
          isV4
          ? IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
          : IPAddress(v6: random.next() | 1 << 63, random.next())
        return Endpoint(address, UInt16(truncatingIfNeeded: random.next()))
      }
      let header = ProxyHeader(source: endpoint(), destination: endpoint())
      for bytes in [header.encodeV1() ?? [], header.encodeV2(), header.encodeV2(checksum: true)] {
        #expect(parse(bytes) == .success(Parsed(header: header, length: bytes.count)))
        for cut in 0..<bytes.count { #expect(parse(Array(bytes[..<cut])) == .success(nil)) }
      }
      var damaged = header.encodeV2(checksum: true)
      let position = 16 + Int(random.below(12))
      damaged[position] ^= 1 << UInt8(random.below(8))
      #expect(parse(damaged) == .failure(.checksum))
    }
  }

  @Test func datagramsAndMixedFamiliesHaveABinaryForm() throws {
    let datagram = ProxyHeader(
      source: try endpoint("10.0.0.1:53"), destination: try endpoint("10.0.0.2:53"), transport: .datagram)
    #expect(parse(datagram.encodeV2()) == .success(Parsed(header: datagram, length: 28)))
    let mixed = ProxyHeader(source: try endpoint("10.0.0.1:53"), destination: try endpoint("[::1]:53"))
    #expect(mixed.encodeV1() == nil)
    let mapped = ProxyHeader(source: try endpoint("[::ffff:10.0.0.1]:53"), destination: try endpoint("[::1]:53"))
    #expect(parse(mixed.encodeV2()) == .success(Parsed(header: mapped, length: 52)))
  }
}
