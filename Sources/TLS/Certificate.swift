internal import COpenSSL
internal import Glibc
package import Model

/// Why an operator's file cannot be used: its name, and what is wrong with it.
package struct MaterialError: Error, Hashable, Sendable, CustomStringConvertible {
  package let file: String
  package let reason: String

  package init(_ file: FileBytes, _ reason: String) {
    self.file = file.path
    self.reason = reason
  }

  package var description: String { "\(file): \(reason)" }
}

/// A certificate with its chain and key, parsed and found to belong together. Shared by all threads.
package final class Certificate: Sendable {
  let leaf: CertificateHandle
  let key: KeyHandle
  let issuers: [CertificateHandle]
  let staple: [UInt8]?
  /// Seconds since 1970, until which the OCSP response holds; nil: it does not say, or there is none.
  package let stapleEnd: Int64?
  /// DNS names, lower case; some may begin with "*.".
  package let names: [String]
  /// Seconds since 1970.
  package let notBefore: Int64
  package let notAfter: Int64
  /// RFC 4514.
  package let subject: String
  package let kind: KeyKind

  package enum KeyKind: String, Hashable, Sendable { case rsa = "RSA", ecdsa = "ECDSA", ed25519 = "Ed25519", other }

  package init(_ files: CertificateFiles) throws(MaterialError) {
    let chain = try readCertificates(files.chain)
    let leaf = chain[0]
    do throws(CryptoError) { key = try unsafe KeyHandle(owning: readPrivateKey(files.key.bytes)) } catch {
      throw MaterialError(files.key, error.reason)
    }
    let belongs = unsafe X509_check_private_key(leaf.pointer, key.pointer) == 1
    ERR_clear_error()
    guard belongs else { throw MaterialError(files.key, "the private key is not that of \(files.chain.path)") }
    stapleEnd = if let staple = files.staple { try Certificate.check(staple, about: leaf) } else { nil }
    self.leaf = leaf
    issuers = Array(chain.dropFirst())
    staple = files.staple?.bytes
    names = Certificate.names(leaf)
    // SAFETY: borrowed from the certificate.
    unsafe notBefore = seconds(X509_get0_notBefore(leaf.pointer))
    unsafe notAfter = seconds(X509_get0_notAfter(leaf.pointer))
    unsafe subject = nameText(X509_get_subject_name(leaf.pointer))
    kind =
      switch unsafe EVP_PKEY_get_base_id(key.pointer) {
      case EVP_PKEY_RSA, EVP_PKEY_RSA_PSS: .rsa
      case EVP_PKEY_EC: .ecdsa
      case EVP_PKEY_ED25519: .ed25519
      default: .other
      }
  }

  /// SHA-256 of the certificate, lower-case hexadecimal.
  package var fingerprint: String { unsafe TLS.fingerprint(leaf.pointer) }

  /// The subject's alternative names; of an old certificate without any, its common name.
  private static func names(_ certificate: CertificateHandle) -> [String] {
    var result: [String] = []
    // SAFETY: the decoded extension is freed here; its strings are copied.
    if let decoded = unsafe X509_get_ext_d2i(certificate.pointer, NID_subject_alt_name, nil, nil) {
      let names = OpaquePointer(decoded)
      defer { unsafe sluice_names_free(names) }
      let count = unsafe sluice_names_count(names)
      for index in 0..<count {
        guard let text = unsafe sluice_dns_name(sluice_name_at(names, index)) else { continue }
        let bytes = unsafe UnsafeBufferPointer(start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text)))
        result.append(unsafe String(decoding: bytes, as: UTF8.self).lowercased())
      }
    }
    if result.isEmpty {
      var buffer = [CChar](repeating: 0, count: 256)
      let count = unsafe X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate.pointer), NID_commonName, &buffer, Int32(buffer.count))
      if count > 0 {
        let text = buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
        result.append(String(decoding: text, as: UTF8.self).lowercased())
      }
    }
    ERR_clear_error()
    return result
  }

  /// Until when the response holds.
  private static func check(_ staple: FileBytes, about leaf: CertificateHandle) throws(MaterialError) -> Int64? {
    defer { ERR_clear_error() }
    let response = unsafe staple.bytes.withUnsafeBufferPointer { buffer in
      var position = buffer.baseAddress
      return unsafe d2i_OCSP_RESPONSE(nil, &position, buffer.count)
    }
    // SAFETY: what was parsed is freed here; the single response is borrowed from it.
    guard let response = unsafe response else { throw MaterialError(staple, "not an OCSP response (DER)") }
    defer { unsafe OCSP_RESPONSE_free(response) }
    guard unsafe OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL else {
      throw MaterialError(staple, "the OCSP responder gave no answer")
    }
    guard let basic = unsafe OCSP_response_get1_basic(response) else {
      throw MaterialError(staple, "an OCSP response of an unknown kind")
    }
    defer { unsafe OCSP_BASICRESP_free(basic) }
    guard let single = unsafe OCSP_resp_get0(basic, 0), unsafe sluice_ocsp_is_about(single, leaf.pointer) == 1 else {
      throw MaterialError(staple, "the OCSP response is about another certificate")
    }
    var end: UnsafeMutablePointer<ASN1_TIME>?
    // SAFETY: borrowed from the response.
    _ = unsafe OCSP_single_get0_status(single, nil, nil, nil, &end)
    return unsafe end.map { unsafe seconds($0) }
  }
}

/// All certificates of a PEM file; at least one.
func readCertificates(_ file: FileBytes) throws(MaterialError) -> [CertificateHandle] {
  ERR_clear_error()
  var found: [CertificateHandle] = []
  var broken = false
  unsafe withMemory(file.bytes) { bio in
    while let certificate = unsafe PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) {
      unsafe found.append(CertificateHandle(owning: certificate))
    }
    // The end of the file is an error of its own: no further start line.
    broken = sluice_reason(ERR_peek_last_error()) != PEM_R_NO_START_LINE
  }
  let error = CryptoError.last("no certificate in it")
  guard !broken else { throw MaterialError(file, "a certificate in it is damaged: \(error.reason)") }
  guard !found.isEmpty else { throw MaterialError(file, "no certificate in it") }
  return found
}

/// Seconds since 1970.
@unsafe func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
  var parts = unsafe tm()
  // SAFETY: writes the local.
  guard unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
  return unsafe Int64(timegm(&parts))
}

/// RFC 4514 text in ASCII: other bytes, and control characters, are escaped.
@unsafe func nameText(_ name: OpaquePointer?) -> String {
  let text = unsafe writeToMemory { unsafe sluice_print_name($0, name) >= 0 }
  return String(decoding: text, as: UTF8.self)
}

@unsafe func commonName(_ certificate: OpaquePointer?) -> String {
  let name = unsafe X509_get_subject_name(certificate)
  var last: Int32 = -1
  while true {
    let next = unsafe X509_NAME_get_index_by_NID(name, NID_commonName, last)
    guard next >= 0 else { break }
    last = next
  }
  guard last >= 0, let text = unsafe X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)) else { return "" }
  var memory: UnsafeMutablePointer<UInt8>?
  // SAFETY: OpenSSL's copy, freed here.
  let count = unsafe ASN1_STRING_to_UTF8(&memory, text)
  guard count >= 0, let bytes = unsafe memory else { return "" }
  defer { unsafe sluice_openssl_free(bytes) }
  return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
}

@unsafe func fingerprint(_ certificate: OpaquePointer?) -> String {
  var bytes = [UInt8](repeating: 0, count: 32)
  var count: UInt32 = 0
  // SAFETY: SHA-256 writes 32 bytes.
  guard unsafe X509_digest(certificate, EVP_sha256(), &bytes, &count) == 1 else { return "" }
  return bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}
