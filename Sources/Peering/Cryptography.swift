/// What the channel needs of a cryptographic library; given from above.
package struct Cryptography: Sendable {
  /// HMAC-SHA-256 (RFC 2104) of the message: 32 bytes.
  package var authenticate: @Sendable (_ message: [UInt8], _ key: [UInt8]) -> [UInt8]
  /// A fresh X25519 key pair (RFC 7748): 32 bytes each.
  package var keyPair: @Sendable () -> (secret: [UInt8], shared: [UInt8])
  /// The X25519 agreement: 32 bytes; nil when the other side's value is of low order.
  package var agree: @Sendable (_ secret: [UInt8], _ shared: [UInt8]) -> [UInt8]?
  /// AES-256-GCM: the ciphertext followed by its 16-byte tag. The nonce is used once under a key.
  package var seal: @Sendable (_ plain: [UInt8], _ header: [UInt8], _ nonce: UInt64, _ key: [UInt8]) -> [UInt8]
  /// The plaintext, or nil for anything that was not sealed just so.
  package var open: @Sendable (_ sealed: [UInt8], _ header: [UInt8], _ nonce: UInt64, _ key: [UInt8]) -> [UInt8]?

  package init(
    authenticate: @escaping @Sendable (_ message: [UInt8], _ key: [UInt8]) -> [UInt8],
    keyPair: @escaping @Sendable () -> (secret: [UInt8], shared: [UInt8]),
    agree: @escaping @Sendable (_ secret: [UInt8], _ shared: [UInt8]) -> [UInt8]?,
    seal: @escaping @Sendable (_ plain: [UInt8], _ header: [UInt8], _ nonce: UInt64, _ key: [UInt8]) -> [UInt8],
    open: @escaping @Sendable (_ sealed: [UInt8], _ header: [UInt8], _ nonce: UInt64, _ key: [UInt8]) -> [UInt8]?
  ) {
    self.authenticate = authenticate
    self.keyPair = keyPair
    self.agree = agree
    self.seal = seal
    self.open = open
  }

  static let tagLength = 16
}

/// One key per direction, from the shared key, both fresh X25519 values, and all that was said in the clear.
///
/// HKDF (RFC 5869): extract with the shared key as salt and the agreement as input; expand with a label and both
/// hellos as info, one block each. Without the shared key an attacker in the middle knows neither; with it, but
/// later, he cannot read what was recorded, since the agreement is gone.
struct SessionKeys: Hashable, Sendable {
  var caller: [UInt8]
  var callee: [UInt8]

  init(shared: [UInt8], agreement: [UInt8], transcript: [UInt8], _ cryptography: Cryptography) {
    let extracted = cryptography.authenticate(agreement, shared)
    func expand(_ label: StaticString) -> [UInt8] {
      cryptography.authenticate(Array(label.description.utf8) + transcript + [1], extracted)
    }
    caller = expand("sluice peering 1 caller")
    callee = expand("sluice peering 1 callee")
  }
}
