import Model
import Testing
import Wire

@Suite struct AddressTextTests {
  /// RFC 5952: what is written, and the one way to print it.
  @Test(arguments: [
    // §4.1, leading zeros
    ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:0:0:0:0:abcd", "2001:db8::abcd"),
    // §4.2.1, as short as possible
    ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"), ("2001:db8::0:1", "2001:db8::1"),
    // §4.2.2, one zero group is not shortened
    ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    // §4.2.3, the longest run, the first of equals
    ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    // §4.3, lower case
    ("2001:DB8::AbCd", "2001:db8::abcd"),
    // §5, mapped addresses as a dotted quad
    ("::ffff:c000:0201", "::ffff:192.0.2.1"), ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
    ("::FFFF:0.0.0.0", "::ffff:0.0.0.0"),
    ("0:0:0:0:0:0:0:0", "::"), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("0:0:0:0:0:0:0:1", "::1"),
    ("1:0:0:0:0:0:0:0", "1::"),
    ("fe80::", "fe80::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ("0:0:1::", "0:0:1::"),
    ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
  ])
  func anAddressPrintsInItsCanonicalForm(text: String, canonical: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == canonical)
    #expect(IPAddress(canonical) == address)
  }

  @Test(arguments: [
    "", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.", ".1.2.3", "1..2.3",
    "+1.2.3.4", "1.2.3.4 ",
    " 1.2.3.4", "0x1.2.3.4", "1.2.3.999", "1.2.3.1000", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "1::2::3", "1:::2", ":1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "12345::", "::g", "::1%eth0", "[::1]", "::1.2.3",
    "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4",
    "::1.2.3.04", "1.2.3.4::", "::-1", "::１", "1.2.3.٤",
  ])
  func whatIsNoAddressIsRefused(text: String) { #expect(IPAddress(text) == nil) }

  @Test func everyAddressReadsBackFromItsText() {
    var random = Random(seed: 21)
    for _ in 0..<3_000 {
      // Sparse words make runs of zeros.
      func word() -> UInt64 {
        (0..<4).reduce(UInt64(0)) { sum, _ in sum << 16 | (random.below(2) == 0 ? 0 : UInt64(random.below(0x1_0000))) }
      }
      let six = IPAddress(v6: word(), word())
      #expect(IPAddress(six.description) == six)
      #expect(IPAddress(bytes: six.bytes) == six)
      let four = IPAddress(v4: UInt32(truncatingIfNeeded: random.next()))
      #expect(IPAddress(four.description) == four)
      #expect(IPAddress(bytes: four.bytes) == four)
      let endpoint = Endpoint(random.below(2) == 0 ? six : four, UInt16(random.below(0x1_0000)))
      #expect(Endpoint(endpoint.description) == endpoint)
      #expect(SocketAddress(endpoint.description) == .ip(endpoint))
    }
  }

  @Test(arguments: [
    ("192.0.2.1:80", "192.0.2.1:80"), ("[2001:DB8::1]:443", "[2001:db8::1]:443"), ("[::]:0", "[::]:0"),
    ("1.2.3.4:65535", "1.2.3.4:65535"),
    ("1.2.3.4:00080", "1.2.3.4:80"),
  ])
  func anEndpointReads(text: String, canonical: String) { #expect(Endpoint(text)?.description == canonical) }

  @Test(arguments: [
    "", ":", ":80", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:8 0", "1.2.3.4:000080",
    "[1.2.3.4]:80", "::1:80", "[::1]", "[::1]80",
    "[]:80", "[:80", "]:80", "[::1:80", "::1]:80", "localhost:80", "1.2.3.4:80x", "[::1]:", "[[::1]]:80",
  ])
  func whatIsNoEndpointIsRefused(text: String) { #expect(Endpoint(text) == nil) }

  @Test func aUnixSocketsPathFitsItsStructure() {
    #expect(SocketAddress("unix:/run/a.sock") == .unix("/run/a.sock"))
    #expect(SocketAddress("unix:@abstract") == .unix("@abstract"))
    #expect(SocketAddress("unix:@abstract")?.description == "unix:@abstract")
    let longest = "/" + String(repeating: "a", count: 106)
    #expect(SocketAddress("unix:\(longest)") == .unix(longest))
    for text in ["unix:", "unix:relative", "unix:\(longest)a", "UNIX:/a", "/run/a.sock"] {
      #expect(SocketAddress(text) == nil, "\(text)")
    }
  }
}
