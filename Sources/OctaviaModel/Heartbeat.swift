/// What an amphora says of itself: version 3 of the health message, between its compression and its signature.
package struct Heartbeat: Hashable, Sendable {
  package struct Counters: Hashable, Sendable {
    /// Bytes from clients and to them, connections taken in and requests in error, all since the last message.
    package var bytesIn = 0
    package var bytesOut = 0
    package var totalConnections = 0
    package var requestErrors = 0
    /// Open now.
    package var activeConnections = 0

    package init() {}
  }

  package struct ListenerReport: Hashable, Sendable {
    package var isFull: Bool
    package var counters: Counters
  }

  package struct PoolReport: Hashable, Sendable {
    package var isUp: Bool
    /// Words such as `UP 1/2` or `no check` by member.
    package var members: [String: String]
  }

  package enum Refusal: String, Error, Hashable, Sendable, CaseIterable {
    case short, signature, compression, syntax, content, unknown, stale, replayed
  }

  package static let signatureLength = 64
  /// What a message may become when it is decompressed: far above any real one.
  package static let sizeLimit = 4 << 20

  package var amphora: String
  package var sequence: Int
  package var listeners: [String: ListenerReport]
  /// By the pool's identifier.
  package var pools: [String: PoolReport]

  /// - Parameter packet: compressed JSON and 64 hexadecimal digits; older senders append 32 raw bytes.
  /// - Parameter code: HMAC-SHA256 of a message, under the key of this deployment.
  /// - Parameter inflate: decompressed bytes, or nil when they are bad or above the limit.
  package init(
    packet: [UInt8], code: ([UInt8]) -> [UInt8], inflate: ([UInt8], Int) -> [UInt8]?
  ) throws(Refusal) {
    guard let body = Self.verified(packet, code) else {
      throw packet.count <= Self.signatureLength ? .short : .signature
    }
    guard let text = inflate(body, Self.sizeLimit) else { throw .compression }
    let document: JSON
    do { document = try JSON(parsing: text) } catch { throw .syntax }
    try self.init(document)
  }

  private static func verified(_ packet: [UInt8], _ code: ([UInt8]) -> [UInt8]) -> [UInt8]? {
    if packet.count > signatureLength {
      let body = Array(packet.dropLast(signatureLength))
      if equal(hexadecimal(code(body)), Array(packet.suffix(signatureLength))) { return body }
    }
    guard packet.count > 32 else { return nil }
    let body = Array(packet.dropLast(32))
    return equal(code(body), Array(packet.suffix(32))) ? body : nil
  }

  /// The signature as it is appended: lowercase digits.
  package static func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    var out: [UInt8] = []
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return out
  }

  /// In a time that does not tell where they differ.
  private static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }

  package init(_ document: JSON) throws(Refusal) {
    guard let amphora = document["id"].string, case .object(let listeners) = document["listeners"] else {
      throw .content
    }
    self.amphora = amphora
    sequence = document["seq"].int ?? 0
    self.listeners = [:]
    for member in listeners.members {
      let stats = member.value["stats"]
      var counters = Counters()
      // What cannot be is not counted: an amphora may be wrong, or worse.
      counters.bytesIn = max(stats["rx"].int ?? 0, 0)
      counters.bytesOut = max(stats["tx"].int ?? 0, 0)
      counters.totalConnections = max(stats["totconns"].int ?? 0, 0)
      counters.requestErrors = max(stats["ereq"].int ?? 0, 0)
      counters.activeConnections = max(stats["conns"].int ?? 0, 0)
      self.listeners[member.key] = ListenerReport(isFull: member.value["status"] == "FULL", counters: counters)
    }
    pools = [:]
    for member in document["pools"].object?.members ?? [] {
      let id = member.key.split(separator: ":").first.map(String.init) ?? member.key
      var report = PoolReport(isUp: member.value["status"] == "UP", members: [:])
      for entry in member.value["members"].object?.members ?? [] {
        report.members[entry.key] = entry.value.string ?? ""
      }
      // A pool of several listeners comes once for each.
      if let other = pools[id] { report.isUp = report.isUp || other.isUp }
      pools[id] = report
    }
  }

  /// The message as an amphora sends it, before compression.
  package var document: JSON {
    .object([
      "id": .string(amphora), "seq": .int(sequence),
      "listeners": .object(
        JSONObject(
          listeners.sorted { $0.key < $1.key }.map { id, report in
            let counters = report.counters
            return (
              id,
              .object([
                "status": report.isFull ? "FULL" : "OPEN",
                "stats": .object([
                  "tx": .int(counters.bytesOut), "rx": .int(counters.bytesIn),
                  "conns": .int(counters.activeConnections),
                  "totconns": .int(counters.totalConnections), "ereq": .int(counters.requestErrors),
                ]),
              ])
            )
          })),
      "pools": .object(
        JSONObject(
          pools.sorted { $0.key < $1.key }.map { id, report in
            let members = JSONObject(report.members.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            return (id, .object(["status": report.isUp ? "UP" : "DOWN", "members": .object(members)]))
          })),
      "ver": 3,
    ])
  }

  package init(
    amphora: String, sequence: Int, listeners: [String: ListenerReport], pools: [String: PoolReport]
  ) {
    self.amphora = amphora
    self.sequence = sequence
    self.listeners = listeners
    self.pools = pools
  }
}

extension Heartbeat.ListenerReport {
  package init(full: Bool, _ counters: Heartbeat.Counters) { self.init(isFull: full, counters: counters) }
}
extension Heartbeat.PoolReport {
  package init(up: Bool, _ members: [String: String]) { self.init(isUp: up, members: members) }
}
