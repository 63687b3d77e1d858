internal import Model
internal import Wire

extension Message {
  /// The message before sealing.
  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 64)
    switch self {
    case .welcome(let welcome):
      writer.u8(MessageKind.welcome)
      for text in [welcome.name, welcome.site, welcome.version] { writer.text(text) }
      for number in [welcome.boot, welcome.wall, welcome.position.boot, welcome.position.time] { writer.u64(number) }
    case .heartbeat(let heartbeat):
      writer.u8(MessageKind.heartbeat)
      writer.u64(heartbeat.time)
      writer.u64(heartbeat.echo)
      writer.u32(heartbeat.held)
    case .acknowledgement(let count):
      writer.u8(MessageKind.acknowledgement)
      writer.u64(count)
    case .reports(let batch): writer.append(batch)
    case .registers(let registers):
      writer.u8(MessageKind.registers)
      writer.u16(UInt16(truncatingIfNeeded: registers.count))
      for register in registers { writer.append(register) }
    case .entries(let batch): writer.append(batch)
    case .letter(let letter):
      writer.u8(MessageKind.letter)
      writer.u64(letter.id)
      writer.text(letter.topic)
      writer.u16(UInt16(truncatingIfNeeded: letter.body.count))
      writer.append(letter.body)
    case .receipt(let id, let isDelivered):
      writer.u8(MessageKind.receipt)
      writer.u64(id)
      writer.u8(isDelivered ? 1 : 0)
    case .farewell: writer.u8(MessageKind.farewell)
    case .other(let kind): writer.u8(kind)
    }
    return writer.bytes
  }
}

extension ByteWriter {
  mutating func append(_ batch: Message.ReportBatch) {
    u8(MessageKind.reports)
    u8((batch.isWhole ? 1 : 0) | (batch.isLast ? 2 : 0))
    u16(UInt16(truncatingIfNeeded: batch.reports.count))
    for report in batch.reports {
      append(report.key)
      let body = report.body
      u16(UInt16(truncatingIfNeeded: body.count))
      append(body)
    }
    u16(UInt16(truncatingIfNeeded: batch.removed.count))
    for key in batch.removed { append(key) }
  }

  mutating func append(_ key: PeerReportKey) {
    u8(key.kind)
    text(key.name)
  }

  mutating func append(_ register: Register) {
    u8(register.key.kind)
    text(register.key.pool)
    text(register.key.backend)
    text(register.value)
    u64(register.stamp.time)
    text(register.stamp.node)
  }

  /// The names of pool and backends stand once, then 14 bytes for each client.
  mutating func append(_ batch: Message.EntryBatch) {
    u8(MessageKind.entries)
    u64(batch.upTo)
    text(batch.entries.first?.pool ?? "")
    var numbers: [String: UInt16] = [:]
    var names: [String] = []
    for entry in batch.entries where numbers[entry.backend] == nil {
      numbers[entry.backend] = UInt16(truncatingIfNeeded: names.count)
      names.append(entry.backend)
    }
    u16(UInt16(truncatingIfNeeded: names.count))
    for name in names { text(name) }
    u16(UInt16(truncatingIfNeeded: batch.entries.count))
    for entry in batch.entries {
      u64(entry.hash)
      u16(numbers[entry.backend] ?? 0)
      u32(entry.remaining)
    }
  }
}
