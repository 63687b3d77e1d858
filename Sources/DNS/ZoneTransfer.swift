/// The messages of a zone transfer over TCP (AXFR, RFC 5936; IXFR, RFC 1995), one at a time.
///
/// Holds the version of the zone that it began with, whatever comes after. Who may ask is the driver's to say.
package struct ZoneTransfer: Sendable {
  private let zone: Zone
  private let id: UInt16
  private let recursionDesired: UInt16
  private let type: RecordType
  private let limit: Int
  private var state: State
  /// Signs each message (RFC 8945 §5.3.1).
  private var signer: ResponseSigner?

  private enum State: Sendable {
    case first
    /// The next record of the zone: node, set within it, offset in the pool or -1 for the set's beginning.
    case walking(node: Int, set: Int, position: Int)
    /// The records of an incremental transfer, and the next one.
    case listing([Record], Int)
    case last
    case finished
  }

  /// - Parameters:
  ///   - since: the serial of an IXFR request.
  ///   - limit: bytes of a message; up to 16 KiB every name can be pointed to.
  package init(
    _ zone: Zone, query: Query, since: UInt32?, history: ZoneHistory? = nil, signer: ResponseSigner? = nil,
    limit: Int = 16_384
  ) {
    self.signer = signer
    self.zone = zone
    id = query.id
    recursionDesired = query.flags & 0x0100
    type = query.type
    self.limit = max(limit, 512)
    guard let since else {
      state = .first
      return
    }
    let authority = zone.records(of: zone.authority, owner: zone.apex)
    if since == zone.serial || serial(since, isNewerThan: zone.serial) {
      // §2: the secondary is up to date (or ahead): the SOA alone says so.
      state = .listing(authority, 0)
    } else if let deltas = history?.since(since), deltas.last?.newAuthority == authority.first {
      var records = authority
      for delta in deltas { records += [delta.oldAuthority] + delta.removed + [delta.newAuthority] + delta.added }
      state = .listing(records + authority, 0)
    } else {
      state = .first
    }
  }

  package var isFinished: Bool { if case .finished = state { true } else { false } }

  /// Writes the next message; false when there is none.
  /// - Parameter unixSeconds: the time that a signature says.
  package mutating func next(into writer: inout MessageWriter, at unixSeconds: UInt32 = 0) -> Bool {
    guard !isFinished else { return false }
    writer.reset(limit: limit)
    writer.keepsCase = true
    writer.u16(id)
    writer.u16(0x8400 | recursionDesired)
    writer.u16(1)
    for _ in 0..<3 { writer.u16(0) }
    writer.name(zone.apex.wire, at: 0)
    writer.u16(type.rawValue)
    writer.u16(RecordClass.internet.rawValue)
    var count: UInt16 = 0
    while count < .max {
      let mark = writer.mark
      let before = state
      guard step(&writer) else { break }
      if writer.overflowed {
        writer.rollBack(to: mark)
        state = before
        // A record that is larger than a usual message gets one of its own.
        let most = 65_535 - (signer?.key.room ?? 0)
        guard count == 0, writer.limit < most else { break }
        writer.setLimit(most)
        continue
      }
      count += 1
    }
    writer.patch16(at: 6, count)
    // INVARIANT: a record that fits no message at all ends the transfer, or it would repeat for ever.
    if count == 0 { state = .finished }
    if count > 0, signer != nil {
      writer.setLimit(65_535)
      signer?.sign(&writer, at: unixSeconds)
    }
    return count > 0
  }

  /// Writes one record and moves on; false at the end.
  private mutating func step(_ writer: inout MessageWriter) -> Bool {
    switch state {
    case .first:
      authority(&writer)
      state = .walking(node: 0, set: 0, position: -1)
      return true
    case .walking(var node, var set, var position):
      while node < zone.nodes.count {
        let current = zone.nodes[node]
        guard set < Int(current.setCount) else {
          (node, set, position) = (node + 1, 0, -1)
          continue
        }
        let records = zone.sets[Int(current.setStart) + set]
        if position < 0 { position = Int(records.start) }
        guard records.type != .soa, position < Int(records.end) else {
          (set, position) = (set + 1, -1)
          continue
        }
        let length = Int(zone.pool[position + 8]) << 8 | Int(zone.pool[position + 9])
        writer.name(zone.names, at: Int(current.nameStart))
        writer.body(zone.pool, at: position, length: length, type: records.type)
        state = .walking(node: node, set: set, position: position + 10 + length)
        return true
      }
      state = .last
      return step(&writer)
    case .listing(let records, let index):
      guard index < records.count else {
        state = .finished
        return false
      }
      writer.record(records[index])
      state = .listing(records, index + 1)
      return true
    case .last:
      authority(&writer)
      state = .finished
      return true
    case .finished: return false
    }
  }

  private func authority(_ writer: inout MessageWriter) {
    writer.name(zone.apex.wire, at: 0)
    writer.body(
      zone.pool, at: Int(zone.authority.start), length: Int(zone.authority.end - zone.authority.start) - 10, type: .soa)
  }
}
