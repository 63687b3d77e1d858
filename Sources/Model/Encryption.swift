/// What an operator's file holds, with its name for messages. Compared by content: a rotated certificate is another value.
package struct FileBytes: Hashable, Sendable, CustomStringConvertible {
  package var path: String
  package var bytes: [UInt8]

  package init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  /// Never the content, which may be a key.
  package var description: String { path }
}

/// A certificate with its chain, its private key and, where there is one, its OCSP response: PEM, but for the response (DER).
package struct CertificateFiles: Hashable, Sendable {
  package var chain: FileBytes
  package var key: FileBytes
  package var staple: FileBytes?
  /// What is in it, once it was read; nil before.
  package var summary: CertificateSummary?

  package init(chain: FileBytes, key: FileBytes, staple: FileBytes? = nil) {
    self.chain = chain
    self.key = key
    self.staple = staple
  }
}

/// What an operator wants to know of a certificate.
package struct CertificateSummary: Hashable, Sendable {
  package var names: [String]
  /// RFC 4514.
  package var subject: String
  /// RSA, ECDSA, Ed25519 or other.
  package var key: String
  /// Seconds since 1970.
  package var notBefore: Int64
  package var notAfter: Int64

  package init(names: [String], subject: String, key: String, notBefore: Int64, notAfter: Int64) {
    self.names = names
    self.subject = subject
    self.key = key
    self.notBefore = notBefore
    self.notAfter = notAfter
  }
}

package enum TLSVersion: String, Hashable, Sendable, CaseIterable, Comparable {
  case v12 = "1.2"
  case v13 = "1.3"

  package static func < (left: TLSVersion, right: TLSVersion) -> Bool { left == .v12 && right == .v13 }
}

/// A named choice of ciphers. Both take TLS 1.2 and 1.3, both give forward secrecy and authenticated encryption only.
package enum TLSPolicy: String, Hashable, Sendable, CaseIterable {
  /// ECDHE alone in TLS 1.2.
  case modern
  /// DHE too, for clients without elliptic curves. Mozilla's intermediate profile, version 5.
  case intermediate
}

/// Versions and ciphers of a listener, or of connections to a pool.
package struct TLSParameters: Hashable, Sendable {
  package var policy = TLSPolicy.modern
  package var minimum = TLSVersion.v12
  package var maximum = TLSVersion.v13
  /// For TLS 1.2 in OpenSSL's notation; nil: the policy's.
  package var ciphers: String?
  /// For TLS 1.3, joined by ":"; nil: the policy's.
  package var cipherSuites: String?
  /// Key exchange groups, joined by ":"; nil: X25519, P-256, P-384.
  package var groups: String?

  package init() {}
}

/// How a listener asks clients for a certificate.
package struct ClientAuthentication: Hashable, Sendable {
  package enum Mode: String, Hashable, Sendable, CaseIterable {
    /// No handshake without a valid one.
    case require
    /// A client may have none; one that is given must be valid.
    case optional
  }

  package var mode: Mode
  package var authorities: FileBytes
  package var revocations: FileBytes?

  package init(mode: Mode, authorities: FileBytes) {
    self.mode = mode
    self.authorities = authorities
  }
}

/// TLS of a listener.
package struct ListenerTLS: Hashable, Sendable {
  /// The first is for names that no other has. Of several for one name, a client gets the one whose kind of key it takes.
  package var certificates: [CertificateFiles]
  package var parameters = TLSParameters()
  /// Offered protocols, the best first; empty: ALPN is ignored.
  package var protocols: [String] = []
  package var clients: ClientAuthentication?
  /// Refuse a client that names a host that no certificate has.
  package var strictNames = false
  /// Let clients resume sessions.
  package var tickets = true
  package var handshakeTimeout = Duration.seconds(5)
  /// Handshakes of one worker that may be under way; beyond, new clients wait in the accept queue.
  package var handshakes = 1000
  package var handshakeRatePerSource: Rate?

  package init(certificates: [CertificateFiles]) { self.certificates = certificates }
}

/// TLS to a pool's backends.
package struct PoolTLS: Hashable, Sendable {
  package enum Trust: Hashable, Sendable {
    /// The system's authorities.
    case system
    case authorities(FileBytes)
    /// Nobody is checked: whoever answers is believed.
    case off
  }

  package var trust = Trust.system
  /// The name in SNI, and the one that the certificate must have; nil: the backend's address, without SNI.
  package var name: String?
  package var certificate: CertificateFiles?
  package var parameters = TLSParameters()
  package var protocols: [String] = []
  /// Resume sessions.
  package var resumes = true
  package var revocations: FileBytes?

  package init() {}
}

/// Where the keys of session tickets are kept, and how long each is used.
package struct TicketOptions: Hashable, Sendable {
  /// A file that nodes with the same clients may share; nil: keys are drawn at start, and sessions end with the process.
  package var file: String?
  /// A new key each so often; the one before it is still understood.
  package var rotation = Duration.seconds(12 * 3600)

  package init() {}
}

extension Listener {
  /// Whether routes look into a ClientHello that is passed on unread.
  package var sniffs: Bool { transport == .tcp && tls == nil && routes.contains { $0.match.looksAtTLS } }
}

extension Match {
  package var looksAtTLS: Bool { !serverNames.isEmpty || !protocols.isEmpty || clientCertificate != nil }

  /// What a client's certificate must be; all that is given.
  package struct ClientCertificate: Hashable, Sendable {
    /// Whether there is one at all.
    package var present: Bool?
    /// SHA-256 of its DER, lower-case hexadecimal without colons; any of them.
    package var fingerprints: [String] = []
    /// RFC 4514 text.
    package var subject: Field.Test?

    package init() {}
  }
}
