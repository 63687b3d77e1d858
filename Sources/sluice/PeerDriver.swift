internal import Kernel
internal import Model
internal import Node
internal import PeerLink
internal import Peering
internal import Proxy
internal import TLS

extension Ports {
  /// The peers' thread behind the ports.
  mutating func connect(_ links: PeerLinks) {
    applyPeers = { links.configure($0) }
    sayToPeers = { links.say($0) }
    postToPeer = { links.post($0) }
    stopPeers = { links.stop() }
  }
}

extension TableAccess {
  /// The tables of the data plane's workers.
  init(_ plane: DataPlane) {
    self.init(
      parts: DataPlane.persistenceParts, changes: { plane.persistenceChanges() },
      scan: { plane.persistenceEntries(part: $0, since: $1) }, learn: { plane.learn($0) })
  }
}

extension Cryptography {
  static let openSSL = Cryptography(
    authenticate: { Digest.sha256.authenticate($0, key: $1) },
    keyPair: { KeyAgreement.pair() },
    agree: { KeyAgreement.agree(secret: $0, shared: $1) },
    seal: { SealedBox.seal($0, header: $1, nonce: $2, key: $3) },
    open: { SealedBox.open($0, header: $1, nonce: $2, key: $3) })
}
