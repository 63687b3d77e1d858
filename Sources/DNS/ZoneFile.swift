/// A place in a zone file.
package struct ZonePlace: Hashable, Sendable {
  package var file: String
  package var line: Int
  package var column: Int

  package init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }
}

/// A remark on a zone, printed as `file:line:column: error: text`.
package struct ZoneDiagnostic: Hashable, Sendable, CustomStringConvertible {
  package enum Severity: String, Hashable, Sendable { case error, warning }
  package var severity: Severity
  package var place: ZonePlace
  package var text: String

  package var description: String {
    "\(place.file):\(place.line):\(place.column): \(severity.rawValue): \(text)"
  }
}

/// A record and where it was written.
package struct PlacedRecord: Hashable, Sendable {
  package var record: Record
  package var place: ZonePlace

  package init(_ record: Record, at place: ZonePlace) {
    self.record = record
    self.place = place
  }
}

/// Reads a master file (RFC 1035 §5) with $ORIGIN, $TTL (RFC 2308 §4) and $INCLUDE.
///
/// What the file says is collected with every error in it; whether it makes a zone is `Zone`'s business.
package struct ZoneFile {
  package private(set) var records = ZoneRecords()
  package private(set) var diagnostics: [ZoneDiagnostic] = []

  package static let maximumIncludeDepth = 8
  package static let maximumDiagnostics = 50

  /// The rest has no room.
  private var isFull = false

  /// - Parameters:
  ///   - load: the bytes of the file that $INCLUDE names (its path as written); nil when there is none.
  ///   - limit: of names and data together, in bytes.
  package init(
    _ bytes: [UInt8], file: String, origin: Name, limit: Int = ZoneRecords.mostBytes,
    load: (String) -> [UInt8]? = { _ in nil }
  ) {
    records = ZoneRecords(limit: limit)
    var state = State(origin: origin)
    read(bytes, file: file, depth: 0, state: &state, load: load)
  }

  package var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  private struct State {
    var origin: Name
    var owner: Name?
    var defaultTTL: UInt32?
    var lastTTL: UInt32?
  }

  /// What a word before the data can mean, beside a time.
  private enum Word {
    case `class`(RecordClass)
    case type(RecordType)
  }

  /// PERF: those that were met; to read the same few words anew in each line was a tenth of reading a large zone.
  private var words: [[UInt8]: Word] = [:]

  private var lastWord: (bytes: ArraySlice<UInt8>, word: Word?) = ([], nil)

  private mutating func word(_ bytes: ArraySlice<UInt8>) -> Word? {
    if bytes == lastWord.bytes { return lastWord.word }
    let word = anyWord(Array(bytes))
    lastWord = (bytes, word)
    return word
  }

  private mutating func anyWord(_ bytes: [UInt8]) -> Word? {
    if let known = words[bytes] { return known }
    let text = String(decoding: bytes, as: UTF8.self)
    let found = RecordClass(text).map(Word.class) ?? RecordType(text).map(Word.type)
    words[bytes] = found
    return found
  }

  private struct Failure: Error {
    var token: ZoneToken?
    var text: String
  }

  private mutating func read(
    _ bytes: [UInt8], file: String, depth: Int, state: inout State, load: (String) -> [UInt8]?
  ) {
    var tokenizer = ZoneTokenizer(bytes)
    var entry = ZoneEntry()
    while diagnostics.count < ZoneFile.maximumDiagnostics, !isFull {
      do {
        guard try tokenizer.next(into: &entry) else { return }
      } catch {
        report(ZonePlace(file: file, line: error.line, column: error.column), error.text)
        continue
      }
      do {
        if let first = entry.tokens.first, !entry.hasBlankOwner, first.bytes.first == UInt8(ascii: "$"), !first.isQuoted
        {
          try directive(entry, file: file, depth: depth, state: &state, load: load)
        } else {
          try record(entry, file: file, state: &state)
        }
      } catch {
        let end = entry.tokens.last
        let place = ZonePlace(
          file: file, line: error.token?.line ?? end?.line ?? entry.line,
          column: error.token?.column ?? end.map { $0.column + $0.bytes.count } ?? 1)
        report(place, error.text)
      }
    }
  }

  private mutating func report(_ place: ZonePlace, _ text: String) {
    diagnostics.append(ZoneDiagnostic(severity: .error, place: place, text: text))
  }

  // MARK: Directives

  private mutating func directive(
    _ entry: ZoneEntry, file: String, depth: Int, state: inout State, load: (String) -> [UInt8]?
  ) throws(Failure) {
    let tokens = entry.tokens
    let word = String(decoding: tokens[0].bytes, as: UTF8.self).uppercased()
    func argument(_ what: String) throws(Failure) -> ZoneToken {
      guard tokens.count > 1 else { throw Failure(token: nil, text: "\(word) needs \(what)") }
      return tokens[1]
    }
    func end(_ count: Int) throws(Failure) {
      guard tokens.count <= count else { throw Failure(token: tokens[count], text: "unexpected text after \(word)") }
    }
    switch word {
    case "$ORIGIN":
      let token = try argument("a name")
      state.origin = try name(token, state.origin)
      try end(2)
    case "$TTL":
      let token = try argument("a time")
      guard let ttl = RecordText.seconds(token.bytes, maximum: 0x7fff_ffff) else {
        throw Failure(token: token, text: "expected a time like 3600 or 1h30m, at most 2147483647 seconds")
      }
      state.defaultTTL = ttl
      try end(2)
    case "$INCLUDE":
      let token = try argument("a file name")
      guard depth < ZoneFile.maximumIncludeDepth else {
        throw Failure(token: token, text: "$INCLUDE nested more than \(ZoneFile.maximumIncludeDepth) deep")
      }
      let path = String(decoding: token.bytes, as: UTF8.self)
      var inner = state
      if tokens.count > 2 { inner.origin = try name(tokens[2], state.origin) }
      try end(3)
      guard let bytes = load(path) else { throw Failure(token: token, text: "cannot read \"\(path)\"") }
      // RFC 1035 §5.1: the included file never changes the origin of the one that includes it.
      read(bytes, file: path, depth: depth + 1, state: &inner, load: load)
    default: throw Failure(token: tokens[0], text: "unknown directive \(word); there are $ORIGIN, $TTL and $INCLUDE")
    }
  }

  private func name(_ token: ZoneToken, _ origin: Name) throws(Failure) -> Name {
    do {
      return try Name(text: token.bytes, origin: origin)
    } catch {
      throw Failure(token: token, text: error.text)
    }
  }

  // MARK: Records

  private mutating func record(_ entry: ZoneEntry, file: String, state: inout State) throws(Failure) {
    var tokens = entry.tokens[...]
    let first = entry.tokens[0]
    if !entry.hasBlankOwner {
      state.owner = try name(first, state.origin)
      tokens.removeFirst()
    }
    guard let owner = state.owner else { throw Failure(token: first, text: "the first record needs an owner name") }

    var ttl: UInt32?
    var recordClass: RecordClass?
    var type: (RecordType, ZoneToken)?
    // TTL and class come in either order before the type, and each may be left out.
    while type == nil {
      guard let token = tokens.popFirst() else { throw Failure(token: nil, text: "expected a record type") }
      if let first = token.bytes.first, first &- 48 < 10 {
        guard ttl == nil, let value = RecordText.seconds(token.bytes, maximum: 0x7fff_ffff) else {
          throw Failure(token: token, text: ttl == nil ? "expected a time to live" : "two times to live")
        }
        ttl = value
        continue
      }
      switch word(token.bytes) {
      case .class(let value):
        guard recordClass == nil else { throw Failure(token: token, text: "two classes") }
        recordClass = value
      case .type(let value): type = (value, token)
      case nil:
        throw Failure(token: token, text: "unknown record type \"\(String(decoding: token.bytes, as: UTF8.self))\"")
      }
    }
    guard let (type, typeToken) = type else { return }
    guard !type.isMeta else { throw Failure(token: typeToken, text: "\(type) is not data") }
    if let other = recordClass, other != .internet {
      throw Failure(token: typeToken, text: "only class IN is served, not \(other.description)")
    }

    let data: [UInt8]
    do {
      data = try RecordText.parse(type, tokens, origin: state.origin)
    } catch {
      throw Failure(token: error.token < tokens.endIndex ? tokens[error.token] : nil, text: error.text)
    }
    var record = Record(owner, type, ttl: 0, data: data)
    // RFC 2308 §4: $TTL; before it, the last explicit one; for a SOA without any, its minimum.
    guard let resolved = ttl ?? state.defaultTTL ?? state.lastTTL ?? record.authority?.minimum else {
      throw Failure(token: typeToken, text: "no time to live, and no $TTL before")
    }
    state.lastTTL = resolved
    record.ttl = resolved
    guard records.append(record, file: file, first.line, first.column) else {
      isFull = true
      throw Failure(token: first, text: "the zone is too large: up to here it has 2 GiB of names and data")
    }
  }
}
