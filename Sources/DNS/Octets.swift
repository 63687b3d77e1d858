/// Eight bytes at a time, first byte lowest.
///
/// PERF: loads and stores through an eight-byte sub-span compile to one check of bounds and one `mov`. Byte by byte,
/// a query's name, its question and its answer cost 1,900 of 4,170 instructions (callgrind).
enum Octets {
  @inline(__always) static func load(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    let eight = bytes.extracting(index..<index &+ 8)
    let low = UInt64(eight[0]) | UInt64(eight[1]) &<< 8 | UInt64(eight[2]) &<< 16 | UInt64(eight[3]) &<< 24
    let high = UInt64(eight[4]) | UInt64(eight[5]) &<< 8 | UInt64(eight[6]) &<< 16 | UInt64(eight[7]) &<< 24
    return low | high &<< 32
  }

  @inline(__always) static func store(_ word: UInt64, in bytes: inout MutableSpan<UInt8>, at index: Int) {
    var eight = bytes.extracting(index..<index &+ 8)
    eight[0] = UInt8(truncatingIfNeeded: word)
    eight[1] = UInt8(truncatingIfNeeded: word &>> 8)
    eight[2] = UInt8(truncatingIfNeeded: word &>> 16)
    eight[3] = UInt8(truncatingIfNeeded: word &>> 24)
    eight[4] = UInt8(truncatingIfNeeded: word &>> 32)
    eight[5] = UInt8(truncatingIfNeeded: word &>> 40)
    eight[6] = UInt8(truncatingIfNeeded: word &>> 48)
    eight[7] = UInt8(truncatingIfNeeded: word &>> 56)
  }

  /// Copies `count` bytes, of which all must be inside both.
  @inline(__always) static func copy(
    _ source: Span<UInt8>, at start: Int, count: Int, to target: inout MutableSpan<UInt8>, at offset: Int
  ) {
    if count >= 8 {
      var index = 0
      while index &+ 8 < count {
        store(load(source, at: start &+ index), in: &target, at: offset &+ index)
        index &+= 8
      }
      // The last eight overlap what was copied.
      store(load(source, at: start &+ count &- 8), in: &target, at: offset &+ count &- 8)
    } else {
      var index = 0
      while index < count {
        target[offset &+ index] = source[start &+ index]
        index &+= 1
      }
    }
  }

  @inline(__always) static func copy(
    _ source: [UInt8], at start: Int, count: Int, to target: inout MutableSpan<UInt8>, at offset: Int
  ) {
    copy(source.span, at: start, count: count, to: &target, at: offset)
  }

  /// Whether `count` bytes are the same, of which all must be inside both.
  /// - Parameter lowercasing: a constant: the first are a name, in either case, and the others in lower case.
  @inline(__always) static func equal(
    _ one: Span<UInt8>, at start: Int, _ other: Span<UInt8>, at offset: Int, count: Int, lowercasing: Bool = false
  ) -> Bool {
    if count >= 8 {
      var index = 0
      while index &+ 8 < count {
        if word(one, start &+ index, lowercasing) != load(other, at: offset &+ index) { return false }
        index &+= 8
      }
      return word(one, start &+ count &- 8, lowercasing) == load(other, at: offset &+ count &- 8)
    }
    var index = 0
    while index < count {
      let byte = one[start &+ index]
      if (lowercasing ? DNS.lowercased(byte) : byte) != other[offset &+ index] { return false }
      index &+= 1
    }
    return true
  }

  @inline(__always) private static func word(_ bytes: Span<UInt8>, _ index: Int, _ lowercasing: Bool) -> UInt64 {
    let word = load(bytes, at: index)
    return lowercasing ? lowercased(word) : word
  }

  /// Byte by byte, whether one stands before the other.
  static func precedes(_ one: Span<UInt8>, _ other: Span<UInt8>) -> Bool {
    let count = min(one.count, other.count)
    var index = 0
    while index &+ 8 <= count {
      let (left, right) = (load(one, at: index), load(other, at: index))
      if left != right { return left.byteSwapped < right.byteSwapped }
      index &+= 8
    }
    while index < count {
      if one[index] != other[index] { return one[index] < other[index] }
      index &+= 1
    }
    return one.count < other.count
  }

  /// A word with its ASCII letters in lower case.
  @inline(__always) static func lowercased(_ word: UInt64) -> UInt64 {
    // Without the top bits, adding does not carry into the next byte.
    let seven = word & 0x7f7f_7f7f_7f7f_7f7f
    let fromA = seven &+ 0x3f3f_3f3f_3f3f_3f3f
    let pastZ = seven &+ 0x2525_2525_2525_2525
    return word | (fromA & ~pastZ & ~word & 0x8080_8080_8080_8080) &>> 2
  }

  @inline(__always) static func mix(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let (high, low) = (one ^ other).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return high ^ low
  }
}
