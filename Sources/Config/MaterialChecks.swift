package import Model

/// What is wrong with a file that the configuration names.
package struct MaterialProblem: Error, Hashable, Sendable {
  package let file: String
  package let reason: String

  package init(file: String, reason: String) {
    self.file = file
    self.reason = reason
  }
}

/// A certificate that is right.
package struct CheckedCertificate: Sendable {
  package let files: CertificateFiles
  /// What its operator should know: that it expires soon, say.
  package let remarks: [String]

  package init(files: CertificateFiles, remarks: [String]) {
    self.files = files
    self.remarks = remarks
  }
}

/// Who looks into the files: certificates, keys and lists are OpenSSL's to judge, which is out of reach from here.
package struct MaterialChecks: Sendable {
  /// Bytes of a file. A bundle of all the world's authorities has 250 KiB.
  package static let limit = 4 << 20

  package var certificate: @Sendable (CertificateFiles) throws(MaterialProblem) -> CheckedCertificate
  /// Returns what is to be remarked.
  package var trust: @Sendable (_ authorities: FileBytes?, _ revocations: FileBytes?) throws(MaterialProblem) -> String?
  /// The key of the configuration that is to blame, and why.
  package var parameters: @Sendable (TLSParameters) -> (key: String, reason: String)?
  /// What is in force for a certificate's and a key's path; nil: nothing, and a fault in them is an error.
  package var previous: @Sendable (_ chain: String, _ key: String) -> CertificateFiles?

  package init(
    certificate: @escaping @Sendable (CertificateFiles) throws(MaterialProblem) -> CheckedCertificate,
    trust: @escaping @Sendable (FileBytes?, FileBytes?) throws(MaterialProblem) -> String?,
    parameters: @escaping @Sendable (TLSParameters) -> (key: String, reason: String)?,
    previous: @escaping @Sendable (String, String) -> CertificateFiles? = { _, _ in nil }
  ) {
    self.certificate = certificate
    self.trust = trust
    self.parameters = parameters
    self.previous = previous
  }

  /// Files are read, and taken for what they say they are.
  package static let none = MaterialChecks(
    certificate: { CheckedCertificate(files: $0, remarks: []) }, trust: { _, _ in nil }, parameters: { _ in nil })
}
