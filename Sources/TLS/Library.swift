internal import COpenSSL

/// OpenSSL as a whole.
package enum Library {
  /// To be called first in the process: nothing of OpenSSL is taken down when the process ends.
  ///
  /// Threads go on while `exit` runs. By default OpenSSL frees its tables then (OPENSSL_init_crypto(3)), under the feet of
  /// a worker that is only starting.
  package static func open() {
    // SAFETY: no settings.
    _ = unsafe OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil)
  }
}
