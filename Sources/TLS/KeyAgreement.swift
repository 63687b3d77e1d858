internal import COpenSSL

/// X25519 (RFC 7748): two sides that have each other's public value, and their own secret one, come to the same 32 bytes.
package enum KeyAgreement {
  package static let size = 32

  /// A fresh pair: 32 bytes each.
  package static func pair() -> (secret: [UInt8], shared: [UInt8]) {
    let secret = randomBytes(size)
    // Every 32 bytes are a valid secret (RFC 7748 §5 clamps them). An OpenSSL without X25519 leaves zeros, which every other
    // side refuses as a value of low order: no connection comes about.
    let shared = publicValue(of: secret) ?? [UInt8](repeating: 0, count: size)
    return (secret, shared)
  }

  /// The public value that belongs to a secret one; nil unless that has 32 bytes.
  package static func publicValue(of secret: [UInt8]) -> [UInt8]? {
    // SAFETY: the key is freed here; the value has 32 bytes, and `length` says that there is room for them.
    let key = unsafe EVP_PKEY_new_raw_private_key_ex(nil, "X25519", nil, secret, secret.count)
    defer { unsafe EVP_PKEY_free(key) }
    var value = [UInt8](repeating: 0, count: size)
    var length = size
    guard unsafe key != nil, unsafe EVP_PKEY_get_raw_public_key(key, &value, &length) == 1, length == size else {
      ERR_clear_error()
      return nil
    }
    return value
  }

  /// nil for values of another length, and for those of low order, which would make the result known to everybody.
  package static func agree(secret: [UInt8], shared: [UInt8]) -> [UInt8]? {
    // SAFETY: both keys and the context are freed here (freeing nil does nothing); `length` says how much room there is.
    let own = unsafe EVP_PKEY_new_raw_private_key_ex(nil, "X25519", nil, secret, secret.count)
    let other = unsafe EVP_PKEY_new_raw_public_key_ex(nil, "X25519", nil, shared, shared.count)
    defer {
      unsafe EVP_PKEY_free(own)
      unsafe EVP_PKEY_free(other)
      ERR_clear_error()
    }
    guard unsafe own != nil, unsafe other != nil else { return nil }
    let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, own, nil)
    defer { unsafe EVP_PKEY_CTX_free(context) }
    var result = [UInt8](repeating: 0, count: size)
    var length = size
    guard unsafe EVP_PKEY_derive_init(context) == 1, unsafe EVP_PKEY_derive_set_peer(context, other) == 1,
      unsafe EVP_PKEY_derive(context, &result, &length) == 1, length == size
    else { return nil }
    return result
  }
}
