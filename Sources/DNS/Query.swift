/// A request as far as answering needs it; read in place, without allocation.
package struct Query: Sendable, BitwiseCopyable {
  package var id: UInt16 = 0
  /// The second header word: QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE.
  package var flags: UInt16 = 0
  package var type = RecordType(rawValue: 0)
  package var `class` = RecordClass(rawValue: 0)
  /// Where the question ends; 12 when there is none.
  package var questionEnd = 12
  package var hasQuestion = false
  package var extensions: Extensions?
  /// Where the TSIG record (RFC 8945) begins; nil: not signed.
  package var signatureStart: Int?
  /// The serial of an IXFR request's SOA (RFC 1995 §3).
  package var knownSerial: UInt32?

  package init() {}

  package var opcode: UInt16 { flags >> 11 & 15 }

  /// What an OPT record says (RFC 6891).
  package struct Extensions: Sendable, BitwiseCopyable {
    package var udpSize: UInt16 = 512
    package var version: UInt8 = 0
    package var dnssecOK = false
    /// The client knows compact denial (RFC 9824 §5.1).
    package var compactOK = false
    /// Whether there are options that an answer may speak of.
    package var hasOptions = false
    package var wantsServerID = false
    /// RFC 7830.
    package var wantsPadding = false
    package var subnet: ClientSubnet?
    /// The client cookie, first byte highest (RFC 7873).
    package var clientCookie: UInt64?
    /// The server cookie if it has this server's 16 bytes; another length cannot be ours.
    package var serverCookie: (UInt64, UInt64)?
  }

  package enum Failure: Error, Hashable, Sendable {
    /// Not to be answered: shorter than a header, or itself a response.
    case notAQuery
    /// FORMERR; what was read before is kept.
    case malformed
  }

  /// Reads the header, question, OPT and TSIG; `name` receives the question's name.
  package static func read(_ bytes: Span<UInt8>, name: inout LookupName, into query: inout Query) throws(Failure) {
    query = Query()
    guard bytes.count >= 12 else { throw .notAQuery }
    query.id = word(bytes, 0)
    query.flags = word(bytes, 2)
    // A response is never answered, or two servers could talk for ever.
    guard query.flags & 0x8000 == 0 else { throw .notAQuery }
    guard query.opcode == 0 else { return }
    let questions = word(bytes, 4)
    let answers = word(bytes, 6)
    let authorities = word(bytes, 8)
    var position = 12
    if questions == 1 {
      // A name in the question has nothing to point to, so a pointer is malformed.
      guard let end = name.load(bytes, at: 12), bytes.count - end >= 4 else { throw .malformed }
      query.type = RecordType(rawValue: word(bytes, end))
      query.class = RecordClass(rawValue: word(bytes, end + 2))
      query.questionEnd = end + 4
      query.hasQuestion = true
      position = end + 4
    }
    guard questions <= 1, answers == 0, authorities <= (query.type == .ixfr ? 1 : 0) else { throw .malformed }
    for _ in 0..<authorities { try query.authority(bytes, &position) }
    let additionals = word(bytes, 10)
    guard additionals <= 4 else { throw .malformed }
    for index in 0..<additionals { try query.additional(bytes, &position, isLast: index + 1 == additionals) }
    guard position == bytes.count else { throw .malformed }
  }

  private mutating func authority(_ bytes: Span<UInt8>, _ position: inout Int) throws(Failure) {
    guard let record = RecordHeader(bytes, &position) else { throw .malformed }
    // Behind two names, of which each may be a pointer, the serial is the first of five words.
    guard record.type == .soa, record.length >= 22 else { throw .malformed }
    let start = record.data + record.length - 20
    knownSerial = UInt32(Query.word(bytes, start)) << 16 | UInt32(Query.word(bytes, start + 2))
  }

  private mutating func additional(_ bytes: Span<UInt8>, _ position: inout Int, isLast: Bool) throws(Failure) {
    let start = position
    guard let record = RecordHeader(bytes, &position) else { throw .malformed }
    switch record.type {
    case .opt:
      // RFC 6891 §6.1.1: one at most, owned by the root.
      guard extensions == nil, record.isRootOwned else { throw .malformed }
      var read = Extensions()
      read.udpSize = record.class
      read.version = UInt8(truncatingIfNeeded: record.ttl >> 16)
      read.dnssecOK = record.ttl & 0x8000 != 0
      read.compactOK = record.ttl & 0x4000 != 0
      extensions = read
      // What the options of another version mean is not known.
      guard read.version == 0, record.length > 0 else { return }
      extensions?.hasOptions = true
      try options(bytes, record.data, record.data + record.length)
    case .tsig:
      // RFC 8945 §5.1: the last record.
      guard isLast else { throw .malformed }
      signatureStart = start
    default: break
    }
  }

  private mutating func options(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) throws(Failure) {
    var position = start
    while position < end {
      guard end - position >= 4 else { throw .malformed }
      let code = Query.word(bytes, position)
      let length = Int(Query.word(bytes, position + 2))
      position += 4
      guard end - position >= length else { throw .malformed }
      switch code {
      case 3: extensions?.wantsServerID = true
      case 8:
        guard let subnet = ClientSubnet(bytes, at: position, length: length) else { throw .malformed }
        extensions?.subnet = subnet
      case 10:
        // RFC 7873 §5.2.2: 8 bytes alone, or with 8 to 32 of the server's.
        guard length == 8 || (16...40).contains(length) else { throw .malformed }
        extensions?.clientCookie = Query.long(bytes, position)
        if length == 24 {
          extensions?.serverCookie = (Query.long(bytes, position + 8), Query.long(bytes, position + 16))
        }
      case 12: extensions?.wantsPadding = true
      default: break
      }
      position += length
    }
  }

  static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt16 {
    UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
  }

  private static func long(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<8 { value = value << 8 | UInt64(bytes[offset + index]) }
    return value
  }
}

/// The fixed part of a record whose owner needs not be known.
struct RecordHeader {
  var type: RecordType
  var `class`: UInt16
  var ttl: UInt32
  var data: Int
  var length: Int
  var isRootOwned: Bool

  /// Moves `position` behind the record; nil when it is cut off.
  init?(_ bytes: Span<UInt8>, _ position: inout Int) {
    let start = position
    guard RecordHeader.skipName(bytes, &position), bytes.count - position >= 10 else { return nil }
    isRootOwned = bytes[start] == 0
    type = RecordType(rawValue: Query.word(bytes, position))
    `class` = Query.word(bytes, position + 2)
    ttl = UInt32(Query.word(bytes, position + 4)) << 16 | UInt32(Query.word(bytes, position + 6))
    length = Int(Query.word(bytes, position + 8))
    data = position + 10
    guard bytes.count - data >= length else { return nil }
    position = data + length
  }

  private static func skipName(_ bytes: Span<UInt8>, _ position: inout Int) -> Bool {
    let start = position
    while position < bytes.count, position - start <= Name.maximumLength {
      let length = bytes[position]
      if length == 0 {
        position += 1
        return true
      }
      if length & 0xc0 == 0xc0 {
        // Must lead backwards, to something behind the header.
        guard position + 1 < bytes.count else { return false }
        let target = Int(length & 0x3f) << 8 | Int(bytes[position + 1])
        guard target >= 12, target < start else { return false }
        position += 2
        return true
      }
      guard length <= UInt8(Name.maximumLabel) else { return false }
      position += Int(length) + 1
    }
    return false
  }
}
