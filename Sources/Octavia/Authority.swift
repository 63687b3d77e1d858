internal import OctaviaModel
package import TLS

/// The two authorities of a deployment: one signs amphorae, the other controllers. Their keys are in the database.
package struct Authority: Sendable {
  let amphorae: CertificateAuthority
  let controllers: CertificateAuthority
  /// This controller as a client of agents.
  let identity: MutualTLS.Identity
  let store: Store
  let days: Int

  static let lifetime = 3650

  /// Those of the database, made at the first start.
  static func open(_ store: Store, days: Int) async throws -> Authority {
    func authority(_ name: String) async throws -> CertificateAuthority {
      if try await store.read({ try $0.authority(name) == nil }) {
        let new = try CertificateAuthority.create(name: "Sluice \(name)", days: lifetime)
        try await store.write { try $0.insertAuthority(name, certificate: new.certificate, key: new.key) }
      }
      let (certificate, key) = try await store.read { try $0.authority(name)! }
      return try CertificateAuthority(certificate: certificate, key: key)
    }
    let amphorae = try await authority("amphorae")
    let controllers = try await authority("controllers")
    let own = try controllers.issue(name: "controller", days: 365, isServer: false)
    return Authority(
      amphorae: amphorae, controllers: controllers,
      identity: try MutualTLS.Identity(certificate: own.certificate, key: own.key, authority: amphorae.pem),
      store: store,
      days: days)
  }

  /// Tells what this deployment has made from what others have.
  var fingerprint: String {
    String(decoding: Heartbeat.hexadecimal(Digest.sha256.hash(Array(amphorae.pem.utf8))).prefix(32), as: UTF8.self)
  }

  struct Bundle: Sendable {
    /// Certificate and key in one text.
    var server: String
    var authority: String
    var expires: Timestamp
  }

  /// A new certificate for an amphora, written down before anybody gets it.
  func issue(_ amphora: String, now: Timestamp) async throws -> Bundle {
    let issued = try amphorae.issue(name: amphora, days: days, isServer: true)
    let expires = now + .seconds(days * 86_400)
    try await store.write {
      try $0.insertCertificate(serial: issued.serial, amphora: amphora, pem: issued.certificate, expires: expires)
    }
    return Bundle(server: issued.certificate + issued.key, authority: controllers.pem, expires: expires)
  }

  /// A client of one amphora's agent, for as long as its certificate is not revoked.
  func client(_ amphora: String) async throws -> HTTPClient {
    guard try await store.read({ try $0.certificate(amphora: amphora) != nil }) else {
      throw StepFailure("amphora \(amphora) has no valid certificate")
    }
    return HTTPClient(identity: identity, name: amphora)
  }
}
