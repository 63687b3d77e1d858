package import Kernel

/// A fixed piece of memory that bytes are received into and messages are written to.
///
/// A worker has a few, for its whole life: nothing is allocated or zeroed per read.
/// Writing past the capacity sets `overflowed` and writes nothing more.
@safe package struct ByteRegion: ~Copyable {
  @usableFromInline let memory: UnsafeMutablePointer<UInt8>
  package let capacity: Int
  package private(set) var count = 0
  package private(set) var overflowed = false

  package init(capacity: Int) {
    self.capacity = capacity
    // SAFETY: owned, freed in deinit, zeroed once so that every byte is initialised; all access is below `capacity`.
    unsafe memory = .allocate(capacity: capacity)
    unsafe memory.initialize(repeating: 0, count: capacity)
  }

  deinit { unsafe memory.deallocate() }

  package mutating func clear() {
    count = 0
    overflowed = false
  }

  /// Forgets everything after `count`.
  package mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    self.count = count
  }

  package var room: Int { capacity - count }

  /// What has been written or received.
  @inlinable package var bytes: Span<UInt8> {
    @_lifetime(borrow self) get {
      let span = unsafe Span(_unsafeStart: memory, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @_lifetime(borrow self)
  @inlinable package func bytes(_ range: Range<Int>) -> Span<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let span = unsafe Span(_unsafeStart: memory + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  @inlinable package subscript(index: Int) -> UInt8 {
    precondition(index >= 0 && index < count)
    return unsafe memory[index]
  }

  /// Receives behind what is there; one system call.
  package mutating func receive(from fd: Int32) -> Transfer {
    receive(from: fd, atMost: room)
  }

  /// The same for no more than `limit` bytes.
  package mutating func receive(from fd: Int32, atMost limit: Int) -> Transfer {
    precondition(limit >= 0 && limit <= room)
    let result = unsafe IO.receive(fd, UnsafeMutableRawBufferPointer(start: memory + count, count: limit))
    count += result.bytes
    return result
  }

  /// Sends `range`; one system call.
  package func send(_ range: Range<Int>, to fd: Int32, more: Bool = false) -> Transfer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return unsafe IO.send(fd, UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count), more: more)
  }

  /// Sends everything, and a range of another region behind it; one system call.
  package func send(before other: borrowing ByteRegion, _ range: Range<Int>, to fd: Int32) -> Transfer {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    // SAFETY: both pieces lie within their regions, which live through the call.
    return unsafe IO.send(
      fd, UnsafeRawBufferPointer(start: memory, count: count),
      UnsafeRawBufferPointer(start: other.memory + range.lowerBound, count: range.count))
  }

  @unsafe package mutating func append(raw bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= room else {
      overflowed = true
      return
    }
    if bytes.count > 0 {
      unsafe UnsafeMutableRawPointer(memory + count).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    }
    count += bytes.count
  }

  package mutating func append(_ bytes: Span<UInt8>) { unsafe bytes.withUnsafeBytes { unsafe append(raw: $0) } }

  package mutating func append(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe append(raw: $0) } }

  package mutating func append(_ text: StaticString) {
    unsafe append(raw: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { unsafe append(raw: UnsafeRawBufferPointer($0)) }
  }

  /// A range of another region.
  package mutating func append(_ other: borrowing ByteRegion, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    unsafe append(raw: UnsafeRawBufferPointer(start: other.memory + range.lowerBound, count: range.count))
  }

  package mutating func append(byte: UInt8) {
    guard room > 0 else {
      overflowed = true
      return
    }
    unsafe memory[count] = byte
    count += 1
  }

  package mutating func append(decimal value: UInt64) {
    if value >= 10 { append(decimal: value / 10) }
    append(byte: UInt8(ascii: "0") + UInt8(value % 10))
  }

  /// Lower-case hexadecimal, without leading zeros unless `digits` asks for them.
  package mutating func append(hexadecimal value: UInt64, digits: Int = 1) {
    var shift = max(digits, (64 - value.leadingZeroBitCount + 3) / 4) * 4
    while shift > 0 {
      shift -= 4
      let nibble = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
      append(byte: nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
    }
  }
}

extension ByteRegion {
  /// Lends the free part to who writes into it and says how much.
  @unsafe package mutating func fill(atMost limit: Int = .max, _ body: (UnsafeMutableRawBufferPointer) -> Int) {
    let space = unsafe UnsafeMutableRawBufferPointer(start: memory + count, count: min(limit, capacity - count))
    let written = unsafe body(space)
    precondition(written >= 0 && written <= space.count)
    count += written
  }
}
