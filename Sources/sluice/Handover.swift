internal import Foundation
internal import Kernel
internal import Model
internal import Node
internal import Telemetry

/// What one process of a node says to the next, as JSON beside the descriptors.
///
///     old ── sockets… ─ state ─ begin ──────────────► new      the new one starts, and serves beside the old one
///     old ◄──────────────────────────────── ready ── new      or failed, or the end: the old one goes on
///     old ── released ──────────────────────────────► new      routers, peers and the API's ports are the new one's
///     old ◄────────────────────────────── serving ── new      the API is the new one's
///     old ── counters… ─ finished ──────────────────► new      until its last connection has ended
struct HandoverNote: Codable, Sendable {
  enum Kind: String, Codable, Sendable {
    case sockets, state, begin, ready, failed, released, serving, counters, finished
  }

  struct Sockets: Codable, Sendable {
    var address: String
    var isDatagram: Bool
    var isForeign: Bool
    /// How many of the message's descriptors are its.
    var count: Int
  }

  var kind: Kind
  var sockets: [Sockets]?
  /// Of what is in the file: one that is not known is left alone.
  var format: Int?
  /// Why it failed.
  var reason: String?
  /// VIPs that are active.
  var active: [String]?

  init(_ kind: Kind) { self.kind = kind }
}

/// What the next process shall know. A new field needs a default for messages of before, one whose meaning changes a new
/// name: what is of another form than the reader's is given up alone (`Salvage`). A new format is given up as a whole.
struct HandoverState: Codable, Sendable {
  static let format = 1

  var version = Version.text
  var memory = NodeMemory()
  var ledger = StatisticsLedger()
  var secret = ""
  var ticketKeys = Data()
  var persistence = PackedPersistence()
  /// A configuration that came by the API, and is in force instead of the file's.
  var configuration: AppliedText?
}

struct AppliedText: Codable, Hashable, Sendable {
  var text: String
  var name: String
}

enum Handover {
  /// Bytes of a file between processes.
  static let limit = 256 << 20

  static func encode(_ value: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(value))
  }

  /// What is missing, since the sender did not know it yet, is as in `defaults`.
  static func decode<Value: Codable>(_ bytes: [UInt8], defaults: Value) throws -> Value {
    let found = try JSONSerialization.jsonObject(with: Data(bytes))
    let known = try JSONSerialization.jsonObject(with: Data(try encode(defaults)))
    let data = try JSONSerialization.data(withJSONObject: Salvage.merge(found, over: known))
    return try JSONDecoder().decode(Value.self, from: data)
  }
}

/// Persistence entries, 20 bytes each: tables may have a million.
struct PackedPersistence: Codable, Hashable, Sendable {
  private var names: [String] = []
  private var entries = Data()

  init() {}

  init(_ list: [PersistenceEntry]) {
    var numbers: [String: UInt32] = [:]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(list.count * PackedPersistence.size)
    func number(_ name: String) -> UInt32 {
      if let known = numbers[name] { return known }
      let next = UInt32(names.count)
      names.append(name)
      numbers[name] = next
      return next
    }
    func append(_ value: some FixedWidthInteger) {
      for shift in stride(from: 0, to: value.bitWidth, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }
    for entry in list {
      append(number(entry.pool))
      append(number(entry.backend))
      append(entry.hash)
      append(entry.remaining)
    }
    entries = Data(bytes)
  }

  private static let size = 20

  /// Without those that name nothing.
  var list: [PersistenceEntry] {
    let bytes = Array(entries)
    func value<Value: FixedWidthInteger>(at offset: Int, as: Value.Type) -> Value {
      (0..<Value.bitWidth / 8).reduce(into: 0) { $0 |= Value(bytes[offset + $1]) << ($1 * 8) }
    }
    var result: [PersistenceEntry] = []
    result.reserveCapacity(bytes.count / PackedPersistence.size)
    for start in stride(from: 0, through: bytes.count - PackedPersistence.size, by: PackedPersistence.size) {
      let pool = Int(value(at: start, as: UInt32.self)), backend = Int(value(at: start + 4, as: UInt32.self))
      guard names.indices.contains(pool), names.indices.contains(backend) else { continue }
      result.append(
        PersistenceEntry(
          pool: names[pool], hash: value(at: start + 8, as: UInt64.self), backend: names[backend],
          remaining: value(at: start + 16, as: UInt32.self)))
    }
    return result
  }
}

extension DescriptorChannel {
  func send(_ note: HandoverNote, _ descriptors: [Int32] = []) throws {
    try send(try Handover.encode(note), descriptors)
  }

  /// With a file, which may be of any size.
  func send(_ note: HandoverNote, file: [UInt8]) throws {
    let descriptor = try MemoryFile.make(file)
    defer { Socket.close(descriptor) }
    try send(note, [descriptor])
  }

  /// The next note that is understood; nil: the other end is closed.
  func receiveNote(milliseconds: Int32) throws -> (note: HandoverNote, descriptors: [Int32])? {
    while true {
      guard let message = try receive(milliseconds: milliseconds) else { return nil }
      if let note = try? Handover.decode(message.bytes, defaults: HandoverNote(.begin)) {
        return (note, message.descriptors)
      }
      // Of a version that has more to say.
      for descriptor in message.descriptors { Socket.close(descriptor) }
    }
  }
}
