/// A growing piece of memory that heads are written to; cleared, it keeps its memory.
@safe package struct ByteArena: ~Copyable {
  // SAFETY: owned, freed in deinit, initialised wherever it is below `count`; every access is checked against `count`.
  private(set) var memory: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  package private(set) var count = 0

  package init(capacity: Int) {
    self.capacity = capacity
    unsafe memory = .allocate(capacity: capacity)
  }

  deinit { unsafe memory.deallocate() }

  package mutating func clear() { count = 0 }

  package mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    self.count = count
  }

  private mutating func reserve(_ more: Int) {
    guard count + more > capacity else { return }
    let wanted = max(capacity * 2, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
    unsafe larger.update(from: memory, count: count)
    unsafe memory.deallocate()
    unsafe memory = larger
    capacity = wanted
  }

  package mutating func append(_ bytes: Span<UInt8>) {
    reserve(bytes.count)
    unsafe bytes.withUnsafeBufferPointer { source in
      if source.count > 0 { unsafe (memory + count).update(from: source.baseAddress!, count: source.count) }
    }
    count += bytes.count
  }

  /// A range of another arena.
  package mutating func append(_ other: borrowing ByteArena, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    reserve(range.count)
    unsafe (memory + count).update(from: other.memory + range.lowerBound, count: range.count)
    count += range.count
  }

  package mutating func append(_ text: StaticString) {
    reserve(text.utf8CodeUnitCount)
    unsafe (memory + count).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
    count += text.utf8CodeUnitCount
  }

  package mutating func append(byte: UInt8) {
    reserve(1)
    unsafe memory[count] = byte
    count += 1
  }

  package subscript(index: Int) -> UInt8 {
    get {
      precondition(index >= 0 && index < count)
      return unsafe memory[index]
    }
    set {
      precondition(index >= 0 && index < count)
      unsafe memory[index] = newValue
    }
  }

  package var bytes: Span<UInt8> {
    @_lifetime(borrow self) get {
      let span = unsafe Span(_unsafeStart: memory, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @_lifetime(borrow self)
  package func bytes(_ range: Range<Int>) -> Span<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let span = unsafe Span(_unsafeStart: memory + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }
}

extension Span where Element == UInt8 {
  /// Whether these bytes are `text`, exactly.
  func isExactly(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // SAFETY: the indices are below both counts.
    for index in indices where unsafe self[index] != text.utf8Start[index] { return false }
    return true
  }
}
