/// A name made ready for lookups: lower case, with the hash of every suffix. Made once, filled per query.
///
/// Hashes are built from the root outwards, so that one pass gives those of all
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

  static let rootHash: UInt64 = 0x9ae1_6a3b_2f90_404f

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
    var written = 0
    var count = 0
    let end = min(source.count, start &+ Name.maximumLength)
    var bytes = bytes.mutableSpan
    var offsets = offsets.mutableSpan
    var hashes = hashes.mutableSpan
    while position < end {
      let label = Int(source[position])
      offsets[count] = UInt8(truncatingIfNeeded: written)
      bytes[written] = UInt8(truncatingIfNeeded: label)
      position &+= 1
      written &+= 1
      if label == 0 {
        var above = rootHash
        hashes[count] = above
        var index = count &- 1
        while index >= 0 {
          above = mix(above, hashes[index])
          hashes[index] = above
          index &-= 1
        }
        return (written, count)
      }
      guard label <= Name.maximumLabel, position &+ label < end else { return nil }
      // Labels of one length differ in their words; others in what the hash begins with.
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325 &+ UInt64(truncatingIfNeeded: label)
      var left = label
      // What is read and written behind the label is overwritten by what follows it.
      while left > 0, position &+ 8 <= source.count {
        let word = Octets.lowercased(Octets.load(source, at: position))
        Octets.store(word, in: &bytes, at: written)
        let taken = min(left, 8)
        hash = Octets.mix(hash, word &<< UInt64(truncatingIfNeeded: 64 &- taken &* 8))
        position &+= taken
        written &+= taken
        left &-= taken
      }
      if left > 0 {
        var word: UInt64 = 0
        while left > 0 {
          let byte = lowercased(source[position])
          bytes[written] = byte
          word = word &>> 8 | UInt64(byte) &<< 56
          position &+= 1
          written &+= 1
          left &-= 1
        }
        hash = Octets.mix(hash, word)
      }
      hashes[count] = hash
      count &+= 1
    }
    return nil
  }

  mutating func load(_ other: borrowing LookupName) {
    _ = load(other.bytes.span, at: 0)
  }

  mutating func load(_ source: [UInt8], at start: Int) -> Int? { load(source.span, at: start) }

  @inline(__always) private static func mix(_ above: UInt64, _ label: UInt64) -> UInt64 {
    Octets.mix(above &<< 7 | above &>> 57, label)
  }

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
