/// What a version 2 header tells of a client beside its addresses, as type, length, value (proxy-protocol.txt, 2.2.1 to 2.2.5).
package struct ProxyFacts: Hashable, Sendable {
  /// The client's TLS.
  package struct Encryption: Hashable, Sendable {
    /// "TLSv1.3".
    package var version: String
    package var cipher: String
    /// Whether the client has shown a certificate, which then was verified.
    package var hasCertificate = false
    /// Whether that was in a session before this connection.
    package var isResumed = false
    /// The certificate's common name; empty: none.
    package var commonName = ""

    package init(version: String, cipher: String) {
      self.version = version
      self.cipher = cipher
    }
  }

  private enum Kind {
    static let alpn: UInt8 = 0x01
    static let authority: UInt8 = 0x02
    static let encryption: UInt8 = 0x20
    static let version: UInt8 = 0x21
    static let commonName: UInt8 = 0x22
    static let cipher: UInt8 = 0x23
  }

  /// The negotiated protocol, and the name that the client asked for; empty: none.
  package var negotiated = ""
  package var serverName = ""
  package var encryption: Encryption?

  package init() {}

  var bytes: [UInt8] {
    var result: [UInt8] = []
    ProxyFacts.add(Kind.alpn, Array(negotiated.utf8), to: &result)
    ProxyFacts.add(Kind.authority, Array(serverName.utf8), to: &result)
    guard let encryption else { return result }
    // PP2_CLIENT_SSL, _CERT_CONN, _CERT_SESS; 0 says that what was shown is valid.
    let isShown = encryption.hasCertificate
    let client: UInt8 = 1 | (isShown && !encryption.isResumed ? 2 : 0) | (isShown ? 4 : 0)
    var inner: [UInt8] = [client, 0, 0, 0, isShown ? 0 : 1]
    ProxyFacts.add(Kind.version, Array(encryption.version.utf8), to: &inner)
    ProxyFacts.add(Kind.commonName, Array(encryption.commonName.utf8), to: &inner)
    ProxyFacts.add(Kind.cipher, Array(encryption.cipher.utf8), to: &inner)
    ProxyFacts.add(Kind.encryption, inner, to: &result)
    return result
  }

  /// What is empty is left out; what no TLS has (a name beyond 1 KiB) is cut.
  private static func add(_ kind: UInt8, _ value: [UInt8], to bytes: inout [UInt8]) {
    guard !value.isEmpty else { return }
    let value = value.prefix(1024)
    bytes += [kind, UInt8(value.count >> 8), UInt8(value.count & 255)]
    bytes += value
  }
}
