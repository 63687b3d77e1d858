internal import COpenSSL

/// Why a handshake came to nothing: a class to count, and OpenSSL's words.
package struct HandshakeFailure: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// What came is not TLS.
    case notTLS = "not-tls"
    /// No common version, cipher, group or signature.
    case mismatch
    /// No certificate for the name, or no common application protocol.
    case name
    /// The peer's certificate is missing or not to be trusted.
    case certificate
    /// The peer gave up, with an alert.
    case alert
    /// The peer went away.
    case closed
    case timeout
    case other
  }

  package let kind: Kind
  package let reason: String

  package init(_ kind: Kind, _ reason: String) {
    self.kind = kind
    self.reason = reason
  }

  /// From the calling thread's queue of errors, which is empty afterwards.
  @unsafe static func last(_ session: OpaquePointer?) -> HandshakeFailure {
    let code = ERR_peek_last_error()
    let number = sluice_is_ssl_error(code) != 0 ? sluice_reason(code) : 0
    let error = CryptoError.last("handshake failed")
    switch number {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      // SAFETY: a constant string.
      let text = unsafe String(cString: X509_verify_cert_error_string(SSL_get_verify_result(session)))
      return HandshakeFailure(.certificate, text)
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return HandshakeFailure(.certificate, "no client certificate")
    case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_WRONG_VERSION_NUMBER, SSL_R_BAD_RECORD_TYPE,
      SSL_R_UNEXPECTED_MESSAGE, SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_UNKNOWN_PROTOCOL:
      return HandshakeFailure(.notTLS, error.reason)
    case SSL_R_NO_SHARED_CIPHER, SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SUITABLE_GROUPS,
      SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_VERSION_TOO_LOW,
      SSL_R_UNSUPPORTED_SSL_VERSION, SSL_R_INAPPROPRIATE_FALLBACK:
      return HandshakeFailure(.mismatch, error.reason)
    case SSL_R_CALLBACK_FAILED, SSL_R_NO_APPLICATION_PROTOCOL: return HandshakeFailure(.name, error.reason)
    case SSL_AD_REASON_OFFSET...(SSL_AD_REASON_OFFSET + 255): return HandshakeFailure(.alert, error.reason)
    default: return HandshakeFailure(.other, error.reason)
    }
  }
}
