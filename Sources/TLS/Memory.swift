internal import COpenSSL

/// Lends `bytes` to a reader of OpenSSL.
@unsafe func withMemory<Result>(_ bytes: [UInt8], _ body: (OpaquePointer) -> Result) -> Result {
  unsafe bytes.withUnsafeBufferPointer { buffer in
    // SAFETY: the BIO reads the array's memory, which lives through the call, and is freed before it returns. OpenSSL
    // takes an empty buffer only with an address. It fails only without memory.
    var nothing: UInt8 = 0
    return unsafe withUnsafePointer(to: &nothing) { placeholder in
      let bio = unsafe BIO_new_mem_buf(buffer.baseAddress ?? placeholder, Int32(clamping: buffer.count))!
      defer { unsafe BIO_free(bio) }
      return unsafe body(bio)
    }
  }
}

/// What a writer of OpenSSL has written; empty when it failed.
@unsafe func writeToMemory(_ body: (OpaquePointer) -> Bool) -> [UInt8] {
  // SAFETY: the BIO owns the memory that is copied out before it is freed. It fails only without memory.
  let bio = unsafe BIO_new(BIO_s_mem())!
  defer { unsafe BIO_free(bio) }
  guard unsafe body(bio) else { return [] }
  var memory: UnsafeMutablePointer<CChar>?
  let count = unsafe sluice_bio_memory(bio, &memory)
  return unsafe UnsafeBufferPointer(start: memory, count: count).map(UInt8.init(bitPattern:))
}

/// The first certificate of PEM, which the caller frees; nil: there is none.
@unsafe func readCertificate(_ pem: String) -> OpaquePointer? {
  unsafe withMemory(Array(pem.utf8)) { unsafe PEM_read_bio_X509($0, nil, nil, nil) }
}

/// A private key from PEM; the caller frees it. A passphrase is never asked for.
@unsafe func readPrivateKey(_ pem: [UInt8]) throws(CryptoError) -> OpaquePointer {
  ERR_clear_error()
  let key = unsafe withMemory(pem) { bio in
    // SAFETY: the callback is called instead of a prompt on the terminal; -1 says that there is no passphrase.
    unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
  }
  guard let key = unsafe key else {
    let text = String(decoding: pem, as: UTF8.self)
    let error = CryptoError.last("of no known kind")
    guard text.contains("PRIVATE KEY-----") else { throw CryptoError("no private key in it") }
    guard !text.contains("ENCRYPTED") else {
      throw CryptoError("the private key has a passphrase; store it without one")
    }
    throw CryptoError("the private key in it is damaged: \(error.reason)")
  }
  return unsafe key
}
