import TLS
import Testing

@Suite struct CryptoTests {
  private func bytes(_ hexadecimal: String) -> [UInt8] {
    var result: [UInt8] = []
    var text = Substring(hexadecimal)
    while !text.isEmpty {
      result.append(UInt8(text.prefix(2), radix: 16)!)
      text = text.dropFirst(2)
    }
    return result
  }

  /// FIPS 180-2, appendices A to D.
  @Test(arguments: [
    (Digest.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      .sha384,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
    ),
    (
      .sha512,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    ),
  ])
  func hashesOfTheStandard(digest: Digest, expected: String) {
    #expect(digest.hash(Array("abc".utf8)) == bytes(expected))
    #expect(digest.hash([]).count == digest.size)
  }

  /// RFC 4231 §4.2 to §4.4, and §4.7 with a key longer than a block.
  @Test(arguments: [
    (
      [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    ),
    (
      Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    ),
    (
      [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    ),
  ])
  func codesOfTheStandard(key: [UInt8], message: [UInt8], expected: String) {
    let code = Digest.sha256.authenticate(message, key: key)
    #expect(code == bytes(expected))
    #expect(Digest.sha256.verifies(code, message, key: key))
    #expect(Digest.sha256.verifies(Array(code.prefix(16)), message, key: key))
    #expect(!Digest.sha256.verifies([], message, key: key))
    #expect(!Digest.sha256.verifies(code + [0], message, key: key))
    #expect(!Digest.sha256.verifies(code, message + [0], key: key))
  }

  @Test func emptyKeysAndMessages() {
    #expect(
      Digest.sha256.authenticate([], key: [])
        == bytes("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"))
  }

  @Test func comparison() {
    #expect(isEqualInConstantTime([], []))
    #expect(isEqualInConstantTime([1, 2], [1, 2]))
    #expect(!isEqualInConstantTime([1, 2], [1, 3]))
    #expect(!isEqualInConstantTime([1, 2], [1, 2, 3]))
  }

  @Test func randomBytesDiffer() {
    #expect(randomBytes(0).isEmpty)
    #expect(randomBytes(32).count == 32)
    #expect(randomBytes(32) != randomBytes(32))
  }

  /// RFC 4648 §10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64(text: String, encoded: String) {
    #expect(Base64.encode(Array(text.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(text.utf8))
  }

  @Test(arguments: ["Z", "Zg=", "Zg===", "====", "Z===", "Zm9v!", "Z=g=", "Zm9vZg==Zg=="]) func notBase64(text: String)
  {
    #expect(Base64.decode(text) == nil)
  }

  @Test func base64WithLineBreaks() { #expect(Base64.decode("Zm9v\r\n YmFy\n") == Array("foobar".utf8)) }

  @Test func signatures() throws {
    let key = try SigningKey.generate()
    let copy = try SigningKey(pem: key.pem)
    #expect(key.publicKey.count == 64)
    #expect(copy.publicKey == key.publicKey)
    let message = Array("a zone".utf8)
    for _ in 0..<50 {
      let signature = try copy.sign(message)
      #expect(signature.count == 64)
      #expect(SigningKey.verifies(signature, message, publicKey: key.publicKey))
      #expect(!SigningKey.verifies(signature, message + [0], publicKey: key.publicKey))
    }
    #expect(!SigningKey.verifies([UInt8](repeating: 0, count: 64), message, publicKey: key.publicKey))
    #expect(!SigningKey.verifies(try key.sign(message), message, publicKey: [UInt8](repeating: 1, count: 64)))
  }

  /// RFC 6605 §6.1.
  @Test func aKeyOfTheStandard() throws {
    let secret = try #require(Base64.decode("GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ="))
    let encoded = bytes("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420") + secret
    let pem = "-----BEGIN PRIVATE KEY-----\n\(Base64.encode(encoded))\n-----END PRIVATE KEY-----\n"
    #expect(
      Base64.encode(try SigningKey(pem: pem).publicKey)
        == "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==")
  }

  @Test(arguments: ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "nonsense"])
  func notAKey(pem: String) {
    #expect(throws: CryptoError.self) { try SigningKey(pem: pem) }
  }
}
