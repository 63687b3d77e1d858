import DNS
import Model
import TLS

/// OpenSSL's part: keys as `DNS` wants them.
extension TransactionSigner {
  init?(_ key: TransactionKey) {
    guard let name = Name(key.name) else { return nil }
    let digest: Digest =
      switch key.algorithm {
      case .sha256: .sha256
      case .sha384: .sha384
      case .sha512: .sha512
      }
    let secret = key.secret
    self.init(name: name, algorithm: key.algorithm) { digest.authenticate($0, key: secret) }
  }
}

extension ZoneSigner {
  init(_ signing: ZoneSigning) throws(CryptoError) {
    let key = try SigningKey(pem: signing.pem)
    self.init(
      publicKey: key.publicKey, denial: signing.denial, validity: UInt32(clamping: signing.validity.components.seconds)
    ) { message in try? key.sign(message) }
  }

  /// What the parent needs.
  func delegationSigner(_ apex: Name) -> Record {
    delegationSigner(apex, digest: Digest.sha256.hash(delegationInput(apex)), ttl: 3600)
  }
}
