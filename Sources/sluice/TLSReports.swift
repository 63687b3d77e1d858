internal import Admin
internal import Model
internal import Telemetry

extension TLSReport {
  init(_ tls: ListenerTLS, _ counts: HandshakeStatistics) {
    self.init()
    handshakes = counts.done
    resumed = counts.resumed
    limited = counts.limited
    let failures = counts.failed
    failed = [
      "not-tls": failures.notTLS, "mismatch": failures.mismatch, "name": failures.name,
      "certificate": failures.certificate, "alert": failures.alert, "closed": failures.closed,
      "timeout": failures.timeout, "other": failures.other,
    ]
    certificates = tls.certificates.compactMap { CertificateReport($0) }
  }
}

extension CertificateReport {
  /// nil: its file was not looked into.
  init?(_ files: CertificateFiles) {
    guard let summary = files.summary else { return nil }
    self.init(
      file: files.chain.path, names: summary.names, subject: summary.subject, key: summary.key,
      expires: Materials.date(summary.notAfter), expiresAt: summary.notAfter)
  }
}
