internal import COpenSSL

/// Issues X.509 certificates: an authority of one key, for machines that know only each other.
@safe package final class CertificateAuthority: Sendable {
  /// A certificate with its key, as PEM.
  package struct Issued: Hashable, Sendable {
    package var certificate: String
    package var key: String
    /// Uppercase hexadecimal digits, unique for each certificate of an authority.
    package var serial: String
  }

  // SAFETY: an X509 and an EVP_PKEY that nobody changes after `init`; freed once, in deinit.
  private nonisolated(unsafe) let certificate: OpaquePointer
  private nonisolated(unsafe) let key: OpaquePointer
  package let pem: String

  /// - Throws: when the texts are no certificate and key.
  package init(certificate: String, key: String) throws(CryptoError) {
    unsafe self.key = try unsafe readPrivateKey(Array(key.utf8))
    guard let parsed = unsafe readCertificate(certificate) else {
      unsafe EVP_PKEY_free(self.key)
      throw .last("not a certificate")
    }
    unsafe self.certificate = parsed
    pem = certificate
  }

  deinit {
    unsafe X509_free(certificate)
    unsafe EVP_PKEY_free(key)
  }

  /// A new authority, valid for `days`.
  package static func create(name: String, days: Int) throws(CryptoError) -> Issued {
    try unsafe issue(name: name, days: days, extensions: authorityExtensions, signer: nil)
  }

  private static let authorityExtensions: [(Int32, String)] = [
    (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
    (NID_subject_key_identifier, "hash"),
  ]

  /// A certificate for one machine: its name is in the subject and among the DNS names.
  package func issue(name: String, days: Int, isServer: Bool) throws(CryptoError) -> Issued {
    let extensions: [(Int32, String)] = [
      (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
      (NID_ext_key_usage, isServer ? "serverAuth" : "clientAuth"), (NID_subject_key_identifier, "hash"),
      (NID_subject_alt_name, "DNS:\(name)"),
    ]
    return try unsafe CertificateAuthority.issue(
      name: name, days: days, extensions: extensions, signer: (certificate, key))
  }

  @unsafe private static func issue(
    name: String, days: Int, extensions: [(Int32, String)], signer: (certificate: OpaquePointer, key: OpaquePointer)?
  ) throws(CryptoError) -> Issued {
    guard !name.contains(where: { ",:\n\r".contains($0) }) else { throw CryptoError("\(name) cannot be a subject") }
    guard let key = unsafe sluice_generate_p256() else { throw .last("cannot make a key") }
    defer { unsafe EVP_PKEY_free(key) }
    guard let certificate = unsafe X509_new() else { throw .last("cannot make a certificate") }
    defer { unsafe X509_free(certificate) }
    // RFC 5280 section 4.1.2.2: positive, at most 20 bytes, and not to be guessed.
    var serial = randomBytes(16)
    serial[0] = serial[0] & 0x7f | 0x40
    // SAFETY: every object below is the certificate's own or freed here; names are copied by the calls.
    let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
    defer { unsafe BN_free(number) }
    let subject = unsafe X509_get_subject_name(certificate)
    let isDone =
      unsafe X509_set_version(certificate, 2) == 1
      && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
      // Clocks of machines that have just booted may be behind.
      && X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nil
      && X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), 0, nil) != nil
      && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_FLAG | 1, Array(name.utf8), Int32(name.utf8.count), -1, 0)
        == 1
      && X509_set_issuer_name(certificate, signer.map { unsafe X509_get_subject_name($0.certificate) } ?? subject) == 1
      && X509_set_pubkey(certificate, key) == 1
    guard isDone else { throw .last("cannot fill a certificate") }
    for (kind, value) in extensions {
      var context = unsafe X509V3_CTX()
      unsafe X509V3_set_ctx(&context, signer?.certificate ?? certificate, certificate, nil, nil, 0)
      guard let part = unsafe X509V3_EXT_conf_nid(nil, &context, kind, value) else {
        throw .last("cannot say \(value)")
      }
      let added = unsafe X509_add_ext(certificate, part, -1)
      unsafe X509_EXTENSION_free(part)
      guard added == 1 else { throw .last("cannot add \(value)") }
    }
    guard unsafe X509_sign(certificate, signer?.key ?? key, EVP_sha256()) > 0 else { throw .last("cannot sign") }
    let text = unsafe writeToMemory { unsafe PEM_write_bio_X509($0, certificate) == 1 }
    let secret = unsafe writeToMemory { unsafe PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) == 1 }
    return Issued(
      certificate: String(decoding: text, as: UTF8.self), key: String(decoding: secret, as: UTF8.self),
      serial: hexadecimal(serial))
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return byte < 16 ? "0\(digits)" : digits
    }.joined()
  }
}
