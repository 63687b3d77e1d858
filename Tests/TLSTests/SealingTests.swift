import TLS
import Testing

@Suite struct SealingTests {
  @Test func bothSidesOfAnAgreementComeToTheSame() {
    let (one, other) = (KeyAgreement.pair(), KeyAgreement.pair())
    let agreed = KeyAgreement.agree(secret: one.secret, shared: other.shared)
    #expect(agreed?.count == 32)
    #expect(agreed == KeyAgreement.agree(secret: other.secret, shared: one.shared))
    #expect(agreed != KeyAgreement.agree(secret: one.secret, shared: one.shared))
    #expect(KeyAgreement.publicValue(of: one.secret) == one.shared)
  }

  @Test func valuesOfLowOrderAndOfAnotherLengthAreRefused() {
    let pair = KeyAgreement.pair()
    #expect(KeyAgreement.agree(secret: pair.secret, shared: [UInt8](repeating: 0, count: 32)) == nil)
    #expect(KeyAgreement.agree(secret: pair.secret, shared: [1] + [UInt8](repeating: 0, count: 31)) == nil)
    #expect(KeyAgreement.agree(secret: pair.secret, shared: [1, 2, 3]) == nil)
    #expect(KeyAgreement.publicValue(of: []) == nil)
  }

  @Test func onlyWhatWasSealedOpens() {
    let key = randomBytes(32)
    for length in [0, 1, 15, 16, 17, 1_000] {
      let plain = randomBytes(length)
      let sealed = SealedBox.seal(plain, header: [1, 2], nonce: 7, key: key)
      #expect(sealed.count == length + 16)
      #expect(SealedBox.open(sealed, header: [1, 2], nonce: 7, key: key) == plain)
      #expect(SealedBox.open(sealed, header: [1, 3], nonce: 7, key: key) == nil)
      #expect(SealedBox.open(sealed, header: [1, 2], nonce: 8, key: key) == nil)
      #expect(SealedBox.open(sealed, header: [1, 2], nonce: 7, key: randomBytes(32)) == nil)
      for index in [0, length, sealed.count - 1] {
        var changed = sealed
        changed[index] ^= 0x10
        #expect(SealedBox.open(changed, header: [1, 2], nonce: 7, key: key) == nil)
      }
      #expect(SealedBox.open(Array(sealed.dropLast()), header: [1, 2], nonce: 7, key: key) == nil)
    }
    #expect(SealedBox.open([1, 2, 3], header: [], nonce: 0, key: key) == nil)
  }
}
