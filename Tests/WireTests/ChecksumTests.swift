import Testing
import Wire

@Suite struct ChecksumTests {
  private func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum = InternetChecksum()
    sum.update(bytes.span)
    return sum.finish()
  }

  @Test func theExampleOfRFC1071() {
    // §3: the sum of 0001 f203 f4f5 f6f7 is ddf2.
    #expect(checksum([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]) == ~0xddf2)
  }

  @Test func anIPv4HeaderWithItsChecksumSumsToZero() {
    let header: [UInt8] = [
      0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00,
      0xc7,
    ]
    #expect(checksum(header) == 0)
    var without = header
    without[10] = 0
    without[11] = 0
    #expect(checksum(without) == 0xb861)
  }

  @Test func nothingAndAnOddByte() {
    #expect(checksum([]) == 0xffff)
    #expect(checksum([0xab]) == ~0xab00)
    #expect(checksum([0xff, 0xff]) == 0)
  }

  @Test func howTheBytesArriveDoesNotMatter() {
    var random = Random(seed: 5)
    for _ in 0..<300 {
      let bytes = (0..<random.below(100)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let cut = Int(random.below(UInt32(bytes.count + 1)))
      var sum = InternetChecksum()
      sum.update(Array(bytes[..<cut]).span)
      sum.update(Array(bytes[cut...]).span)
      #expect(sum.finish() == checksum(bytes))
    }
  }

  @Test func aWordCountsLikeItsBytesWhereverItIsAdded() {
    // The pseudo-header's words come before or after the message, whose length may be odd.
    var before = InternetChecksum()
    before.update(word: 0x1234)
    before.update([0xab, 0xcd, 0xef].span)
    var after = InternetChecksum()
    after.update([0xab, 0xcd, 0xef].span)
    after.update(word: 0x1234)
    let expected = checksum([0x12, 0x34, 0xab, 0xcd, 0xef])
    #expect(before.finish() == expected)
    #expect(after.finish() == expected)
  }
}
