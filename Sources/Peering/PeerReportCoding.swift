internal import Wire

/// A report's body. Fields stand in a fixed order; whoever knows less ignores what follows.
extension PeerReport {
  /// A text in a report, in bytes; what is longer is cut.
  static let textLimit = 255
  static let linkLimit = 256

  var body: [UInt8] {
    var writer = ByteWriter(capacity: 32)
    switch self {
    case .node(let facts):
      writer.u8(facts.phase.rawValue)
      writer.u64(facts.generation)
      let links = facts.links.prefix(PeerReport.linkLimit)
      writer.u16(UInt16(links.count))
      for link in links {
        writer.u8(link.isUp ? 1 : 0)
        writer.text(link.name)
      }
    case .pool(_, let facts):
      for number in [facts.up, facts.total, facts.inFlight, facts.capacity] { writer.u32(number) }
    case .announcement(_, let facts):
      writer.u8(facts.state.rawValue)
      writer.u8(facts.isLast ? 1 : 0)
      writer.u64(facts.since)
      writer.text(facts.reason)
      writer.u32(facts.wish)
      let promises = facts.promises.prefix(PeerReport.linkLimit)
      writer.u16(UInt16(promises.count))
      for promise in promises {
        writer.u32(promise.wish)
        writer.text(promise.node)
      }
    case .vip(_, let facts):
      writer.u8(facts.state.rawValue)
      writer.u8(facts.priority)
      writer.u64(facts.since)
    case .verdict(_, let facts):
      writer.u8(facts.state.rawValue)
      writer.u64(facts.since)
      writer.text(facts.reason)
    case .other(_, let body): return body
    }
    return writer.bytes
  }

  init(_ key: PeerReportKey, reading body: Span<UInt8>) throws(PeeringError) {
    var reader = ByteReader(body)
    switch key.kind {
    case PeerReportKey.node: self = .node(try NodeFacts(reading: &reader))
    case PeerReportKey.pool:
      guard let up = reader.u32(), let total = reader.u32(), let inFlight = reader.u32(), let capacity = reader.u32()
      else { throw .malformed }
      self = .pool(key.name, PoolFacts(up: up, total: total, inFlight: inFlight, capacity: capacity))
    case PeerReportKey.announcement:
      guard let state = reader.u8().flatMap(AnnouncementFacts.State.init), let last = reader.u8(),
        let since = reader.u64(), let reason = reader.text()
      else { throw .malformed }
      var facts = AnnouncementFacts(state: state, isLast: last & 1 == 1, since: since, reason: reason)
      try facts.readPromises(&reader)
      self = .announcement(key.name, facts)
    case PeerReportKey.vip:
      guard let state = reader.u8().flatMap(VIPFacts.State.init), let priority = reader.u8(), let since = reader.u64()
      else { throw .malformed }
      self = .vip(key.name, VIPFacts(state: state, priority: priority, since: since))
    case PeerReportKey.verdict:
      guard let state = reader.u8().flatMap(VerdictFacts.State.init), let since = reader.u64(),
        let reason = reader.text()
      else { throw .malformed }
      self = .verdict(key.name, VerdictFacts(state: state, since: since, reason: reason))
    default: self = .other(key, body.indices.map { body[$0] })
    }
  }
}

extension PeerReport.NodeFacts {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let phase = reader.u8().flatMap(Phase.init), let generation = reader.u64(), let count = reader.u16(),
      count <= PeerReport.linkLimit
    else { throw .malformed }
    var links: [Link] = []
    for _ in 0..<count {
      guard let flags = reader.u8(), let name = reader.text() else { throw .malformed }
      links.append(Link(name: name, isUp: flags & 1 == 1))
    }
    self.init(phase: phase, generation: generation, links: links)
  }
}

extension PeerReport.AnnouncementFacts {
  /// What versions before did not say.
  @_lifetime(reader: copy reader)
  mutating func readPromises(_ reader: inout ByteReader) throws(PeeringError) {
    guard let wish = reader.u32() else { return }
    guard let count = reader.u16(), count <= PeerReport.linkLimit else { throw .malformed }
    self.wish = wish
    for _ in 0..<count {
      guard let number = reader.u32(), let node = reader.text() else { throw .malformed }
      promises.append(Promise(node: node, wish: number))
    }
  }
}

// Text on the wire: a length in one byte, then UTF-8.

extension ByteWriter {
  mutating func text(_ text: String) {
    var bytes = Array(text.utf8.prefix(PeerReport.textLimit))
    // Cut between characters: half of one would be refused by the other side.
    while String(validating: bytes, as: UTF8.self) == nil { bytes.removeLast() }
    u8(UInt8(bytes.count))
    append(bytes)
  }
}

extension ByteReader {
  @_lifetime(self: copy self)
  mutating func text() -> String? {
    guard let count = u8(), let bytes = take(Int(count)) else { return nil }
    return String(validating: bytes.indices.map { bytes[$0] }, as: UTF8.self)
  }
}
