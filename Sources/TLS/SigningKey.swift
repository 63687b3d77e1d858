internal import COpenSSL

/// An ECDSA key on P-256 with SHA-256: DNSSEC's algorithm 13, JWT's ES256. Shared by all threads.
@safe package final class SigningKey: Sendable {
  // SAFETY: an EVP_PKEY is not changed after it was made, and may then be used by many threads; freed once, in deinit.
  private nonisolated(unsafe) let key: OpaquePointer

  @unsafe private init(owning key: OpaquePointer) { unsafe self.key = key }

  deinit { unsafe EVP_PKEY_free(key) }

  /// A new key.
  package static func generate() throws(CryptoError) -> SigningKey {
    guard let key = unsafe sluice_generate_p256() else { throw .last("cannot make a key") }
    return unsafe SigningKey(owning: key)
  }

  /// From PEM text (PKCS #8 or SEC 1), without a passphrase.
  package convenience init(pem: String) throws(CryptoError) {
    let key = try unsafe readPrivateKey(Array(pem.utf8))
    // SAFETY: the key lives here; the group's name is one of OpenSSL's short texts.
    var name = [CChar](repeating: 0, count: 64)
    var length = 0
    let known = unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1
    guard known, String(decoding: name.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self) == "prime256v1"
    else {
      ERR_clear_error()
      unsafe EVP_PKEY_free(key)
      throw CryptoError("not an ECDSA key on P-256")
    }
    unsafe self.init(owning: key)
  }

  /// PKCS #8, unencrypted.
  package var pem: String {
    let text = unsafe writeToMemory { unsafe PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) == 1 }
    return String(decoding: text, as: UTF8.self)
  }

  /// x ‖ y, 64 bytes: as DNSKEY has it (RFC 6605 §4).
  package var publicKey: [UInt8] {
    var memory: UnsafeMutablePointer<UInt8>?
    // SAFETY: the library allocates `count` bytes, which are copied and freed here.
    let count = unsafe EVP_PKEY_get1_encoded_public_key(key, &memory)
    defer { unsafe sluice_openssl_free(memory) }
    precondition(count == 65, "a P-256 point has 65 bytes")
    return unsafe Array(UnsafeBufferPointer(start: memory, count: count).dropFirst())
  }

  /// r ‖ s, 64 bytes (RFC 6605 §4), over the SHA-256 of `message`.
  package func sign(_ message: [UInt8]) throws(CryptoError) -> [UInt8] {
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    var length = 128
    var signature = [UInt8](repeating: 0, count: length)
    // SAFETY: the signature is DER of at most 72 bytes; `length` says how much room there is.
    guard unsafe EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
      unsafe EVP_DigestSign(context, &signature, &length, message, message.count) == 1
    else { throw .last("cannot sign") }
    return try SigningKey.raw(Array(signature.prefix(length)))
  }

  private static func raw(_ encoded: [UInt8]) throws(CryptoError) -> [UInt8] {
    var raw = [UInt8](repeating: 0, count: 64)
    let done = unsafe encoded.withUnsafeBufferPointer { encoded -> Bool in
      // SAFETY: the parsed signature is freed here; r and s belong to it. Each is written into 32 bytes of `raw`.
      var position = encoded.baseAddress
      guard let parsed = unsafe d2i_ECDSA_SIG(nil, &position, encoded.count) else { return false }
      defer { unsafe ECDSA_SIG_free(parsed) }
      return unsafe raw.withUnsafeMutableBufferPointer { raw in
        unsafe BN_bn2binpad(ECDSA_SIG_get0_r(parsed), raw.baseAddress!, 32) == 32
          && BN_bn2binpad(ECDSA_SIG_get0_s(parsed), raw.baseAddress! + 32, 32) == 32
      }
    }
    guard done else { throw .last("not a signature") }
    return raw
  }

  /// Whether `signature` (r ‖ s) is `message`'s by the key whose `publicKey` (x ‖ y) is given.
  package static func verifies(_ signature: [UInt8], _ message: [UInt8], publicKey: [UInt8]) -> Bool {
    guard signature.count == 64, publicKey.count == 64 else { return false }
    defer { ERR_clear_error() }
    // SAFETY: everything made here is freed here; OpenSSL takes over r and s when ECDSA_SIG_set0 succeeds, which it
    // does for two that are not nil.
    guard let key = unsafe EVP_PKEY_new(), let group = unsafe sluice_generate_p256() else { return false }
    defer {
      unsafe EVP_PKEY_free(key)
      unsafe EVP_PKEY_free(group)
    }
    let point = [4] + publicKey
    guard unsafe EVP_PKEY_copy_parameters(key, group) == 1,
      unsafe EVP_PKEY_set1_encoded_public_key(key, point, point.count) == 1
    else { return false }
    guard let parsed = unsafe ECDSA_SIG_new() else { return false }
    defer { unsafe ECDSA_SIG_free(parsed) }
    guard let r = unsafe BN_bin2bn(Array(signature.prefix(32)), 32, nil),
      let s = unsafe BN_bin2bn(Array(signature.suffix(32)), 32, nil), unsafe ECDSA_SIG_set0(parsed, r, s) == 1
    else { return false }
    var encoded: UnsafeMutablePointer<UInt8>?
    let count = unsafe i2d_ECDSA_SIG(parsed, &encoded)
    guard count > 0 else { return false }
    defer { unsafe sluice_openssl_free(encoded) }
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    return unsafe EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
      && EVP_DigestVerify(context, encoded, Int(count), message, message.count) == 1
  }
}
