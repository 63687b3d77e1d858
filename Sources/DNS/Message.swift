/// A whole message, decoded: for tests, transfers and what other servers answer. The data plane reads `Query` instead.
package struct Message: Sendable, Equatable {
  package struct Question: Hashable, Sendable {
    package var name: Name
    package var type: RecordType
    package var `class`: RecordClass

    package init(_ name: Name, _ type: RecordType, class: RecordClass = .internet) {
      self.name = name
      self.type = type
      self.class = `class`
    }
  }

  package enum Failure: Error, Hashable, Sendable {
    case truncated
    /// A label of a reserved kind, or a name of more than 255 bytes.
    case badName
    /// A compression pointer that does not lead backwards.
    case badPointer
    case trailingBytes
  }

  package var id: UInt16 = 0
  package var flags: UInt16 = 0
  package var questions: [Question] = []
  package var answers: [Record] = []
  package var authorities: [Record] = []
  /// Also OPT, whose class and TTL fields mean something else (RFC 6891 §6.1.2).
  package var additionals: [Record] = []

  package init() {}

  package var isResponse: Bool { flags & 0x8000 != 0 }
  package var isAuthoritative: Bool { flags & 0x0400 != 0 }
  package var isTruncated: Bool { flags & 0x0200 != 0 }
  package var opcode: UInt16 { flags >> 11 & 15 }
  package var options: Record? { additionals.first { $0.type == .opt } }
  /// With the upper bits that EDNS adds.
  package var code: ResponseCode {
    ResponseCode(rawValue: flags & 15 | UInt16((options?.ttl ?? 0) >> 24) << 4)
  }

  package init(_ bytes: [UInt8]) throws(Failure) {
    guard bytes.count >= 12 else { throw .truncated }
    let span = bytes.span
    id = Query.word(span, 0)
    flags = Query.word(span, 2)
    var position = 12
    for _ in 0..<Query.word(span, 4) {
      let name = try Message.name(bytes, &position)
      guard bytes.count - position >= 4 else { throw .truncated }
      questions.append(
        Question(
          name, RecordType(rawValue: Query.word(span, position)),
          class: RecordClass(rawValue: Query.word(span, position + 2))))
      position += 4
    }
    answers = try Message.records(bytes, &position, Query.word(span, 6))
    authorities = try Message.records(bytes, &position, Query.word(span, 8))
    additionals = try Message.records(bytes, &position, Query.word(span, 10))
    guard position == bytes.count else { throw .trailingBytes }
  }

  private static func records(_ bytes: [UInt8], _ position: inout Int, _ count: UInt16) throws(Failure) -> [Record] {
    var records: [Record] = []
    for _ in 0..<count {
      let name = try name(bytes, &position)
      guard bytes.count - position >= 10 else { throw .truncated }
      let span = bytes.span
      let type = RecordType(rawValue: Query.word(span, position))
      let recordClass = RecordClass(rawValue: Query.word(span, position + 2))
      let ttl = UInt32(Query.word(span, position + 4)) << 16 | UInt32(Query.word(span, position + 6))
      let length = Int(Query.word(span, position + 8))
      position += 10
      guard bytes.count - position >= length else { throw .truncated }
      let data = try data(bytes, position, length, type)
      records.append(Record(name, type, class: recordClass, ttl: ttl, data: data))
      position += length
    }
    return records
  }

  /// The data with its names uncompressed.
  private static func data(_ bytes: [UInt8], _ start: Int, _ length: Int, _ type: RecordType) throws(Failure) -> [UInt8]
  {
    guard let (skip, names) = type.compressible, length > 0 else { return Array(bytes[start..<(start + length)]) }
    guard skip <= length else { throw .truncated }
    var data = Array(bytes[start..<(start + skip)])
    var position = start + skip
    for _ in 0..<names {
      data += try name(bytes, &position).wire
      guard position <= start + length else { throw .truncated }
    }
    return data + bytes[position..<(start + length)]
  }

  /// A possibly compressed name. Each pointer leads before everything read so far, so a loop cannot be written.
  static func name(_ bytes: [UInt8], _ position: inout Int) throws(Failure) -> Name {
    var wire: [UInt8] = []
    var cursor = position
    var lowest = position
    var hasJumped = false
    while true {
      guard cursor < bytes.count else { throw .truncated }
      let length = bytes[cursor]
      switch length & 0xc0 {
      case 0xc0:
        guard cursor + 1 < bytes.count else { throw .truncated }
        let target = Int(length & 0x3f) << 8 | Int(bytes[cursor + 1])
        if !hasJumped { position = cursor + 2 }
        hasJumped = true
        guard target >= 12, target < lowest else { throw .badPointer }
        lowest = target
        cursor = target
      case 0:
        guard wire.count + Int(length) + 1 <= Name.maximumLength else { throw .badName }
        guard cursor + Int(length) < bytes.count else { throw .truncated }
        wire += bytes[cursor...(cursor + Int(length))]
        cursor += Int(length) + 1
        if length == 0 {
          if !hasJumped { position = cursor }
          return Name(unchecked: wire)
        }
      default: throw .badName
      }
    }
  }

  /// The message on the wire, compressed; nil when it does not fit 65535 bytes.
  package func encoded() -> [UInt8]? {
    var writer = MessageWriter()
    writer.keepsCase = true
    writer.u16(id)
    writer.u16(flags)
    for count in [questions.count, answers.count, authorities.count, additionals.count] {
      writer.u16(UInt16(clamping: count))
    }
    for question in questions {
      writer.name(question.name.wire, at: 0)
      writer.u16(question.type.rawValue)
      writer.u16(question.class.rawValue)
    }
    for record in answers + authorities + additionals { writer.record(record) }
    return writer.overflowed ? nil : writer.message
  }
}

extension Message {
  /// A query for one name, with an OPT record if `udpSize` is given.
  package static func query(
    _ name: Name, _ type: RecordType, class: RecordClass = .internet, id: UInt16 = 0, udpSize: UInt16? = nil,
    options: [UInt8] = [], dnssecOK: Bool = false
  ) -> Message {
    var message = Message()
    message.id = id
    message.questions = [Question(name, type, class: `class`)]
    if let udpSize {
      message.additionals = [
        Record(.root, .opt, class: RecordClass(rawValue: udpSize), ttl: dnssecOK ? 0x8000 : 0, data: options)
      ]
    }
    return message
  }

  /// Tells a secondary that a zone changed (RFC 1996): opcode 4, AA, and the new SOA as a hint.
  package static func notify(_ zone: Zone, id: UInt16) -> Message {
    var message = Message()
    message.id = id
    message.flags = 4 << 11 | 0x0400
    message.questions = [Question(zone.apex, .soa)]
    message.answers = zone.records(of: zone.authority, owner: zone.apex)
    return message
  }
}
