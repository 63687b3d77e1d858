/// A name made ready for lookups: lower case, with the hash of every suffix. Made once, filled per query.
///
/// Hashes are built from the root outwards (`SuffixHash`), so that one pass gives those of all
/// ancestors, which zone search, closest encloser and compression need.
/// PERF: arrays on the heap, not copyable. As inline arrays of 1.4 KB the compiler's
/// copies and moves of them were 48% of an answer's time (perf, cpu-clock).
package struct LookupName: ~Copyable, Sendable {
  /// Longer than a name by a word, which may be written behind it.
  private(set) var bytes = [UInt8](repeating: 0, count: 264)
  private(set) var offsets = [UInt8](repeating: 0, count: 128)
  /// `hashes[i]` is that of the suffix whose first label is `i`; `hashes[labels]` is the root's.
  private(set) var hashes = [UInt64](repeating: 0, count: 128)
  package private(set) var length = 0
  package private(set) var labels = 0

  package init() {}

  /// Reads the uncompressed name at `start`; the offset behind it, or nil when there is none.
  package mutating func load(_ source: Span<UInt8>, at start: Int) -> Int? {
    guard let read = LookupName.read(source, start, &bytes, &offsets, &hashes) else { return nil }
    length = read.length
    labels = read.labels
    return start &+ read.length
  }

  private static func read(
    _ source: Span<UInt8>, _ start: Int, _ bytes: inout [UInt8], _ offsets: inout [UInt8], _ hashes: inout [UInt64]
  ) -> (length: Int, labels: Int)? {
    var position = start
    var labels = 0
    let end = min(source.count, start &+ Name.maximumLength)
    var offsets = offsets.mutableSpan
    while true {
      guard position < end else { return nil }
      let label = Int(source[position])
      offsets[labels] = UInt8(truncatingIfNeeded: position &- start)
      position &+= 1
      if label == 0 { break }
      guard label <= Name.maximumLabel else { return nil }
      position &+= label
      labels &+= 1
    }
    let length = position &- start
    var bytes = bytes.mutableSpan
    var copied = 0
    while copied < length, start &+ copied &+ 8 <= source.count {
      Octets.store(Octets.lowercased(Octets.load(source, at: start &+ copied)), in: &bytes, at: copied)
      copied &+= 8
    }
    while copied < length {
      bytes[copied] = lowercased(source[start &+ copied])
      copied &+= 1
    }
    // From the root outwards; each suffix goes on where the one above it left the words.
    var hashes = hashes.mutableSpan
    var hash = SuffixHash()
    var label = labels
    while label >= 0 {
      hashes[label] = hash.extended(to: Int(offsets[label]), bytes.span, start: 0, end: length)
      label &-= 1
    }
    return (length, labels)
  }

  mutating func load(_ other: borrowing LookupName) {
    _ = load(other.bytes.span, at: 0)
  }

  mutating func load(_ source: [UInt8], at start: Int) -> Int? { load(source.span, at: start) }

  /// The suffix that begins at a label.
  package func suffix(_ label: Int) -> Name {
    Name(unchecked: (Int(offsets[label])..<length).map { bytes[$0] })
  }

  /// Whether the suffix from `label` equals the lower-case name at `start` of `other`.
  @inline(__always) func equals(_ label: Int, _ other: Span<UInt8>, at start: Int, count: Int) -> Bool {
    let own = Int(offsets[label])
    guard length &- own == count, start &+ count <= other.count else { return false }
    return Octets.equal(bytes.span, at: own, other, at: start, count: count)
  }
}

/// The hashes of a name's suffixes: words of eight bytes, counted from the name's end, so that each suffix goes on from the
/// shorter ones; what is left in front of them comes last.
struct SuffixHash {
  private var state: UInt64 = 0x9ae1_6a3b_2f90_404f
  /// Bytes from the end that are in `state`.
  private var taken = 0

  /// The hash of the suffix that begins `offset` bytes into the name, which is no shorter than those before.
  /// - Parameters: the name stands from `start` to `end` of `bytes`, in either case, with seven bytes or more behind
  ///   each offset.
  @inline(__always) mutating func extended(to offset: Int, _ bytes: Span<UInt8>, start: Int, end: Int) -> UInt64 {
    let length = end &- start &- offset
    while taken &+ 8 <= length {
      state = mixed(Octets.load(bytes, at: end &- taken &- 8))
      taken &+= 8
    }
    let left = length &- taken
    guard left > 0 else { return state }
    return mixed(Octets.load(bytes, at: start &+ offset) &<< UInt64(truncatingIfNeeded: 64 &- left &* 8))
  }

  @inline(__always) private func mixed(_ word: UInt64) -> UInt64 {
    Octets.mix(state &<< 7 | state &>> 57, Octets.lowercased(word))
  }
}
