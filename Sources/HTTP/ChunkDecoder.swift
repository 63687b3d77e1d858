/// Follows a chunked body through whatever pieces it arrives in. Source: RFC 9112 §7.1.
///
///     1*HEXDIG [ ";" extension ] CRLF data CRLF … 0 CRLF *( field-line CRLF ) CRLF
///
/// Lines end in CRLF and nothing else: parsers that take a lone LF for the end of an extension, and parsers
/// that do not, see different requests. Blanks after the size are refused for the same reason.
package struct ChunkDecoder: Sendable, BitwiseCopyable {
  private enum State: UInt8, BitwiseCopyable {
    case sizeStart, size, extensions, sizeLF
    case data, dataCR, dataLF
    case trailerStart, trailerName, trailerValue, trailerLF, lastLF
    case finished
  }

  package enum Step: Hashable, Sendable {
    /// Content, as indices into the bytes given.
    case data(Range<Int>)
    /// A part of the trailer section, up to and with its last CRLF.
    case trailers(Range<Int>)
    /// All bytes are taken, and the body goes on.
    case more
    /// The body, with its trailers, ends before this index.
    case finished(Int)
  }

  /// What a piece of input held.
  package struct Progress: Hashable, Sendable, BitwiseCopyable {
    /// The index behind the last byte that belongs to the body.
    package var end: Int
    /// Bytes of content among them.
    package var content: Int
    package var isFinished: Bool

    package init(end: Int, content: Int, isFinished: Bool) {
      self.end = end
      self.content = content
      self.isFinished = isFinished
    }
  }

  /// Sizes stay below 2^62, so that sums of them do not overflow.
  private static var sizeDigits: UInt8 { 16 }
  private static var extensionLimit: Int { 1024 }
  private static var trailerLimit: Int { 8 * 1024 }
  /// Extensions beyond what content pays for (see `startData`).
  private static var excessLimit: Int { 16 * 1024 }

  private var state = State.sizeStart
  private var digits: UInt8 = 0
  /// The rest of the chunk's data.
  private var remaining: UInt64 = 0
  /// Bytes of the extension so far, then of the trailer section.
  private var lineBytes = 0
  private var excess = 0
  /// A trailer's name, lower-cased, for `FieldName.lookup`.
  private var name = InlineArray<3, UInt64>(repeating: 0)
  private var nameLength = 0

  package init() {}

  package var isFinished: Bool { state == .finished }

  /// Bytes of content that follow at once, whatever they are.
  package var remainingData: UInt64 { state == .data ? remaining : 0 }

  /// Takes so many of the `remainingData`, which were passed on unseen.
  package mutating func skip(_ count: UInt64) {
    precondition(count <= remainingData)
    remaining &-= count
    if remaining == 0, state == .data { state = .dataCR }
  }

  /// For passing a body through as it is: takes all of `bytes` from `start` that belongs to it.
  package mutating func advance(_ bytes: Span<UInt8>, from start: Int) throws(ChunkError) -> Progress {
    var position = start
    var content = 0
    while true {
      switch try next(bytes, from: &position) {
      case .data(let range): content &+= range.count
      case .trailers: break
      case .more: return Progress(end: position, content: content, isFinished: false)
      case .finished(let end): return Progress(end: end, content: content, isFinished: true)
      }
    }
  }

  /// For taking the content out: the next run of data at or behind `position`, which moves along.
  package mutating func next(_ bytes: Span<UInt8>, from position: inout Int) throws(ChunkError) -> Step {
    while true {
      if state == .finished { return .finished(position) }
      guard position < bytes.count else { return .more }
      if state == .data {
        let count = Int(min(remaining, UInt64(bytes.count &- position)))
        let range = position..<position &+ count
        position &+= count
        remaining &-= UInt64(count)
        if remaining == 0 { state = .dataCR }
        return .data(range)
      }
      if state == .trailerStart || isInTrailers {
        let start = position
        while position < bytes.count, state != .finished {
          try take(bytes[position])
          position &+= 1
        }
        return .trailers(start..<position)
      }
      try take(bytes[position])
      position &+= 1
    }
  }

  private var isInTrailers: Bool {
    switch state {
    case .trailerName, .trailerValue, .trailerLF, .lastLF: true
    default: false
    }
  }

  /// One byte of framing.
  private mutating func take(_ byte: UInt8) throws(ChunkError) {
    switch state {
    case .sizeStart, .size: try takeSize(byte)
    case .extensions:
      if byte == Byte.cr {
        state = .sizeLF
      } else {
        guard byte != Byte.lf else { throw .bareLF }
        guard byte >= 0x20 && byte < 0x7f || byte == Byte.tab else { throw .malformedExtension }
        lineBytes &+= 1
        guard lineBytes <= ChunkDecoder.extensionLimit else { throw .extensionsTooLarge }
      }
    case .sizeLF:
      guard byte == Byte.lf else { throw .bareCR }
      try startData()
    case .dataCR:
      guard byte == Byte.cr else { throw .missingCRLF }
      state = .dataLF
    case .dataLF:
      guard byte == Byte.lf else { throw .bareCR }
      state = .sizeStart
    case .trailerStart, .trailerName, .trailerValue, .trailerLF:
      lineBytes &+= 1
      guard lineBytes <= ChunkDecoder.trailerLimit else { throw .trailersTooLarge }
      try takeTrailer(byte)
    case .lastLF:
      guard byte == Byte.lf else { throw .bareCR }
      state = .finished
    case .data, .finished: break
    }
  }

  private mutating func takeSize(_ byte: UInt8) throws(ChunkError) {
    if let digit = Byte.hexadecimal(byte) {
      if state == .sizeStart {
        state = .size
        digits = 0
        remaining = 0
      }
      digits &+= 1
      guard digits <= ChunkDecoder.sizeDigits, remaining < 1 << 58 else { throw .sizeTooLarge }
      remaining = remaining &<< 4 | UInt64(digit)
      return
    }
    guard state == .size else { throw byte == Byte.lf ? .bareLF : .malformedSize }
    lineBytes = 0
    switch byte {
    case Byte.cr: state = .sizeLF
    case UInt8(ascii: ";"): state = .extensions
    case Byte.lf: throw .bareLF
    default: throw .malformedSize
    }
  }

  /// Extensions are paid for by content: a peer that sends a byte of content with a kilobyte of extension each
  /// time would make others forward what nobody reads.
  private mutating func startData() throws(ChunkError) {
    let paid = remaining > 1 << 20 ? 1 << 21 : Int(remaining) &* 2
    excess = max(0, excess &+ lineBytes &- 16 &- paid)
    guard excess <= ChunkDecoder.excessLimit else { throw .extensionsTooLarge }
    lineBytes = 0
    state = remaining == 0 ? .trailerStart : .data
  }

  private mutating func takeTrailer(_ byte: UInt8) throws(ChunkError) {
    switch state {
    case .trailerStart:
      if byte == Byte.cr {
        state = .lastLF
        return
      }
      name = InlineArray(repeating: 0)
      nameLength = 0
      state = .trailerName
      try takeTrailerName(byte)
    case .trailerName: try takeTrailerName(byte)
    case .trailerValue:
      if byte == Byte.cr {
        state = .trailerLF
      } else {
        guard byte != Byte.lf else { throw .bareLF }
        guard byte >= 0x20 && byte != 0x7f || byte == Byte.tab else { throw .malformedTrailer }
      }
    default:
      guard byte == Byte.lf else { throw .bareCR }
      state = .trailerStart
    }
  }

  /// RFC 9110 §6.5.1: a field that changes how the message is read must not come as a trailer. Dropping it
  /// would need the rest rewritten; whoever sends it is refused.
  private mutating func takeTrailerName(_ byte: UInt8) throws(ChunkError) {
    if byte == Byte.colon {
      guard nameLength > 0 else { throw .malformedTrailer }
      let known = nameLength <= 24 ? FieldName.lookup(nameLength, name[0], name[1], name[2]) : .other
      guard !known.isForbiddenInTrailers else { throw .forbiddenTrailer }
      state = .trailerValue
      return
    }
    guard Byte.isToken(byte) else { throw byte == Byte.lf ? .bareLF : .malformedTrailer }
    if nameLength < 24 {
      // "_" counts as "-", as in heads.
      let lower = byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : Byte.lower(byte)
      name[nameLength &>> 3] |= UInt64(lower) &<< UInt64((nameLength & 7) &* 8)
    }
    nameLength &+= 1
  }
}
