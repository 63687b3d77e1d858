package import Model
import Wire

/// Server cookies that every node with the same secret makes and accepts (RFC 9018).
///
///     version 1 | reserved 0 0 0 | time, 4 bytes | SipHash-2-4(client cookie, these 8 bytes, client address)
package struct ServerCookies: Hashable, Sendable {
  private struct Key: Hashable, Sendable {
    var k0: UInt64
    var k1: UInt64
  }
  private let secret: Key
  /// The secret before the present one, still accepted while it is rolled over.
  private let former: Key?

  private var key: (UInt64, UInt64) { (secret.k0, secret.k1) }
  private var previous: (UInt64, UInt64)? { former.map { ($0.k0, $0.k1) } }

  package init(key: (UInt64, UInt64), previous: (UInt64, UInt64)? = nil) {
    secret = Key(k0: key.0, k1: key.1)
    former = previous.map { Key(k0: $0.0, k1: $0.1) }
  }

  /// From 16 bytes, as RFC 9018's examples write a secret; nil for another number.
  package init?(secret: [UInt8], previous: [UInt8]? = nil) {
    guard let key = ServerCookies.key(secret) else { return nil }
    self.init(key: key, previous: previous.flatMap(ServerCookies.key))
  }

  private static func key(_ bytes: [UInt8]) -> (UInt64, UInt64)? {
    guard bytes.count == 16 else { return nil }
    func word(_ start: Int) -> UInt64 { (0..<8).reduce(0) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) } }
    return (word(0), word(8))
  }

  package enum Check: Hashable, Sendable {
    case valid
    /// Valid, and old enough to be replaced (§4.3).
    case aging
    case invalid
  }

  /// The two halves of a server cookie.
  /// - Parameters:
  ///   - client: the client cookie, first byte highest.
  ///   - time: seconds since 1970.
  package func make(client: UInt64, address: IPAddress, time: UInt32) -> (UInt64, UInt64) {
    let head = 0x0100_0000_0000_0000 | UInt64(time)
    return (head, ServerCookies.hash(client, head, address, key))
  }

  /// §4.3: not from more than 5 minutes ahead, not older than an hour.
  package func check(client: UInt64, server: (UInt64, UInt64), address: IPAddress, time: UInt32) -> Check {
    guard server.0 >> 56 == 1 else { return .invalid }
    let age = Int32(bitPattern: time &- UInt32(truncatingIfNeeded: server.0))
    guard (-300...3600).contains(age) else { return .invalid }
    if ServerCookies.hash(client, server.0, address, key) == server.1 { return age > 1800 ? .aging : .valid }
    guard let previous, ServerCookies.hash(client, server.0, address, previous) == server.1 else { return .invalid }
    return .aging
  }

  private static func hash(_ client: UInt64, _ head: UInt64, _ address: IPAddress, _ key: (UInt64, UInt64)) -> UInt64 {
    var hash = SipHash(key: key)
    hash.update(client.byteSwapped)
    hash.update(head.byteSwapped)
    let source = address.unmapped
    if source.family == .v6 {
      hash.update(source.high.byteSwapped)
      hash.update(source.low.byteSwapped)
    } else {
      for shift in [24, 16, 8, 0] as [UInt64] { hash.update(UInt8(truncatingIfNeeded: source.low >> shift)) }
    }
    return hash.finish().byteSwapped
  }
}

extension ServerCookies {
  /// From any text, the same on every node that has it.
  package init(passphrase: [UInt8]) {
    func word(_ salt: UInt64) -> UInt64 {
      var hash = SipHash(key: (salt, 0x636f_6f6b_6965))
      for byte in passphrase { hash.update(byte) }
      return hash.finish()
    }
    self.init(key: (word(1), word(2)))
  }
}
