internal import Model
internal import Wire

extension Message {
  /// What a record said. Bytes after the last field are passed over: a later version may have more to say.
  package init(reading bytes: Span<UInt8>) throws(PeeringError) {
    var reader = ByteReader(bytes)
    guard let kind = reader.u8() else { throw .malformed }
    switch kind {
    case MessageKind.welcome: self = .welcome(try Welcome(reading: &reader))
    case MessageKind.heartbeat:
      guard let time = reader.u64(), let echo = reader.u64(), let held = reader.u32() else { throw .malformed }
      self = .heartbeat(Heartbeat(time: time, echo: echo, held: held))
    case MessageKind.acknowledgement:
      guard let count = reader.u64() else { throw .malformed }
      self = .acknowledgement(count)
    case MessageKind.receipt:
      guard let id = reader.u64(), let outcome = reader.u8() else { throw .malformed }
      self = .receipt(id: id, isDelivered: outcome == 1)
    case MessageKind.farewell: self = .farewell
    case MessageKind.reports: self = .reports(try ReportBatch(reading: &reader))
    case MessageKind.registers:
      guard let count = reader.u16() else { throw .malformed }
      var registers: [Register] = []
      for _ in 0..<count { registers.append(try Register(reading: &reader)) }
      self = .registers(registers)
    case MessageKind.entries: self = .entries(try EntryBatch(reading: &reader))
    case MessageKind.letter:
      guard let id = reader.u64(), let topic = reader.text(), let count = reader.u16(),
        let body = reader.take(Int(count))
      else { throw .malformed }
      guard body.count <= Letter.limit else { throw .tooLarge("bytes in a letter") }
      self = .letter(Letter(id: id, topic: topic, body: body.indices.map { body[$0] }))
    default: self = .other(kind: kind)
    }
  }
}

extension Message.Welcome {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let name = reader.text(), !name.isEmpty, let site = reader.text(), let version = reader.text(),
      let boot = reader.u64(), let wall = reader.u64(), let known = reader.u64(), let time = reader.u64()
    else { throw .malformed }
    self.init(
      name: name, site: site, version: version, boot: boot, wall: wall,
      position: TablePosition(boot: known, time: time))
  }
}

extension Message.ReportBatch {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let flags = reader.u8(), let count = reader.u16() else { throw .malformed }
    var reports: [PeerReport] = []
    for _ in 0..<count {
      let key = try PeerReportKey(reading: &reader)
      guard let length = reader.u16(), let body = reader.take(Int(length)) else { throw .malformed }
      reports.append(try PeerReport(key, reading: body))
    }
    guard let gone = reader.u16() else { throw .malformed }
    var removed: [PeerReportKey] = []
    for _ in 0..<gone { removed.append(try PeerReportKey(reading: &reader)) }
    self.init(isWhole: flags & 1 == 1, isLast: flags & 2 == 2, reports: reports, removed: removed)
  }
}

extension PeerReportKey {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let kind = reader.u8(), let name = reader.text() else { throw .malformed }
    self.init(kind: kind, name: name)
  }
}

extension Register {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let kind = reader.u8(), let pool = reader.text(), let backend = reader.text(), let value = reader.text(),
      let time = reader.u64(), let node = reader.text()
    else { throw .malformed }
    self.init(
      key: RegisterKey(kind: kind, pool: pool, backend: backend), value: value, stamp: Stamp(time: time, node: node))
  }
}

extension Message.EntryBatch {
  @_lifetime(reader: copy reader)
  init(reading reader: inout ByteReader) throws(PeeringError) {
    guard let upTo = reader.u64(), let pool = reader.text(), let names = reader.u16() else { throw .malformed }
    var backends: [String] = []
    for _ in 0..<names {
      guard let name = reader.text() else { throw .malformed }
      backends.append(name)
    }
    guard let count = reader.u16() else { throw .malformed }
    var entries: [PersistenceEntry] = []
    for _ in 0..<count {
      guard let hash = reader.u64(), let number = reader.u16(), Int(number) < backends.count,
        let remaining = reader.u32()
      else { throw .malformed }
      entries.append(
        PersistenceEntry(pool: pool, hash: hash, backend: backends[Int(number)], remaining: remaining))
    }
    self.init(upTo: upTo, entries: entries)
  }
}
