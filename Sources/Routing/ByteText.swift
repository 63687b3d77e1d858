/// A piece of one of a table's flat arrays: text, candidates, tests.
struct Piece: BitwiseCopyable, Sendable {
  var start: UInt32 = 0
  var count: UInt32 = 0

  @inline(__always) var range: Range<Int> { Int(start)..<Int(start) + Int(count) }

  /// From a position to what is now the array's end.
  static func from(_ start: Int, to end: Int) -> Piece { Piece(start: UInt32(start), count: UInt32(end - start)) }
}

/// The text of all routes in one array, so that a table holds offsets and no references.
struct ByteText: Sendable {
  private(set) var bytes: ContiguousArray<UInt8> = []

  mutating func add(_ text: some Sequence<UInt8>) -> Piece {
    let start = bytes.count
    bytes.append(contentsOf: text)
    return .from(start, to: bytes.count)
  }
}

extension Span<UInt8> {
  /// Whether these bytes equal `other`'s first `count` ones.
  func equals(_ other: borrowing Span<UInt8>, count: Int) -> Bool {
    guard self.count == count, other.count >= count else { return false }
    for index in indices where self[index] != other[index] { return false }
    return true
  }

  func equals(_ other: borrowing Span<UInt8>) -> Bool { equals(other, count: other.count) }

  /// Whether these bytes, in lower case, equal `other`.
  func equalsLowered(_ other: borrowing Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where lowered(self[index]) != other[index] { return false }
    return true
  }

  func starts(with prefix: borrowing Span<UInt8>) -> Bool {
    guard count >= prefix.count else { return false }
    for index in prefix.indices where self[index] != prefix[index] { return false }
    return true
  }
}

/// FNV-1a's step. The tables hold what the operator wrote, so a client cannot lengthen a
/// probe sequence by what it sends; a keyed hash would buy nothing here.
@inline(__always) func mix(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }

let hashStart: UInt64 = 0xcbf2_9ce4_8422_2325

/// Spreads the high bits, which FNV's multiplication favours, over a table's low ones.
@inline(__always) func slot(_ hash: UInt64, _ mask: Int) -> Int { Int(truncatingIfNeeded: hash ^ hash &>> 29) & mask }

/// ASCII lower case; other bytes are left alone.
@inline(__always) func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
