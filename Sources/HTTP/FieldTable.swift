/// One header line: where its name and value are, and what it is.
package struct HeaderField: BitwiseCopyable, Sendable {
  @usableFromInline var nameStart: UInt32
  @usableFromInline var valueStart: UInt32
  @usableFromInline var valueEnd: UInt32
  @usableFromInline var nameLength: UInt16
  package var name: FieldName
  /// Not forwarded: hop-by-hop by standard, or named by Connection.
  package var isHopByHop: Bool

  @inlinable package var nameRange: Range<Int> { Int(nameStart)..<Int(nameStart) &+ Int(nameLength) }
  /// Without the whitespace around it.
  @inlinable package var valueRange: Range<Int> { Int(valueStart)..<Int(valueEnd) }
}

/// The header lines of one head, in order, in storage that is allocated once.
///
/// PERF: an array, since reading an element of an `InlineArray` in a borrowed struct copies all of it (2 KiB) first.
package struct FieldTable: ~Copyable, Sendable {
  package static var capacity: Int { 128 }

  @usableFromInline var storage: [HeaderField]
  @usableFromInline package internal(set) var count = 0
  /// Bit `FieldName.rawValue`: a line of the name is there; there is more than one.
  @usableFromInline var seen: UInt64 = 0
  @usableFromInline var repeated: UInt64 = 0
  /// Where the first line starts, and where the empty line is.
  package internal(set) var start = 0
  package internal(set) var end = 0

  package init() {
    let empty = HeaderField(nameStart: 0, valueStart: 0, valueEnd: 0, nameLength: 0, name: .other, isHopByHop: false)
    storage = Array(repeating: empty, count: FieldTable.capacity)
  }

  /// `index` must be in `0..<count`.
  @inlinable package subscript(_ index: Int) -> HeaderField {
    get {
      precondition(index < count)
      return storage[index]
    }
  }

  /// All lines, in order.
  @inlinable package var lines: Span<HeaderField> {
    @_lifetime(borrow self) get { storage.span.extracting(0..<count) }
  }

  @inlinable package func contains(_ name: FieldName) -> Bool { seen & name.bit != 0 }
  @inlinable package func isRepeated(_ name: FieldName) -> Bool { repeated & name.bit != 0 }

  /// The index of the first line of a known name.
  @inlinable package func first(_ name: FieldName) -> Int? {
    guard contains(name) else { return nil }
    var index = 0
    while index < count, storage[index].name != name { index &+= 1 }
    return index
  }

  /// A whole line with its CRLF, for copying; runs of kept lines are contiguous.
  @inlinable package func line(_ index: Int) -> Range<Int> {
    let next = index &+ 1 < count ? Int(storage[index &+ 1].nameStart) : end
    return Int(storage[index].nameStart)..<next
  }

  /// The index of the next line of `name` (lower case) at or after `index`; for names that are not in `FieldName`.
  package func index(of name: String, in bytes: Span<UInt8>, from index: Int = 0) -> Int? {
    var index = index
    while index < count {
      if bytes.equals(storage[index].nameRange, lowercase: name) { return index }
      index &+= 1
    }
    return nil
  }

  mutating func markHopByHop(_ index: Int) { storage[index].isHopByHop = true }
}
