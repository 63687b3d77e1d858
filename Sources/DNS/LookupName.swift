/// A name made ready for lookups: lower case, with the hash of every suffix. Made once, filled per query.
///
/// Hashes are built from the root outwards, so that one pass gives those of all
/// ancestors, which zone search, closest encloser and compression need.
/// PERF: arrays on the heap, not copyable. As inline arrays of 1.4 KB the compiler's
/// copies and moves of them were 48% of an answer's time (perf, cpu-clock).
package struct LookupName: ~Copyable, Sendable {
  private(set) var bytes = [UInt8](repeating: 0, count: 256)
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
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      let stop = position &+ label
      while position < stop {
        let byte = lowercased(source[position])
        bytes[written] = byte
        position &+= 1
        written &+= 1
        hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
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
    let (high, low) = ((above &<< 7 | above &>> 57) ^ label).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
    return high ^ low
  }

  /// The suffix that begins at a label.
  package func suffix(_ label: Int) -> Name {
    Name(unchecked: (Int(offsets[label])..<length).map { bytes[$0] })
  }

  /// Whether the suffix from `label` equals the lower-case name at `start` of `other`.
  @inline(__always) func equals(_ label: Int, _ other: Span<UInt8>, at start: Int, count: Int) -> Bool {
    let own = Int(offsets[label])
    guard length - own == count, start + count <= other.count else { return false }
    var index = 0
    while index < count {
      if bytes[own &+ index] != other[start &+ index] { return false }
      index &+= 1
    }
    return true
  }
}
