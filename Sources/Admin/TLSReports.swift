/// TLS of a listener, in its report.
package struct TLSReport: Codable, Hashable, Sendable {
  package var handshakes: UInt64 = 0
  /// Of those, the ones that resumed a session.
  package var resumed: UInt64 = 0
  /// Refused by the rate per source.
  package var limited: UInt64 = 0
  /// By reason.
  package var failed: [String: UInt64] = [:]
  package var certificates: [CertificateReport] = []

  package init() {}
}

package struct CertificateReport: Codable, Hashable, Sendable {
  package var file: String
  package var names: [String]
  package var subject: String
  /// RSA, ECDSA, …
  package var key: String
  /// RFC 3339.
  package var expires: String
  /// Seconds since 1970.
  package var expiresAt: Int64

  package enum CodingKeys: String, CodingKey {
    case file, names, subject, key, expires
    case expiresAt = "expires_at"
  }

  package init(file: String, names: [String], subject: String, key: String, expires: String, expiresAt: Int64) {
    self.file = file
    self.names = names
    self.subject = subject
    self.key = key
    self.expires = expires
    self.expiresAt = expiresAt
  }
}

/// TLS to a backend, in its report.
package struct BackendTLSReport: Codable, Hashable, Sendable {
  package var handshakes: UInt64
  package var resumed: UInt64
  package var failed: UInt64

  package init(handshakes: UInt64, resumed: UInt64, failed: UInt64) {
    self.handshakes = handshakes
    self.resumed = resumed
    self.failed = failed
  }
}

extension NodeMetrics {
  static func tls(_ status: StatusReport, _ metrics: inout Exposition) {
    let listeners = status.listeners.compactMap { listener in
      listener.tls.map { (labels: [("listener", listener.name)], report: $0) }
    }
    metrics.begin("sluice_listener_tls_handshakes", .counter, "TLS handshakes with clients that were completed.")
    for (labels, report) in listeners { metrics.sample(labels, report.handshakes) }
    metrics.begin("sluice_listener_tls_resumptions", .counter, "Of those, the ones that resumed a session.")
    for (labels, report) in listeners { metrics.sample(labels, report.resumed) }
    metrics.begin("sluice_listener_tls_limited", .counter, "Handshakes refused by the rate per source.")
    for (labels, report) in listeners { metrics.sample(labels, report.limited) }
    metrics.begin("sluice_listener_tls_failures", .counter, "Handshakes that came to nothing, by reason.")
    for (labels, report) in listeners {
      for (reason, count) in report.failed.sorted(by: { $0.key < $1.key }) {
        metrics.sample(labels + [("reason", reason)], count)
      }
    }
    metrics.begin(
      "sluice_certificate_expiry_seconds", .gauge, "When a certificate of a listener or a pool expires, since 1970.")
    for (labels, report) in listeners {
      for certificate in report.certificates {
        metrics.sample(labels + [("file", certificate.file)], Double(certificate.expiresAt))
      }
    }
    for pool in status.pools {
      guard let certificate = pool.certificate else { continue }
      metrics.sample([("pool", pool.name), ("file", certificate.file)], Double(certificate.expiresAt))
    }
    let backends = status.pools.flatMap { pool in
      pool.backends.compactMap { backend in
        backend.tls.map { (labels: [("pool", pool.name), ("backend", backend.name)], report: $0) }
      }
    }
    metrics.begin("sluice_backend_tls_handshakes", .counter, "TLS handshakes with backends that were completed.")
    for (labels, report) in backends { metrics.sample(labels, report.handshakes) }
    metrics.begin("sluice_backend_tls_resumptions", .counter, "Of those, the ones that resumed a session.")
    for (labels, report) in backends { metrics.sample(labels, report.resumed) }
    metrics.begin("sluice_backend_tls_failures", .counter, "TLS handshakes with backends that came to nothing.")
    for (labels, report) in backends { metrics.sample(labels, report.failed) }
  }
}
