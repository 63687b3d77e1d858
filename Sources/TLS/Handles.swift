internal import COpenSSL

// References to OpenSSL's objects, each freed with its handle. None is changed after it was made, and OpenSSL counts
// references atomically: so they may be shared by all threads.

/// A certificate.
@safe final class CertificateHandle: Sendable {
  // SAFETY: see above.
  nonisolated(unsafe) let pointer: OpaquePointer
  @unsafe init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }
  deinit { unsafe X509_free(pointer) }
}

/// A private key.
@safe final class KeyHandle: Sendable {
  // SAFETY: see above.
  nonisolated(unsafe) let pointer: OpaquePointer
  @unsafe init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }
  deinit { unsafe EVP_PKEY_free(pointer) }
}

/// What sessions are made from.
@safe final class ContextHandle: Sendable {
  // SAFETY: see above.
  nonisolated(unsafe) let pointer: OpaquePointer

  init(server: Bool) {
    // SAFETY: it fails only without memory.
    unsafe pointer = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method())!
  }

  deinit { unsafe SSL_CTX_free(pointer) }
}

/// Trusted authorities, and what they have revoked.
@safe final class StoreHandle: Sendable {
  // SAFETY: see above.
  nonisolated(unsafe) let pointer: OpaquePointer

  init() {
    // SAFETY: it fails only without memory.
    unsafe pointer = X509_STORE_new()!
  }

  deinit { unsafe X509_STORE_free(pointer) }

  /// Gives the context a reference of its own.
  func use(in context: ContextHandle) {
    unsafe SSL_CTX_set1_cert_store(context.pointer, pointer)
  }
}
