internal import COpenSSL

/// A hash function of the SHA family.
package enum Digest: Sendable, CaseIterable {
  /// Only where a protocol still names it (NSEC3, old TSIG keys).
  case sha1
  case sha256, sha384, sha512

  /// Of the hash, in bytes.
  package var size: Int {
    switch self {
    case .sha1: 20
    case .sha256: 32
    case .sha384: 48
    case .sha512: 64
    }
  }

  // SAFETY: OpenSSL's own constant tables; they are never freed.
  @unsafe var algorithm: OpaquePointer {
    switch self {
    case .sha1: unsafe EVP_sha1()
    case .sha256: unsafe EVP_sha256()
    case .sha384: unsafe EVP_sha384()
    case .sha512: unsafe EVP_sha512()
    }
  }

  /// The hash of `bytes`: `size` bytes.
  package func hash(_ bytes: Span<UInt8>) -> [UInt8] {
    var length: UInt32 = 0
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { output, count in
      // SAFETY: reads `bytes` during the call and writes `size` bytes, all that there is room for.
      let done = unsafe bytes.withUnsafeBytes {
        unsafe EVP_Digest($0.baseAddress, $0.count, output.baseAddress, &length, algorithm, nil)
      }
      precondition(done == 1, "OpenSSL has no \(self)")
      count = Int(length)
    }
  }

  /// The hash of `bytes`: `size` bytes.
  package func hash(_ bytes: [UInt8]) -> [UInt8] { hash(bytes.span) }

  /// RFC 2104's HMAC of `message`: `size` bytes.
  package func authenticate(_ message: Span<UInt8>, key: Span<UInt8>) -> [UInt8] {
    var length: UInt32 = 0
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { output, count in
      // SAFETY: reads key and message during the call and writes `size` bytes. An empty key needs any address.
      let done = unsafe key.withUnsafeBytes { key in
        unsafe message.withUnsafeBytes { message in
          unsafe HMAC(
            algorithm, key.baseAddress ?? UnsafeRawPointer(output.baseAddress!), Int32(key.count),
            message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count, output.baseAddress, &length)
        }
      }
      precondition(unsafe done != nil, "OpenSSL has no HMAC with \(self)")
      count = Int(length)
    }
  }

  /// RFC 2104's HMAC of `message`: `size` bytes.
  package func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    authenticate(message.span, key: key.span)
  }

  /// Whether `code` is the HMAC of `message`, in constant time. `code` may be cut, as TSIG allows, but not to nothing:
  /// the caller checks that it is as long as its protocol wants.
  package func verifies(_ code: [UInt8], _ message: [UInt8], key: [UInt8]) -> Bool {
    guard !code.isEmpty, code.count <= size else { return false }
    return isEqualInConstantTime(code, Array(authenticate(message, key: key).prefix(code.count)))
  }
}

/// Whether both are the same, in a time that depends on their lengths alone.
package func isEqualInConstantTime(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
  guard one.count == other.count else { return false }
  guard one.count > 0 else { return true }
  // SAFETY: reads `count` bytes of both during the call.
  return unsafe one.withUnsafeBytes { one in
    unsafe other.withUnsafeBytes { unsafe CRYPTO_memcmp(one.baseAddress!, $0.baseAddress!, one.count) == 0 }
  }
}

/// Whether both are the same, in a time that depends on their lengths alone.
package func isEqualInConstantTime(_ one: [UInt8], _ other: [UInt8]) -> Bool {
  isEqualInConstantTime(one.span, other.span)
}

/// `count` bytes that nobody can predict, for keys and nonces.
package func randomBytes(_ count: Int) -> [UInt8] {
  unsafe [UInt8](unsafeUninitializedCapacity: count) { output, used in
    // SAFETY: writes `count` bytes, all that there is room for. It fails only when the system has no entropy source:
    // going on with predictable keys would be worse than ending.
    let done = unsafe RAND_bytes(output.baseAddress, Int32(count))
    precondition(count == 0 || done == 1, "the system gives no random bytes")
    used = count
  }
}
