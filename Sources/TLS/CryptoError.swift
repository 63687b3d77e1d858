internal import COpenSSL

/// What OpenSSL had against it, in its words.
package struct CryptoError: Error, Hashable, Sendable, CustomStringConvertible {
  package let reason: String

  package init(_ reason: String) { self.reason = reason }

  package var description: String { reason }

  /// From the calling thread's queue of errors, which is empty afterwards.
  static func last(_ fallback: String) -> CryptoError {
    let code = ERR_get_error()
    ERR_clear_error()
    // SAFETY: a constant string, or nil.
    guard code != 0, let text = unsafe ERR_reason_error_string(code) else { return CryptoError(fallback) }
    return unsafe CryptoError(String(cString: text))
  }
}
