/// Writes one message into a buffer of fixed capacity, with name compression (RFC 1035 §4.1.4).
///
/// What would pass `limit` is not written and sets `overflowed`; the caller then
/// goes back to a `Mark`, so that only whole sets of records remain (RFC 2181 §9).
/// Made once per worker or per slot of a batch; a message allocates nothing.
package struct MessageWriter: ~Copyable {
  package private(set) var bytes: [UInt8]
  /// The length of the message so far, in bytes.
  package private(set) var count = 0
  package private(set) var overflowed = false
  /// How many bytes the message may have, at most the capacity.
  package private(set) var limit: Int

  // The suffixes that later names may point to: a hash to find them, the offset to compare with.
  private var hashes = [UInt32](repeating: 0, count: 48)
  private var offsets = [UInt16](repeating: 0, count: 48)
  private var suffixes = 0
  private var scratch = LookupName()
  /// Where the last name in a record's data can be pointed to; nil when it cannot.
  private(set) var lastName: Int?

  /// Whether a name may only point to one of the same case: right for transfers (RFC 5936 §3.4). In answers,
  /// the case of the question wins, and the message is shorter.
  var keepsCase = false

  /// Whether `pointers` notes where pointers are written: for answers that are prepared.
  var notesPointers = false { didSet { pointers = [] } }
  private(set) var pointers: [Int] = []

  package struct Mark: Sendable {
    fileprivate let count: Int
    fileprivate let suffixes: Int
  }

  /// - Parameter capacity: the largest message, in bytes; 65535 serves TCP.
  package init(capacity: Int = 65_535) {
    bytes = [UInt8](repeating: 0, count: max(capacity, 512))
    limit = bytes.count
  }

  /// The message as an array.
  package var message: [UInt8] { Array(bytes[..<count]) }

  package mutating func reset(limit: Int) {
    self.limit = max(12, min(limit, bytes.count))
    count = 0
    suffixes = 0
    overflowed = false
    keepsCase = false
  }

  /// Lowers or raises the limit, e.g. to keep room for an OPT record.
  mutating func setLimit(_ limit: Int) { self.limit = max(count, min(limit, bytes.count)) }

  var mark: Mark { Mark(count: count, suffixes: suffixes) }

  mutating func rollBack(to mark: Mark) {
    count = mark.count
    suffixes = mark.suffixes
    overflowed = false
    if notesPointers { pointers.removeAll { $0 >= count } }
  }

  @inline(__always) private mutating func has(_ size: Int) -> Bool {
    if count &+ size <= limit, !overflowed { return true }
    overflowed = true
    return false
  }

  @inline(__always) mutating func u8(_ value: UInt8) {
    guard has(1) else { return }
    bytes[count] = value
    count &+= 1
  }

  @inline(__always) mutating func u16(_ value: UInt16) {
    guard has(2) else { return }
    let end = count
    var target = bytes.mutableSpan
    target[end] = UInt8(truncatingIfNeeded: value &>> 8)
    target[end &+ 1] = UInt8(truncatingIfNeeded: value)
    count = end &+ 2
  }

  @inline(__always) mutating func u32(_ value: UInt32) {
    u16(UInt16(truncatingIfNeeded: value &>> 16))
    u16(UInt16(truncatingIfNeeded: value))
  }

  @inline(__always) mutating func u64(_ value: UInt64) {
    guard has(8) else { return }
    let end = count
    var target = bytes.mutableSpan
    Octets.store(value.byteSwapped, in: &target, at: end)
    count = end &+ 8
  }

  @inline(__always) mutating func copy(_ source: Span<UInt8>, _ start: Int, _ length: Int) {
    guard start >= 0, length >= 0, start &+ length <= source.count, has(length) else { return }
    let end = count
    var target = bytes.mutableSpan
    Octets.copy(source, at: start, count: length, to: &target, at: end)
    count = end &+ length
  }

  @inline(__always) mutating func copy(_ source: [UInt8], _ start: Int, _ length: Int) {
    copy(source.span, start, length)
  }

  mutating func copy(_ source: [UInt8]) { copy(source.span, 0, source.count) }

  mutating func zeros(_ length: Int) {
    guard length >= 0, has(length) else { return }
    for offset in count..<count + length { bytes[offset] = 0 }
    count += length
  }

  /// Keeps the first twelve bytes for `header`.
  @inline(__always) mutating func reserveHeader() {
    guard count == 0, has(12) else { return }
    count = 12
  }

  /// Writes the six words of a message's header (RFC 1035 §4.1.1).
  @inline(__always) mutating func header(
    _ id: UInt16, _ flags: UInt16, _ questions: UInt16, _ answers: UInt16, _ authorities: UInt16, _ additionals: UInt16
  ) {
    guard count >= 12 else { return }
    var target = bytes.mutableSpan
    let front = UInt64(id) &<< 48 | UInt64(flags) &<< 32 | UInt64(questions) &<< 16 | UInt64(answers)
    let back = UInt64(answers) &<< 32 | UInt64(authorities) &<< 16 | UInt64(additionals)
    // Two words that overlap in bytes 4 to 7.
    Octets.store((UInt64(questions) &<< 48 | back).byteSwapped, in: &target, at: 4)
    Octets.store(front.byteSwapped, in: &target, at: 0)
  }

  mutating func patch16(at offset: Int, _ value: UInt16) {
    guard offset >= 0, offset + 1 < count else { return }
    bytes[offset] = UInt8(truncatingIfNeeded: value &>> 8)
    bytes[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  // MARK: Names

  /// Whether no name can be pointed to.
  var knowsNoName: Bool { suffixes == 0 }

  /// Makes the suffixes of a name that stands at `offset`, uncompressed, known to later ones.
  mutating func remember(_ name: borrowing LookupName, at offset: Int) {
    var label = 0
    while label < name.labels {
      remember(name.hashes[label], offset &+ Int(name.offsets[label]))
      label &+= 1
    }
  }

  /// The same for the question's name, from a message that is written anew.
  mutating func remember(name: Name?) {
    guard let name, scratch.load(name.wire.span, at: 0) != nil else { return }
    var label = 0
    while label < scratch.labels {
      remember(scratch.hashes[label], 12 &+ Int(scratch.offsets[label]))
      label &+= 1
    }
  }

  private mutating func remember(_ hash: UInt64, _ offset: Int) {
    guard suffixes < 48, offset < 0x4000 else { return }
    hashes[suffixes] = UInt32(truncatingIfNeeded: hash)
    offsets[suffixes] = UInt16(truncatingIfNeeded: offset)
    suffixes &+= 1
  }

  /// A pointer to a name that stands in the message.
  @inline(__always) mutating func pointer(_ offset: Int) {
    if notesPointers { pointers.append(count) }
    u16(0xc000 | UInt16(truncatingIfNeeded: offset))
  }

  /// Takes an answer that is prepared for a name shorter by `distance` bytes.
  @inline(__always) mutating func copy(
    _ answer: PreparedAnswers.Answer, of prepared: borrowing PreparedAnswers, movedBy distance: Int
  ) {
    guard has(Int(answer.length)) else { return }
    let start = count
    var message = bytes.mutableSpan
    prepared.copy(answer, movedBy: distance, to: &message, at: start)
    count &+= Int(answer.length)
  }

  /// Writes the uncompressed name at `start` of `source` in the shortest form.
  /// - Returns: an offset to which later names may point; nil when that is too far.
  @discardableResult mutating func name(_ source: [UInt8], at start: Int) -> Int? {
    guard scratch.load(source.span, at: start) != nil else {
      overflowed = true
      return nil
    }
    var label = 0
    var found = -1
    while label < scratch.labels {
      found = known(label, source, start)
      if found >= 0 { break }
      label &+= 1
    }
    let position = count
    let length = Int(scratch.offsets[label])
    var fresh = 0
    while fresh < label {
      remember(scratch.hashes[fresh], position &+ Int(scratch.offsets[fresh]))
      fresh &+= 1
    }
    copy(source, start, length)
    if found >= 0 {
      pointer(found)
      return label == 0 ? found : position < 0x4000 ? position : nil
    }
    u8(0)
    return position < 0x4000 ? position : nil
  }

  /// Where the suffix of `scratch` from `label` stands already; -1 when it does not.
  private func known(_ label: Int, _ source: [UInt8], _ start: Int) -> Int {
    let hash = UInt32(truncatingIfNeeded: scratch.hashes[label])
    var index = 0
    while index < suffixes {
      if hashes[index] == hash, matches(label, source, start, at: Int(offsets[index])) { return Int(offsets[index]) }
      index &+= 1
    }
    return -1
  }

  /// Whether the name at `offset` of the message is the suffix of `scratch` from `label`.
  private func matches(_ label: Int, _ source: [UInt8], _ start: Int, at offset: Int) -> Bool {
    var position = offset
    var own = Int(scratch.offsets[label])
    while position < count {
      let length = bytes[position]
      if length & 0xc0 == 0xc0 {
        // INVARIANT: this writer's pointers lead backwards, so this ends.
        guard position + 1 < count else { return false }
        let next = Int(length & 0x3f) << 8 | Int(bytes[position + 1])
        guard next < position else { return false }
        position = next
        continue
      }
      guard scratch.bytes[own] == length else { return false }
      if length == 0 { return true }
      guard position + Int(length) < count else { return false }
      for index in 1...Int(length) {
        let byte = bytes[position + index]
        guard keepsCase ? byte == source[start + own + index] : lowercased(byte) == scratch.bytes[own + index] else {
          return false
        }
      }
      position += Int(length) + 1
      own += Int(length) + 1
    }
    return false
  }

  // MARK: Records

  /// Writes the record whose type, class, TTL, length and data stand at `start` of `source`, behind its owner.
  mutating func record(
    _ source: [UInt8], at start: Int, length: Int, type: RecordType, owner: Int, ttl: UInt32? = nil
  ) {
    pointer(owner)
    body(source, at: start, length: length, type: type, ttl: ttl)
  }

  /// The same without an owner, which the caller has written.
  @inline(__always) mutating func body(
    _ source: [UInt8], at start: Int, length: Int, type: RecordType, ttl: UInt32? = nil
  ) {
    let header = count
    guard let (skip, names) = type.compressible else {
      copy(source, start, 10 &+ length)
      if let ttl { patchTTL(at: header &+ 4, ttl) }
      return
    }
    copy(source, start, 10 &+ skip)
    if let ttl { patchTTL(at: header &+ 4, ttl) }
    var position = start &+ 10 &+ skip
    for _ in 0..<names {
      lastName = name(source, at: position)
      position &+= scratch.length
    }
    copy(source, position, start &+ 10 &+ length &- position)
    guard !overflowed else { return }
    patch16(at: header &+ 8, UInt16(truncatingIfNeeded: count &- header &- 10))
  }

  private mutating func patchTTL(at offset: Int, _ ttl: UInt32) {
    guard !overflowed else { return }
    patch16(at: offset, UInt16(truncatingIfNeeded: ttl &>> 16))
    patch16(at: offset &+ 2, UInt16(truncatingIfNeeded: ttl))
  }

  /// Writes a whole record; for messages off the data plane.
  mutating func record(_ record: Record) {
    name(record.name.wire, at: 0)
    var source: [UInt8] = []
    source += [UInt8(record.type.rawValue >> 8), UInt8(truncatingIfNeeded: record.type.rawValue)]
    source += [UInt8(record.class.rawValue >> 8), UInt8(truncatingIfNeeded: record.class.rawValue)]
    for shift in [24, 16, 8, 0] as [UInt32] { source.append(UInt8(truncatingIfNeeded: record.ttl >> shift)) }
    source += [UInt8(truncatingIfNeeded: record.data.count >> 8), UInt8(truncatingIfNeeded: record.data.count)]
    source += record.data
    body(source, at: 0, length: record.data.count, type: record.type)
  }
}
