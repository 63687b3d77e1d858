internal import COpenSSL

/// AES-256-GCM (NIST SP 800-38D): bytes that only holders of the key can read or make.
package enum SealedBox {
  package static let keySize = 32
  package static let tagSize = 16

  /// The ciphertext, followed by the tag.
  ///
  /// - Parameters:
  ///   - header: not in the result, but sealed with it.
  ///   - nonce: never twice under one key. It stands in the last 8 of the 12 bytes, big-endian.
  ///   - key: 32 bytes.
  package static func seal(_ plain: [UInt8], header: [UInt8], nonce: UInt64, key: [UInt8]) -> [UInt8] {
    precondition(key.count == keySize)
    // SAFETY: the context is freed here; the result has room for the text, which GCM does not pad, and for the tag.
    let context = unsafe EVP_CIPHER_CTX_new()
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    var result = [UInt8](repeating: 0, count: plain.count + tagSize)
    var tag = [UInt8](repeating: 0, count: tagSize)
    var (count, rest): (Int32, Int32) = (0, 0)
    let done =
      unsafe EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, iv(nonce)) == 1
      && EVP_EncryptUpdate(context, nil, &count, header, Int32(header.count)) == 1
      && EVP_EncryptUpdate(context, &result, &count, plain, Int32(plain.count)) == 1
      && EVP_EncryptFinal_ex(context, &tag, &rest) == 1
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagSize), &tag) == 1
    precondition(done, "OpenSSL has no AES-256-GCM")
    result.replaceSubrange(plain.count..., with: tag)
    return result
  }

  /// What was sealed; nil for anything that was not, under this key, nonce and header.
  package static func open(_ sealed: [UInt8], header: [UInt8], nonce: UInt64, key: [UInt8]) -> [UInt8]? {
    precondition(key.count == keySize)
    guard sealed.count >= tagSize, sealed.count <= Int32.max else { return nil }
    // SAFETY: as above.
    let context = unsafe EVP_CIPHER_CTX_new()
    defer {
      unsafe EVP_CIPHER_CTX_free(context)
      ERR_clear_error()
    }
    let size = sealed.count - tagSize
    var tag = Array(sealed[size...])
    // One byte more, so that there is an address even for an empty text.
    var plain = [UInt8](repeating: 0, count: size + 1)
    var end = [UInt8](repeating: 0, count: tagSize)
    var (count, rest): (Int32, Int32) = (0, 0)
    let isGenuine =
      unsafe EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, iv(nonce)) == 1
      && EVP_DecryptUpdate(context, nil, &count, header, Int32(header.count)) == 1
      && EVP_DecryptUpdate(context, &plain, &count, sealed, Int32(size)) == 1
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagSize), &tag) == 1
      && EVP_DecryptFinal_ex(context, &end, &rest) == 1
    guard isGenuine else { return nil }
    plain.removeLast()
    return plain
  }

  private static func iv(_ nonce: UInt64) -> [UInt8] {
    [0, 0, 0, 0] + stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: nonce >> UInt64($0)) }
  }
}
