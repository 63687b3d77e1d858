/// The header section's syntax, RFC 9112 §5, in one pass.
extension FieldTable {
  /// Names longer than this are refused as a head too large.
  private static var nameLimit: Int { 1024 }

  /// Reads lines from `start` to the empty line; returns the index behind it, or nil when `bytes` ends before.
  mutating func scan(_ bytes: Span<UInt8>, from start: Int, limit: Int) throws(HeadError) -> Int? {
    count = 0
    var found = (count: 0, seen: UInt64(0), repeated: UInt64(0))
    let head = try FieldTable.scan(bytes, from: start, limit: limit, storage.mutableSpan, &found)
    guard let head else { return nil }
    (count, seen, repeated) = found
    self.start = start
    end = head &- 2
    return head
  }

  // PERF: a span of the storage, so that its uniqueness is checked once and not for every line.
  @inline(__always) private static func scan(
    _ bytes: Span<UInt8>, from start: Int, limit: Int, _ lines: consuming MutableSpan<HeaderField>,
    _ found: inout (count: Int, seen: UInt64, repeated: UInt64)
  ) throws(HeadError) -> Int? {
    var position = start
    while true {
      guard position < bytes.count else { return nil }
      if bytes[position] == Byte.cr {
        guard position &+ 1 < bytes.count else { return nil }
        guard bytes[position &+ 1] == Byte.lf else { throw .bareCR }
        return position &+ 2
      }
      guard let (line, next) = try scanLine(bytes, from: position) else { return nil }
      guard found.count < limit else { throw .tooManyFields }
      lines[found.count] = line
      found.count &+= 1
      if line.name != .other {
        found.repeated |= found.seen & line.name.bit
        found.seen |= line.name.bit
      }
      position = next
    }
  }

  @inline(__always) private static func scanLine(
    _ bytes: Span<UInt8>, from start: Int
  ) throws(HeadError) -> (line: HeaderField, next: Int)? {
    guard let (length, name) = try scanName(bytes, from: start) else { return nil }
    var valueStart = start &+ length &+ 1
    while valueStart < bytes.count, Byte.isBlank(bytes[valueStart]) { valueStart &+= 1 }
    guard let stop = try bytes.endOfText(from: valueStart) else { return nil }
    var valueEnd = stop
    while valueEnd > valueStart, Byte.isBlank(bytes[valueEnd &- 1]) { valueEnd &-= 1 }
    let line = HeaderField(
      nameStart: UInt32(truncatingIfNeeded: start), valueStart: UInt32(truncatingIfNeeded: valueStart),
      valueEnd: UInt32(truncatingIfNeeded: valueEnd), nameLength: UInt16(truncatingIfNeeded: length),
      name: name, isHopByHop: name.isHopByHop)
    return (line, stop &+ 2)
  }

  /// The name up to its colon: at most three words of letters, digits and "-", which are kept for the lookup.
  @inline(__always) private static func scanName(
    _ bytes: Span<UInt8>, from start: Int
  ) throws(HeadError) -> (length: Int, name: FieldName)? {
    let first = NamePart(Words.loadPadded(bytes, at: start))
    if first.endsName {
      if first.length > 0 { return (first.length, FieldName.lookup(first.length, first.lower, 0, 0)) }
    } else if first.length == 8 {
      let second = NamePart(Words.loadPadded(bytes, at: start &+ 8))
      if second.endsName {
        let length = 8 &+ second.length
        return (length, FieldName.lookup(length, first.lower, second.lower, 0))
      }
      if second.length == 8 {
        let third = NamePart(Words.loadPadded(bytes, at: start &+ 16))
        if third.endsName {
          let length = 16 &+ third.length
          return (length, FieldName.lookup(length, first.lower, second.lower, third.lower))
        }
      }
    }
    return try scanRareName(bytes, from: start)
  }

  /// Up to eight bytes of a name.
  private struct NamePart {
    /// Letters, digits and "-" before the first byte that is none; lower case, zeros behind.
    let lower: UInt64
    let length: Int
    /// Whether a colon follows them in the word.
    let endsName: Bool

    @inline(__always) init(_ word: UInt64) {
      var stops = Words.notLetter(word)
      if stops != 0, Words.byte(word, at: stops) != Byte.colon { stops &= Words.notDigit(word) }
      lower = Words.prefix(word | Words.ones &* 0x20, before: stops)
      length = Words.lowest(stops)
      endsName = stops != 0 && Words.byte(word, at: stops) == Byte.colon
    }
  }

  /// Names that are rare, long, cut off or wrong: byte by byte.
  @inline(never) private static func scanRareName(
    _ bytes: Span<UInt8>, from start: Int
  ) throws(HeadError) -> (length: Int, name: FieldName)? {
    if Byte.isBlank(bytes[start]) { throw .lineFolding }
    var position = start
    while true {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      if byte == Byte.colon { break }
      guard Byte.isToken(byte) else {
        switch byte {
        case Byte.space, Byte.tab:
          var next = position
          while next < bytes.count, Byte.isBlank(bytes[next]) { next &+= 1 }
          guard next < bytes.count else { return nil }
          throw bytes[next] == Byte.colon ? .spaceBeforeColon : .malformedName
        case Byte.lf: throw .bareLF
        case Byte.cr:
          guard position &+ 1 < bytes.count else { return nil }
          throw bytes[position &+ 1] == Byte.lf ? .missingColon : .bareCR
        default: throw .malformedName
        }
      }
      position &+= 1
      guard position &- start <= FieldTable.nameLimit else { throw .headTooLarge }
    }
    guard position > start else { throw .emptyName }
    return (position &- start, try alias(bytes, start..<position))
  }

  /// Backends that pass fields through CGI variables cannot tell "_" from "-" (RFC 3875 §4.1.18), so
  /// "X_Forwarded_For" is treated as what it would become, and an alias of a framing field is refused.
  private static func alias(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HeadError) -> FieldName {
    guard range.count <= 24 else { return .other }
    var words = InlineArray<3, UInt64>(repeating: 0)
    var hasUnderscore = false
    for offset in 0..<range.count {
      var byte = Byte.lower(bytes[range.lowerBound &+ offset])
      if byte == UInt8(ascii: "_") {
        byte = UInt8(ascii: "-")
        hasUnderscore = true
      }
      words[offset &>> 3] |= UInt64(byte) &<< UInt64((offset & 7) &* 8)
    }
    let name = FieldName.lookup(range.count, words[0], words[1], words[2])
    if hasUnderscore, name.isFraming { throw .malformedName }
    return name
  }
}

extension Span where Element == UInt8 {
  /// The index of the CR of the CRLF that ends the text at `from`; nil when the bytes end before.
  ///
  /// Text is visible characters, space, tab and obs-text (RFC 9110 §5.5).
  @inline(__always) func endOfText(from start: Int) throws(HeadError) -> Int? {
    var position = start
    while true {
      while position &+ 16 <= count {
        let (low, high) = Words.loadPair(self, at: position)
        // PERF: two branches, since or-ing both makes the compiler go through vector registers and back.
        let lowHits = Words.outsideText(low)
        if lowHits != 0 {
          position &+= Words.lowest(lowHits)
          break
        }
        let highHits = Words.outsideText(high)
        if highHits != 0 {
          position &+= 8 &+ Words.lowest(highHits)
          break
        }
        position &+= 16
      }
      // Either at a hit, or in the last fifteen bytes.
      guard position < count else { return nil }
      let byte = self[position]
      if byte == Byte.cr {
        guard position &+ 1 < count else { return nil }
        guard self[position &+ 1] == Byte.lf else { throw .bareCR }
        return position
      }
      if byte == Byte.lf { throw .bareLF }
      guard byte >= 0x20 && byte != 0x7f || byte == Byte.tab else { throw .controlCharacter }
      position &+= 1
    }
  }
}
