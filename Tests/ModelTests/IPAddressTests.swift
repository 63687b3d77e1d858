import Model
import Testing
import Wire

@Suite struct IPAddressTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("192.0.2.1", "192.0.2.1/32"),
    ("::1", "::1/128"),
    ("fd00::/8", "fd00::/8"), ("2001:db8::/32", "2001:db8::/32"), ("2001:db8::/65", "2001:db8::/65"),
    ("192.0.2.128/25", "192.0.2.128/25"),
    ("10.0.0.0/08", "10.0.0.0/8"),
  ])
  func aPrefixReads(text: String, canonical: String) { #expect(IPPrefix(text)?.description == canonical) }

  @Test(arguments: [
    "", "/", "/8", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129", "fd00::1/64",
    "10/8", "10.0.0.0/0008",
    "10.0.0.0/ 8", "10.0.0.0/+8", "a/8",
  ])
  func whatIsNoPrefixIsRefused(text: String) { #expect(IPPrefix(text) == nil) }

  @Test func aPrefixContainsWhatSharesItsBits() throws {
    var random = Random(seed: 31)
    for _ in 0..<3_000 {
      let isFour = random.below(2) == 0
      func draw() -> IPAddress {
        isFour ? IPAddress(v4: UInt32(truncatingIfNeeded: random.next())) : IPAddress(v6: random.next(), random.next())
      }
      let base = draw()
      let length = Int(random.below(UInt32(base.width + 1)))
      let prefix = try #require(IPPrefix(base, length: length))
      // Half of the candidates share the prefix's bits.
      var other = draw()
      if random.below(2) == 0, let bytes = merged(base.bytes, other.bytes, length) { other = bytes }
      let same = bits(base.bytes).prefix(length) == bits(other.bytes).prefix(length)
      #expect(prefix.contains(other) == same)
      #expect(prefix.contains(prefix.address))
      #expect(IPPrefix(prefix.description) == prefix)
    }
  }

  private func bits(_ bytes: [UInt8]) -> [Bool] { bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 == 1 } } }

  private func merged(_ front: [UInt8], _ back: [UInt8], _ length: Int) -> IPAddress? {
    let all = Array(bits(front).prefix(length) + bits(back).dropFirst(length))
    return IPAddress(
      bytes: stride(from: 0, to: all.count, by: 8).map { at in
        all[at..<at + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
      })
  }

  @Test func familiesDoNotContainEachOther() throws {
    #expect(try !#require(IPPrefix("0.0.0.0/0")).contains(.loopbackV6))
    #expect(try !#require(IPPrefix("::/0")).contains(.loopbackV4))
    #expect(IPPrefix(.loopbackV4, length: 33) == nil && IPPrefix(.loopbackV4, length: -1) == nil)
  }

  @Test func aMappedAddressUnmapsToTheOneItMeans() throws {
    let mapped = try #require(IPAddress("::ffff:192.0.2.1"))
    #expect(mapped.isMapped && mapped.family == .v6)
    #expect(mapped.unmapped == IPAddress(192, 0, 2, 1))
    #expect(IPAddress.loopbackV6.unmapped == .loopbackV6)
    #expect(mapped != mapped.unmapped)
  }

  @Test(arguments: [
    ("127.0.0.1", true), ("127.255.0.1", true), ("128.0.0.1", false), ("::1", true), ("::2", false), ("0.0.0.0", false),
  ])
  func loopbackIsKnown(text: String, expected: Bool) { #expect(IPAddress(text)?.isLoopback == expected) }

  @Test func addressesSortByFamilyThenValue() throws {
    let sorted = try ["0.0.0.1", "9.0.0.0", "10.0.0.0", "::", "::1", "1::", "ffff::"].map {
      try #require(IPAddress($0))
    }
    #expect(sorted.reversed().sorted() == sorted)
    #expect(IPAddress(bytes: [1, 2, 3]) == nil)
  }

  @Test func anAccessListDeniesFirst() throws {
    var list = AccessList()
    let (ten, one) = (IPAddress(10, 0, 0, 1), IPAddress(10, 0, 0, 2))
    #expect(list.permits(ten))
    list.deny = [IPPrefix(host: ten)]
    #expect(!list.permits(ten) && list.permits(one))
    list.allow = [try #require(IPPrefix("10.0.0.0/8"))]
    #expect(!list.permits(ten) && list.permits(one) && !list.permits(.loopbackV4))
  }
}
