internal import COpenSSL

/// MD5, where a protocol names a file's version by it. It proves nothing.
package func md5Fingerprint(_ bytes: [UInt8]) -> [UInt8] {
  var sum = [UInt8](repeating: 0, count: 16)
  var length: UInt32 = 16
  // SAFETY: MD5 writes 16 bytes.
  let done = unsafe EVP_Digest(bytes, bytes.count, &sum, &length, EVP_md5(), nil)
  return done == 1 ? sum : []
}
