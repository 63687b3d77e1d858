internal import Wire

/// One connection between two nodes, from its first byte: hellos, then sealed records.
///
///     caller                          callee
///       hello ───────────────────────►          in the clear: version, X25519 value
///             ◄─────────────────────── hello
///       welcome, sealed ─────────────►          proves the caller's key, says its name
///             ◄─────────────── welcome, sealed  proves the callee's; nobody without the key learns anything
///       records ◄────────────────────► records
///
/// A record is a length (16 bits, of what follows), then AES-256-GCM over the message with the length as
/// associated data and the record's number as nonce. Numbers are not sent: what is lost, repeated or reordered
/// does not open.
package struct Channel: Sendable {
  package enum Role: Sendable { case caller, callee }

  /// Of a message, before sealing.
  package static let messageLimit = 16_384

  private enum Phase {
    case hello
    /// The callee has tried none of its keys yet.
    case untried([SessionKeys])
    case keyed(SessionKeys)
  }

  package let role: Role
  private let cryptography: Cryptography
  private let keys: [[UInt8]]
  private let secret: [UInt8]
  private let hello: Hello
  private var phase = Phase.hello
  private var received: UInt64 = 0
  private var sent: UInt64 = 0
  /// Bytes of a record that is not whole yet; never more than one record.
  private var rest: [UInt8] = []

  /// - Parameter keys: the shared ones; a caller uses the first.
  package init(_ role: Role, keys: [[UInt8]], _ cryptography: Cryptography) {
    self.role = role
    self.cryptography = cryptography
    self.keys = role == .caller ? Array(keys.prefix(1)) : keys
    let pair = cryptography.keyPair()
    secret = pair.secret
    hello = Hello(value: pair.shared)
  }

  /// What the caller says first; empty for the callee.
  package var opening: [UInt8] { role == .caller ? hello.bytes : [] }

  /// Whether messages can be sealed: for the caller after the other hello, for the callee after a record that opened.
  package var isKeyed: Bool { if case .keyed = phase { true } else { false } }

  /// Takes in what came, in any pieces.
  /// - Parameters:
  ///   - messages: what was said, in order.
  ///   - out: bytes to send at once.
  /// - Throws: the connection is of no use any more; what was said before the fault is in `messages`.
  package mutating func receive(
    _ bytes: Span<UInt8>, into messages: inout [Message], out: inout [UInt8]
  ) throws(PeeringError) {
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      // As much as the next record lacks, so that `rest` stays small whatever comes.
      let missing = max(1, nextLength - rest.count)
      guard let part = reader.take(min(missing, reader.remaining)) else { return }
      for index in part.indices { rest.append(part[index]) }
      // The length itself may have just become known.
      guard rest.count >= nextLength else { continue }
      let record = rest
      rest.removeAll(keepingCapacity: true)
      try take(record, into: &messages, out: &out)
    }
  }

  /// Of the hello or record that is being read, as far as it is known.
  private var nextLength: Int {
    if case .hello = phase { return Hello.length }
    guard rest.count >= 2 else { return 2 }
    return 2 + (Int(rest[0]) << 8 | Int(rest[1]))
  }

  private mutating func take(
    _ record: [UInt8], into messages: inout [Message], out: inout [UInt8]
  ) throws(PeeringError) {
    if case .hello = phase { return try takeHello(record, out: &out) }
    // A length of zero is a whole record of two bytes: it cannot hold a tag.
    guard record.count >= 2 + Cryptography.tagLength else { throw .malformed }
    let limit = 2 + Channel.messageLimit + Cryptography.tagLength
    guard record.count <= limit else { throw .tooLarge("bytes in a record") }
    let header = Array(record.prefix(2))
    let sealed = Array(record.dropFirst(2))
    let candidates: [SessionKeys] =
      switch phase {
      case .hello: []
      case .untried(let keys): keys
      case .keyed(let keys): [keys]
      }
    for keys in candidates {
      let key = role == .caller ? keys.callee : keys.caller
      guard let plain = cryptography.open(sealed, header, received, key) else { continue }
      phase = .keyed(keys)
      received += 1
      messages.append(try Message(reading: plain.span))
      return
    }
    throw .forged
  }

  private mutating func takeHello(_ record: [UInt8], out: inout [UInt8]) throws(PeeringError) {
    let other = try Hello(reading: record.span)
    // Our own words sent back, or a value that would make the agreement known to everybody.
    guard other.value != hello.value, let agreement = cryptography.agree(secret, other.value) else { throw .forged }
    let transcript = role == .caller ? hello.bytes + other.bytes : other.bytes + hello.bytes
    let candidates = keys.map {
      SessionKeys(shared: $0, agreement: agreement, transcript: transcript, cryptography)
    }
    switch role {
    case .caller:
      guard let first = candidates.first else { throw .forged }
      phase = .keyed(first)
    case .callee:
      phase = .untried(candidates)
      out += hello.bytes
    }
  }

  /// The record of a message; nil before the channel is keyed, and for a message that is too large.
  package mutating func seal(_ message: Message) -> [UInt8]? {
    guard case .keyed(let keys) = phase else { return nil }
    let plain = message.bytes
    guard plain.count <= Channel.messageLimit else { return nil }
    let length = plain.count + Cryptography.tagLength
    let header = [UInt8(truncatingIfNeeded: length >> 8), UInt8(truncatingIfNeeded: length)]
    let key = role == .caller ? keys.caller : keys.callee
    defer { sent += 1 }
    return header + cryptography.seal(plain, header, sent, key)
  }
}
