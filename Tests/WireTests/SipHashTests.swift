import Testing
import Wire

/// The reference implementation's vectors for SipHash-2-4: key 00…0f, message 00…(n-1).
@Suite struct SipHashTests {
  private static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

  @Test(
    arguments: [
      (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (2, 0x0d6c_8009_d9a9_4f5a), (3, 0x8567_6696_d7fb_7e2d),
      (4, 0xcf27_94e0_2771_87b7), (5, 0x1876_5564_cd99_a68d), (6, 0xcbc9_466e_58fe_e3ce), (7, 0xab02_00f5_8b01_d137),
      (8, 0x93f5_f579_9a93_2462), (9, 0x9e00_82df_0ba9_e4b0), (15, 0xa129_ca61_49be_45e5), (63, 0x958a_324c_eb06_4572),
    ] as [(Int, UInt64)])
  func agreesWithTheReference(length: Int, expected: UInt64) {
    let message = (0..<length).map { UInt8($0) }
    var hash = SipHash(key: Self.key)
    hash.update(message.span)
    #expect(hash.finish() == expected)
  }

  @Test func howTheBytesArriveDoesNotMatter() {
    var random = Random(seed: 3)
    for _ in 0..<500 {
      let message = (0..<random.below(60)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      var whole = SipHash(key: (1, 2))
      whole.update(message.span)
      var parts = SipHash(key: (1, 2))
      var index = 0
      while index < message.count {
        if message.count - index >= 8, random.below(2) == 0 {
          parts.update((0..<8).reduce(UInt64(0)) { $0 | UInt64(message[index + $1]) << UInt64($1 * 8) })
          index += 8
        } else {
          parts.update(message[index])
          index += 1
        }
      }
      #expect(parts.finish() == whole.finish())
    }
  }

  @Test func textIsItsUTF8AndTheKeyMatters() {
    func hash(_ key: UInt64, _ body: (inout SipHash) -> Void) -> UInt64 {
      var hash = SipHash(key: (key, 0))
      body(&hash)
      return hash.finish()
    }
    #expect(hash(1) { $0.update("é") } == hash(1) { $0.update([0xc3, 0xa9].span) })
    #expect(hash(1) { $0.update("a") } != hash(2) { $0.update("a") })
  }
}
