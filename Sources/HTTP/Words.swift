/// Eight bytes at a time in a 64-bit register ("SWAR"), first byte lowest.
///
/// A *hit mask* has the top bit of a byte set where the byte matches. Only the
/// lowest hit of a mask is exact: a borrow may raise false hits above it, so a
/// caller acts on the lowest one and scans on from there. Masks may be or-ed.
/// Source: Warren, "Hacker's Delight", 6-1.
///
/// PERF: checked loads through an eight-byte sub-span compile to one bounds check
/// and one `mov`; SIMD16 was 40 times slower.
enum Words {
  @inline(__always) static var ones: UInt64 { 0x0101_0101_0101_0101 }
  @inline(__always) static var highs: UInt64 { 0x8080_8080_8080_8080 }

  /// The eight bytes at `index`, all of which must be inside `bytes`.
  @inline(__always) static func load(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    let eight = bytes.extracting(index..<index &+ 8)
    let low = UInt64(eight[0]) | UInt64(eight[1]) &<< 8 | UInt64(eight[2]) &<< 16 | UInt64(eight[3]) &<< 24
    let high = UInt64(eight[4]) | UInt64(eight[5]) &<< 8 | UInt64(eight[6]) &<< 16 | UInt64(eight[7]) &<< 24
    return low | high &<< 32
  }

  /// The sixteen bytes at `index`, with one check of bounds.
  @inline(__always) static func loadPair(_ bytes: Span<UInt8>, at index: Int) -> (UInt64, UInt64) {
    let sixteen = bytes.extracting(index..<index &+ 16)
    return (load(sixteen, at: 0), load(sixteen, at: 8))
  }

  /// The bytes from `index`, zeros beyond the end.
  @inline(__always) static func loadPadded(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    index &+ 8 <= bytes.count ? load(bytes, at: index) : loadTail(bytes, at: index)
  }

  @inline(never) private static func loadTail(_ bytes: Span<UInt8>, at index: Int) -> UInt64 {
    var word: UInt64 = 0
    var shift: UInt64 = 0
    var position = index
    while position < bytes.count, shift < 64 {
      word |= UInt64(bytes[position]) &<< shift
      shift &+= 8
      position &+= 1
    }
    return word
  }

  /// Hits where a byte is below `limit` (at most 0x80).
  @inline(__always) static func below(_ word: UInt64, _ limit: UInt8) -> UInt64 {
    (word &- ones &* UInt64(limit)) & ~word & highs
  }

  /// Hits where a byte equals `byte`.
  @inline(__always) static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let difference = word ^ (ones &* UInt64(byte))
    return (difference &- ones) & ~difference & highs
  }

  /// Hits where a byte is not visible ASCII or a space: controls, DEL and all beyond ASCII.
  @inline(__always) static func outsideText(_ word: UInt64) -> UInt64 {
    ((word &- ones &* 0x20) | (word &+ ones) | word) & highs
  }

  /// The index (0–7) of the lowest hit; 8 without one.
  @inline(__always) static func lowest(_ hits: UInt64) -> Int { hits.trailingZeroBitCount &>> 3 }

  /// The byte at the lowest hit, which there must be.
  @inline(__always) static func byte(_ word: UInt64, at hits: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: word &>> UInt64(hits.trailingZeroBitCount & 56))
  }

  /// The bytes before the lowest hit, zeros behind them; the whole word without a hit.
  @inline(__always) static func prefix(_ word: UInt64, before hits: UInt64) -> UInt64 {
    word & (((hits & (0 &- hits)) &>> 7) &- 1)
  }

  /// The first `count` bytes at `index`, at most eight, letters in lower case, zeros behind them. Other bytes
  /// keep apart from letters, digits and "-", as long as there are no controls.
  @inline(__always) static func lowerPrefix(_ bytes: Span<UInt8>, at index: Int, _ count: Int) -> UInt64 {
    let mask = count >= 8 ? UInt64.max : (1 &<< UInt64(count &* 8)) &- 1
    return (loadPadded(bytes, at: index) | ones &* 0x20) & mask
  }

  /// Hits where a byte is not a letter or "-".
  @inline(__always) static func notLetter(_ word: UInt64) -> UInt64 {
    // Seven-bit bytes plus at most 0x7f stay within their byte; others are hits themselves.
    let lower = word | (ones &* 0x20)
    let letters = (lower &+ ones &* (0x80 - 0x61)) & ~(lower &+ ones &* (0x80 - 0x7b))
    let dashes = ~((word ^ (ones &* 0x2d)) &+ ones &* 0x7f)
    return (~(letters | dashes) | word) & highs
  }

  /// Hits where a byte is not a digit.
  @inline(__always) static func notDigit(_ word: UInt64) -> UInt64 {
    (~(word &+ ones &* (0x80 - 0x30)) | (word &+ ones &* (0x80 - 0x3a)) | word) & highs
  }

  /// The word of up to eight ASCII characters: a readable constant, folded by the optimiser.
  @inline(__always) static func word(
    _ a: Unicode.Scalar, _ b: Unicode.Scalar = "\0", _ c: Unicode.Scalar = "\0", _ d: Unicode.Scalar = "\0",
    _ e: Unicode.Scalar = "\0", _ f: Unicode.Scalar = "\0", _ g: Unicode.Scalar = "\0", _ h: Unicode.Scalar = "\0"
  ) -> UInt64 {
    let low = UInt64(a.value) | UInt64(b.value) &<< 8 | UInt64(c.value) &<< 16 | UInt64(d.value) &<< 24
    let high = UInt64(e.value) | UInt64(f.value) &<< 8 | UInt64(g.value) &<< 16 | UInt64(h.value) &<< 24
    return low | high &<< 32
  }
}
