internal import COpenSSL
internal import Synchronization

/// The keys that session tickets are sealed with (RFC 5077 §4): the first seals, all open.
///
/// One set for all workers and listeners: what keeps listeners apart is the session id context in the ticket.
package final class TicketKeys: Sendable {
  struct Key: Hashable, Sendable {
    /// Sent with each ticket, in clear.
    let name: [UInt8]
    let secret: [UInt8]
    let cipher: [UInt8]
  }

  /// Bytes of a key in a file: name, HMAC key, AES key. nginx and HAProxy keep theirs in the same layout.
  package static let size = 80
  /// The current key, and those of the rotations before it.
  static let kept = 3

  private let keys: Mutex<[Key]>
  /// PERF: looked up once, not for each ticket: `EVP_aes_256_cbc` makes OpenSSL 3 search its providers each time.
  /// Never freed.
  // SAFETY: what a fetch returns is read alone, by any thread.
  private nonisolated(unsafe) static let sealing = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

  package init() { keys = Mutex([Key(randomBytes(TicketKeys.size))]) }

  /// A key that is sealed with from now on; the oldest is forgotten.
  package func rotate() {
    keys.withLock { $0 = Array(([Key(randomBytes(TicketKeys.size))] + $0).prefix(TicketKeys.kept)) }
  }

  /// As a file holds them, the current one first.
  package var bytes: [UInt8] { keys.withLock { $0.flatMap { $0.name + $0.secret + $0.cipher } } }

  /// Takes over a file's keys; false when there are none in it.
  package func replace(with bytes: [UInt8]) -> Bool {
    guard !bytes.isEmpty, bytes.count % TicketKeys.size == 0 else { return false }
    let found = stride(from: 0, to: bytes.count, by: TicketKeys.size).map {
      Key(Array(bytes[$0..<$0 + TicketKeys.size]))
    }
    keys.withLock { $0 = Array(found.prefix(TicketKeys.kept)) }
    return true
  }

  var current: Key { keys.withLock { $0[0] } }

  /// The key of that name, and whether it is the current one.
  func find(_ name: [UInt8]) -> (Key, isCurrent: Bool)? {
    keys.withLock { keys in
      for (index, key) in keys.enumerated() where key.name == name { return (key, index == 0) }
      return nil
    }
  }
}

extension TicketKeys.Key {
  init(_ bytes: [UInt8]) {
    name = Array(bytes[0..<16])
    secret = Array(bytes[16..<48])
    cipher = Array(bytes[48..<80])
  }
}

extension TicketKeys {
  /// OpenSSL's question about a ticket: which key seals it, or opens it. -1: failed, 0: unknown, 1: go on, 2: go on, and
  /// give the client a new one.
  @unsafe func seal(
    name: UnsafeMutablePointer<UInt8>, vector: UnsafeMutablePointer<UInt8>, cipher: OpaquePointer, mac: OpaquePointer,
    isNew: Bool
  ) -> Int32 {
    if isNew {
      let key = current
      // SAFETY: OpenSSL gives 16 bytes for the name and at least 16 for the vector.
      for index in 0..<16 { unsafe name[index] = key.name[index] }
      guard unsafe RAND_bytes(vector, 16) == 1,
        unsafe EVP_EncryptInit_ex2(cipher, TicketKeys.sealing, key.cipher, vector, nil) == 1,
        unsafe sluice_ticket_mac(mac, key.secret, key.secret.count) == 1
      else { return -1 }
      return 1
    }
    let wanted = unsafe Array(UnsafeBufferPointer(start: name, count: 16))
    guard let (key, isCurrent) = find(wanted) else { return 0 }
    guard unsafe sluice_ticket_mac(mac, key.secret, key.secret.count) == 1,
      unsafe EVP_DecryptInit_ex2(cipher, TicketKeys.sealing, key.cipher, vector, nil) == 1
    else { return -1 }
    return isCurrent ? 1 : 2
  }
}
