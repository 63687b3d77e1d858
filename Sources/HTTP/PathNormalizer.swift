/// Brings a path into the form that routes are matched against, so that no spelling of a path slips past a
/// route: percent-encoded unreserved characters are decoded (RFC 3986 §6.2.2.2), other escapes upper-cased,
/// dot segments removed (§5.2.4), and runs of "/" merged, since backends merge them.
///
/// "%2F" stays: it is data inside a segment. But backends exist that decode it first, that take "\" for "/", or
/// that drop ";parameters" from a segment; a dot segment that only they would see is refused.
package enum PathNormalizer {
  package enum Outcome: Hashable, Sendable {
    /// The path is normal; the scratch is not used.
    case normal
    /// The normal form is in the scratch.
    case rewritten
    /// An escape is not one, is of NUL, or hides a dot segment: 400.
    case refused
  }

  /// `path` starts with "/" and has no query; an empty one (absolute form) becomes "/".
  /// Allocates only while `scratch` grows to the longest path met.
  package static func normalize(_ path: Span<UInt8>, into scratch: inout [UInt8]) -> Outcome {
    if path.count > 0, path[0] == slash, !mayDiffer(path) { return .normal }
    scratch.removeAll(keepingCapacity: true)
    guard path.count > 0 else {
      scratch.append(slash)
      return .rewritten
    }
    guard path[0] == slash else { return .refused }
    guard rewrite(path, &scratch) else { return .refused }
    return isEqual(path, scratch.span) ? .normal : .rewritten
  }

  private static var slash: UInt8 { UInt8(ascii: "/") }
  private static var backslash: UInt8 { UInt8(ascii: "\\") }
  private static var dot: UInt8 { UInt8(ascii: ".") }
  private static var percent: UInt8 { UInt8(ascii: "%") }

  /// Whether an escape, a "\", a "//" or a "/." is in there.
  private static func mayDiffer(_ path: Span<UInt8>) -> Bool {
    var position = 0
    var afterSlash: UInt64 = 0
    while position < path.count {
      let word = Words.loadPadded(path, at: position)
      let slashes = Words.equal(word, slash)
      // False hits of the masks only lead to the careful way.
      let followers = slashes | Words.equal(word, dot)
      let escapes = Words.equal(word, percent) | Words.equal(word, backslash)
      if escapes | (slashes &<< 8 | afterSlash) & followers != 0 { return true }
      afterSlash = slashes &>> 56
      position &+= 8
    }
    return false
  }

  private static func rewrite(_ path: Span<UInt8>, _ scratch: inout [UInt8]) -> Bool {
    scratch.append(slash)
    var segment = 1
    var isSuspect = false
    var position = 1
    while position < path.count {
      let byte = path[position]
      position &+= 1
      switch byte {
      case slash:
        guard closeSegment(&scratch, &segment, isSuspect) else { return false }
        isSuspect = false
        if segment < scratch.count {
          scratch.append(slash)
          segment = scratch.count
        }
      case percent:
        guard position &+ 1 < path.count, let high = Byte.hexadecimal(path[position]),
          let low = Byte.hexadecimal(path[position &+ 1])
        else { return false }
        let value = high &<< 4 | low
        guard value != 0 else { return false }
        if Byte.isHostName(value) {
          // The same set: RFC 3986 §2.3 unreserved.
          scratch.append(value)
        } else {
          scratch.append(percent)
          scratch.append(upper(path[position]))
          scratch.append(upper(path[position &+ 1]))
          if value == slash || value == backslash || value == UInt8(ascii: ";") { isSuspect = true }
        }
        position &+= 2
      default:
        if byte == backslash || byte == UInt8(ascii: ";") { isSuspect = true }
        scratch.append(byte)
      }
    }
    return closeSegment(&scratch, &segment, isSuspect)
  }

  /// Removes a dot segment at the end of `scratch`; false when the segment hides one.
  private static func closeSegment(_ scratch: inout [UInt8], _ segment: inout Int, _ isSuspect: Bool) -> Bool {
    if isSuspect { return !hidesDots(scratch.span, from: segment) }
    let length = scratch.count - segment
    if length == 1, scratch[segment] == dot {
      scratch.removeLast()
    } else if length == 2, scratch[segment] == dot, scratch[segment + 1] == dot {
      scratch.removeLast(2)
      // Up to the "/" before; the first one stays.
      if scratch.count > 1 {
        scratch.removeLast()
        while scratch.count > 1, scratch[scratch.count - 1] != slash { scratch.removeLast() }
      }
      segment = scratch.count
    }
    return true
  }

  /// Whether a part of the segment, cut at escaped or reversed slashes and ended by ";", is "." or "..".
  private static func hidesDots(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    var position = start
    while position < bytes.count {
      var dots = 0
      while position < bytes.count, bytes[position] == dot {
        dots += 1
        position += 1
      }
      let ending = separator(bytes, at: position)
      if dots == 1 || dots == 2, ending != nil || position == bytes.count { return true }
      while position < bytes.count {
        if let found = separator(bytes, at: position) {
          position += found.length
          if found.isSlash { break }
        } else {
          position += 1
        }
      }
    }
    return false
  }

  private static func separator(_ bytes: Span<UInt8>, at position: Int) -> (length: Int, isSlash: Bool)? {
    guard position < bytes.count else { return nil }
    switch bytes[position] {
    case backslash: return (1, true)
    case UInt8(ascii: ";"): return (1, false)
    case percent where position + 2 < bytes.count:
      switch (bytes[position + 1], bytes[position + 2]) {
      case (UInt8(ascii: "2"), UInt8(ascii: "F")), (UInt8(ascii: "5"), UInt8(ascii: "C")): return (3, true)
      case (UInt8(ascii: "3"), UInt8(ascii: "B")): return (3, false)
      default: return nil
      }
    default: return nil
    }
  }

  private static func upper(_ byte: UInt8) -> UInt8 { byte >= 0x61 ? byte & ~0x20 : byte }

  private static func isEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] { return false }
    return true
  }
}
