/// `method SP request-target SP HTTP-version CRLF`, RFC 9112 §3.
extension RequestHead {
  private static var methodLimit: Int { 32 }

  /// Returns where the fields start, or nil when `bytes` ends before.
  @inline(__always) mutating func parseRequestLine(
    _ bytes: Span<UInt8>, _ limits: HeadLimits
  ) throws(HeadError) -> Int? {
    guard bytes.count > 0 else { return nil }
    var start = 0
    if bytes[0] == Byte.cr {
      // RFC 9112 §2.2: one empty line before the request is ignored.
      guard bytes.count > 1 else { return nil }
      guard bytes[1] == Byte.lf else { throw .bareCR }
      start = 2
    }

    let word = Words.loadPadded(bytes, at: start)
    var methodEnd = start
    if word & 0xffff_ffff == Words.word("G", "E", "T", " ") {
      method = .get
      methodEnd = start &+ 3
    } else {
      guard let end = try parseMethod(bytes, start, word) else { return nil }
      methodEnd = end
    }
    methodRange = start..<methodEnd

    guard let targetEnd = try parseTarget(bytes, methodEnd &+ 1, limits) else { return nil }

    // " HTTP/1.1" CR LF
    guard targetEnd &+ 9 <= bytes.count else { return try incompleteVersion(bytes, targetEnd &+ 1) }
    let version = Words.load(bytes, at: targetEnd &+ 1)
    if version == Words.word("H", "T", "T", "P", "/", "1", ".", "1") {
      minorVersion = 1
    } else if version == Words.word("H", "T", "T", "P", "/", "1", ".", "0") {
      minorVersion = 0
    } else {
      throw RequestHead.versionError(version)
    }
    guard targetEnd &+ 9 < bytes.count else { return nil }
    guard bytes[targetEnd &+ 9] == Byte.cr else {
      throw bytes[targetEnd &+ 9] == Byte.lf ? .bareLF : .malformedRequestLine
    }
    guard targetEnd &+ 10 < bytes.count else { return nil }
    guard bytes[targetEnd &+ 10] == Byte.lf else { throw .bareCR }

    // Only now, since another version ("PRI * HTTP/2.0") may have other forms.
    hostRange = 0..<0
    hostNameRange = 0..<0
    hostPort = nil
    targetForm = .origin
    if method == .connect || bytes[targetRange.lowerBound] != UInt8(ascii: "/") { try parseOtherForm(bytes) }
    return targetEnd &+ 11
  }

  /// Returns the index of the space behind the method.
  private mutating func parseMethod(
    _ bytes: Span<UInt8>, _ start: Int, _ word: UInt64
  ) throws(HeadError) -> Int? {
    var position = start
    while true {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      if byte == Byte.space { break }
      guard Byte.isToken(byte) else { throw byte == Byte.lf ? .bareLF : .malformedRequestLine }
      position &+= 1
      // RFC 9112 §3: a method longer than any that is known should get 501.
      guard position &- start <= RequestHead.methodLimit else { throw .unknownMethod }
    }
    let length = position &- start
    guard length > 0 else { throw .malformedRequestLine }
    method = length < 8 ? Method.lookup(length, word & ((1 &<< UInt64(length &* 8)) &- 1)) : .other
    return position
  }

  /// Returns the index of the space behind the target.
  @inline(__always) private mutating func parseTarget(
    _ all: Span<UInt8>, _ start: Int, _ limits: HeadLimits
  ) throws(HeadError) -> Int? {
    guard start < all.count else { return nil }
    // One byte more than the longest target: its end must be in there.
    let bytes = all.count &- start > limits.targetBytes ? all.extracting(0..<start &+ limits.targetBytes &+ 1) : all
    let isFull = bytes.count &- start > limits.targetBytes
    guard let pathEnd = try RequestHead.endOfTarget(bytes, from: start) else {
      if isFull { throw .targetTooLong }
      return nil
    }
    var end = pathEnd
    hasQuery = bytes[pathEnd] == UInt8(ascii: "?")
    // A "?" in the query is data (RFC 3986 §3.4).
    while bytes[end] == UInt8(ascii: "?") {
      guard let next = try RequestHead.endOfTarget(bytes, from: end &+ 1) else {
        if isFull { throw .targetTooLong }
        return nil
      }
      end = next
    }
    guard end > start else { throw .malformedRequestLine }
    targetRange = start..<end
    pathRange = start..<pathEnd
    queryRange = hasQuery ? pathEnd &+ 1..<end : end..<end
    return end
  }

  /// The index of the next space or "?"; throws on what a target must not hold: controls, bytes outside
  /// ASCII, and "#", since a fragment is never sent (RFC 9112 §3.2).
  @inline(__always) private static func endOfTarget(_ bytes: Span<UInt8>, from start: Int) throws(HeadError) -> Int? {
    var position = start
    while position &+ 8 <= bytes.count {
      let word = Words.load(bytes, at: position)
      let hits =
        Words.below(word, 0x21) | word & Words.highs | Words.equal(word, 0x7f)
        | Words.equal(word, UInt8(ascii: "?")) | Words.equal(word, UInt8(ascii: "#"))
      if hits != 0 {
        position &+= Words.lowest(hits)
        break
      }
      position &+= 8
    }
    while position < bytes.count {
      let byte = bytes[position]
      if byte == Byte.space || byte == UInt8(ascii: "?") { return position }
      if byte == Byte.lf { throw .bareLF }
      // A request line that ends here is HTTP/0.9.
      if byte == Byte.cr { throw .malformedRequestLine }
      guard byte > 0x20, byte < 0x7f, byte != UInt8(ascii: "#") else { throw .malformedTarget }
      position &+= 1
    }
    return nil
  }

  /// Absolute, authority and asterisk form, RFC 9112 §3.2.2–3.2.4.
  private mutating func parseOtherForm(_ bytes: Span<UInt8>) throws(HeadError) {
    let target = targetRange
    if method == .connect {
      guard let authority = Authority(bytes, target), authority.port != nil else { throw .targetForm }
      targetForm = .authority
      setHost(target, authority)
      pathRange = target.upperBound..<target.upperBound
      return
    }
    if method == .options, target.count == 1, bytes[target.lowerBound] == UInt8(ascii: "*") {
      targetForm = .asterisk
      pathRange = target.upperBound..<target.upperBound
      return
    }
    var start = target.lowerBound
    if target.count > 7, bytes.equals(target.prefix(7), lowercase: "http://") {
      start &+= 7
    } else if target.count > 8, bytes.equals(target.prefix(8), lowercase: "https://") {
      start &+= 8
    } else {
      throw .targetForm
    }
    var slash = start
    while slash < pathRange.upperBound, bytes[slash] != UInt8(ascii: "/") { slash &+= 1 }
    guard let authority = Authority(bytes, start..<slash) else { throw .malformedHost }
    targetForm = .absolute
    setHost(start..<slash, authority)
    pathRange = slash..<pathRange.upperBound
  }

  /// A line that ends before a whole version can be there.
  private func incompleteVersion(_ bytes: Span<UInt8>, _ start: Int) throws(HeadError) -> Int? {
    guard bytes.hasLine(from: start) else { return nil }
    throw .malformedRequestLine
  }

  /// RFC 9110 §15.6.6: 505 for a version that is one, 400 for what is not.
  static func versionError(_ word: UInt64) -> HeadError {
    let isVersion =
      word & 0xff_ffff_ffff == Words.word("H", "T", "T", "P", "/")
      && Byte.isDigit(UInt8(truncatingIfNeeded: word &>> 40))
      && UInt8(truncatingIfNeeded: word &>> 48) == UInt8(ascii: ".")
      && Byte.isDigit(UInt8(truncatingIfNeeded: word &>> 56))
    return isVersion ? .unsupportedVersion : .malformedRequestLine
  }
}
