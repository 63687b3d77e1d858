internal import COpenSSL
package import Model

extension ContextHandle {
  /// What every context has, a listener's and a pool's.
  func setUp(_ parameters: TLSParameters, server: Bool, tickets: Bool) throws(ParameterError) {
    try parameters.apply(to: self)
    unsafe sluice_set_options(pointer, server ? 1 : 0, tickets ? 0 : 1)
    // PERF: without a record under way a connection owns no buffers: 6.5 KB instead of 40 when idle.
    unsafe sluice_set_modes(
      pointer, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) | Int(SSL_MODE_AUTO_RETRY))
    // PERF: not called for records of application data.
    unsafe SSL_CTX_set_info_callback(pointer) { session, _, _ in unsafe WireBIO.noteStep(session) }
  }

  func use(_ certificate: Certificate, _ files: CertificateFiles) throws(MaterialError) {
    ERR_clear_error()
    // SAFETY: the context takes references of its own.
    guard unsafe SSL_CTX_use_certificate(pointer, certificate.leaf.pointer) == 1 else {
      throw MaterialError(files.chain, CryptoError.last("the certificate cannot be used").reason)
    }
    guard unsafe SSL_CTX_use_PrivateKey(pointer, certificate.key.pointer) == 1 else {
      throw MaterialError(files.key, CryptoError.last("the key cannot be used").reason)
    }
    for issuer in certificate.issuers {
      guard unsafe sluice_add_chain(pointer, issuer.pointer) == 1 else {
        throw MaterialError(files.chain, CryptoError.last("its chain cannot be used").reason)
      }
    }
  }
}

extension StoreHandle {
  /// - Parameter authorities: nil: the system's.
  convenience init(_ authorities: FileBytes?, _ revocations: FileBytes?) throws(MaterialError) {
    self.init()
    // Files of the system that are not there are no error of ours.
    defer { ERR_clear_error() }
    if let authorities {
      // SAFETY: the store counts references of its own.
      for certificate in try readCertificates(authorities) { unsafe X509_STORE_add_cert(pointer, certificate.pointer) }
    } else {
      unsafe X509_STORE_set_default_paths(pointer)
    }
    if let revocations {
      // SAFETY: the store counts a reference of its own.
      try unsafe forEachList(in: revocations) { unsafe X509_STORE_add_crl(pointer, $0) }
      unsafe X509_STORE_set_flags(pointer, UInt(X509_V_FLAG_CRL_CHECK) | UInt(X509_V_FLAG_CRL_CHECK_ALL))
    }
  }
}

/// Each list is the callee's until it returns.
@unsafe private func forEachList(in file: FileBytes, _ body: (OpaquePointer) -> Void) throws(MaterialError) {
  ERR_clear_error()
  var broken = false
  var count = 0
  unsafe withMemory(file.bytes) { bio in
    while let list = unsafe PEM_read_bio_X509_CRL(bio, nil, { _, _, _, _ in -1 }, nil) {
      unsafe body(list)
      unsafe X509_CRL_free(list)
      count += 1
    }
    broken = sluice_reason(ERR_peek_last_error()) != PEM_R_NO_START_LINE
  }
  let error = CryptoError.last("no revocation list in it")
  guard !broken else { throw MaterialError(file, "a revocation list in it is damaged: \(error.reason)") }
  guard count > 0 else { throw MaterialError(file, "no revocation list in it") }
}

/// Whether authorities and revocations can be used.
package enum TrustCheck {
  /// Returns when the first of the revocation lists ends, in seconds since 1970; nil: none does.
  @discardableResult
  package static func check(authorities: FileBytes?, revocations: FileBytes?) throws(MaterialError) -> Int64? {
    _ = try StoreHandle(authorities, revocations)
    var end: Int64?
    if let revocations {
      try unsafe forEachList(in: revocations) {
        // SAFETY: borrowed from the list, for the call.
        guard let next = unsafe X509_CRL_get0_nextUpdate($0) else { return }
        unsafe end = min(end ?? .max, seconds(next))
      }
    }
    return end
  }
}
