internal import Wire

/// The only thing that is said in the clear: the version, and a fresh X25519 value.
///
///     0      4   5        8                40
///     +------+---+--------+----------------+
///     |"SLPR"| 1 |zero (3)| X25519 (32)    |
///     +------+---+--------+----------------+
struct Hello: Hashable, Sendable {
  static let length = 40
  static let version: UInt8 = 1

  var value: [UInt8]

  init(value: [UInt8]) { self.value = value }

  init(reading bytes: Span<UInt8>) throws(PeeringError) {
    var reader = ByteReader(bytes)
    guard reader.u32() == 0x534c_5052 else { throw .notPeering }
    guard let version = reader.u8() else { throw .malformed }
    guard version == Hello.version else { throw .version(version) }
    // Zero today, and not looked at: room for a later version that still speaks this one.
    guard reader.skip(3), let value = reader.take(32) else { throw .malformed }
    self.value = value.indices.map { value[$0] }
  }

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Hello.length)
    writer.u32(0x534c_5052)
    writer.u8(Hello.version)
    writer.zeros(3)
    writer.append(value)
    return writer.bytes
  }
}

/// Why a connection between nodes is of no use; it is closed.
package enum PeeringError: Error, Hashable, Sendable {
  case notPeering
  case version(UInt8)
  /// A record that does not open: another key, bytes changed, lost, repeated or reordered on the way.
  case forged
  case malformed
  /// More than the protocol allows; what, in words.
  case tooLarge(String)
  /// A message that does not belong there.
  case unexpected
  case unknownPeer(String)
  /// The other side has this node's own name.
  case ownName
  case wrongPeer(String)
  /// Nothing was heard for too long.
  case silent
  /// The other side closed before it had said its name: as a node with another key does.
  case refused
  case closed(String)
  /// A newer connection of the same peer took its place.
  case replaced
  case stopped
}

extension PeeringError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notPeering: "it does not speak Sluice's peering protocol"
    case .version(let version): "it speaks version \(version) of the peering protocol, and this node version 1"
    case .forged: "a record does not open: is the key the same on both nodes?"
    case .malformed: "a message is malformed"
    case .tooLarge(let what): "too many \(what)"
    case .unexpected: "a message came out of turn"
    case .unknownPeer(let name): "it calls itself \(name), which is not in peers.nodes"
    case .ownName: "it has this node's own name: node.name must differ"
    case .wrongPeer(let name): "another node answered: \(name)"
    case .silent: "nothing was heard for too long"
    case .refused: "it closed before it said its name: is the key the same on both nodes?"
    case .closed(let reason): reason
    case .replaced: "a newer connection took its place"
    case .stopped: "it stopped"
    }
  }
}
