package import Kernel

/// A fixed piece of memory that bytes are received into and messages are written to.
///
/// A worker has a few, for its whole life: nothing is allocated or zeroed per read.
/// Writing past the capacity sets `overflowed` and writes nothing more.
@safe public struct ByteRegion: ~Copyable {
  @usableFromInline let memory: UnsafeMutablePointer<UInt8>
  public let capacity: Int
  // PERF: `public` and inlinable, unlike the rest of the package, since `package` code is not inlined in other modules:
  // the calls cost a request 2,000 instructions.
  @usableFromInline var used = 0
  @usableFromInline var isOverflowed = false

  @inlinable public var count: Int { used }
  @inlinable public var overflowed: Bool { isOverflowed }

  package init(capacity: Int) {
    self.capacity = capacity
    // SAFETY: owned, freed in deinit, zeroed once so that every byte is initialised; all access is below `capacity`.
    unsafe memory = .allocate(capacity: capacity)
    unsafe memory.initialize(repeating: 0, count: capacity)
  }

  deinit { unsafe memory.deallocate() }

  @inlinable public mutating func clear() {
    used = 0
    isOverflowed = false
  }

  /// Forgets everything after `count`, and that there was no room.
  package mutating func rewind(to count: Int) {
    truncate(to: count)
    isOverflowed = false
  }

  /// A copy of everything.
  package func array() -> [UInt8] {
    // SAFETY: the first `count` bytes are initialised.
    unsafe Array(UnsafeBufferPointer(start: memory, count: count))
  }

  /// Everything, behind what the array has.
  package func append(to array: inout [UInt8]) {
    // SAFETY: the first `count` bytes are initialised.
    unsafe array.append(contentsOf: UnsafeBufferPointer(start: memory, count: count))
  }

  /// Forgets everything after `count`.
  package mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= self.count)
    self.used = count
  }

  @inlinable public var room: Int { capacity - count }

  /// What has been written or received.
  @inlinable public var bytes: Span<UInt8> {
    @_lifetime(borrow self) get {
      let span = unsafe Span(_unsafeStart: memory, count: count)
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  @_lifetime(borrow self)
  @inlinable public func bytes(_ range: Range<Int>) -> Span<UInt8> {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    let span = unsafe Span(_unsafeStart: memory + range.lowerBound, count: range.count)
    return unsafe _overrideLifetime(span, borrowing: self)
  }

  @inlinable public subscript(index: Int) -> UInt8 {
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
    used += result.bytes
    return result
  }

  /// Sends `range`; one system call.
  package func send(_ range: Range<Int>, to fd: Int32, more: Bool = false) -> Transfer {
    precondition(range.lowerBound >= 0 && range.upperBound <= count)
    return unsafe IO.send(fd, UnsafeRawBufferPointer(start: memory + range.lowerBound, count: range.count), more: more)
  }

  /// Sends everything, and a range of another region behind it; one system call.
  package func send(
    before other: borrowing ByteRegion, _ range: Range<Int>, to fd: Int32, more: Bool = false
  ) -> Transfer {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    // SAFETY: both pieces lie within their regions, which live through the call.
    return unsafe IO.send(
      fd, UnsafeRawBufferPointer(start: memory, count: count),
      UnsafeRawBufferPointer(start: other.memory + range.lowerBound, count: range.count),
      more: more)
  }

  @unsafe @inlinable @inline(__always) public mutating func append(raw bytes: UnsafeRawBufferPointer) {
    guard bytes.count <= room else {
      isOverflowed = true
      return
    }
    if bytes.count > 0 {
      unsafe UnsafeMutableRawPointer(memory + count).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    }
    used += bytes.count
  }

  /// Moves a range of what is there to an earlier place.
  package mutating func move(_ range: Range<Int>, to start: Int) {
    precondition(start >= 0 && start <= range.lowerBound && range.upperBound <= count)
    guard range.count > 0 else { return }
    unsafe (memory + start).update(from: memory + range.lowerBound, count: range.count)
  }

  @inlinable @inline(__always) public mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { unsafe append(raw: $0) }
  }

  @inlinable @inline(__always) public mutating func append(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { unsafe append(raw: $0) }
  }

  @inlinable @inline(__always) public mutating func append(_ text: StaticString) {
    unsafe append(raw: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package mutating func append(string text: String) {
    var text = text
    text.withUTF8 { unsafe append(raw: UnsafeRawBufferPointer($0)) }
  }

  /// A range of another region.
  @inlinable @inline(__always) public mutating func append(_ other: borrowing ByteRegion, _ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= other.count)
    unsafe append(raw: UnsafeRawBufferPointer(start: other.memory + range.lowerBound, count: range.count))
  }

  @inlinable @inline(__always) public mutating func append(byte: UInt8) {
    guard room > 0 else {
      isOverflowed = true
      return
    }
    unsafe memory[count] = byte
    used += 1
  }

  /// PERF: eight digits at a time in a register; digit by digit those of a log line cost 850 instructions.
  @inlinable public mutating func append(decimal value: UInt64) {
    guard value >= 10 else { return append(byte: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    guard value >= 100_000_000 else {
      let digits = ByteRegion.decimal(UInt32(truncatingIfNeeded: value))
      return append(digits: digits, from: digits.trailingZeroBitCount / 8)
    }
    append(decimal: value / 100_000_000)
    append(digits: ByteRegion.decimal(UInt32(truncatingIfNeeded: value % 100_000_000)), from: 0)
  }

  /// The digits behind the first `skipped` of eight.
  @inlinable mutating func append(digits: UInt64, from skipped: Int) {
    guard room >= 8 else {
      guard room >= 8 &- skipped else {
        isOverflowed = true
        return
      }
      for place in skipped..<8 {
        append(byte: UInt8(ascii: "0") | UInt8(truncatingIfNeeded: digits &>> UInt64(place &* 8)))
      }
      return
    }
    let text = (digits | 0x3030_3030_3030_3030) &>> UInt64(skipped &* 8)
    // SAFETY: eight bytes behind `count` are below `capacity`; those that are no digits are written over.
    unsafe UnsafeMutableRawPointer(memory + count).storeBytes(of: text.littleEndian, as: UInt64.self)
    used += 8 &- skipped
  }

  /// The eight digits of a number below 10^8, the first in the lowest byte. Source: Khuong, "How to print integers really fast".
  @inlinable static func decimal(_ value: UInt32) -> UInt64 {
    let fours = UInt64(value / 10_000) | UInt64(value % 10_000) &<< 32
    // By 100 and by 10 in each lane: 10,486 / 2^20 is right up to 9,999, and 103 / 2^10 up to 99.
    let hundreds = (fours &* 10_486) &>> 20 & 0x0000_007f_0000_007f
    let twos = hundreds | (fours &- hundreds &* 100) &<< 16
    let tens = (twos &* 103) &>> 10 & 0x000f_000f_000f_000f
    return tens | (twos &- tens &* 10) &<< 8
  }

  /// All sixteen hexadecimal digits, lower case.
  ///
  /// PERF: eight digits at a time in a register; digit by digit 128 bits cost 940 instructions.
  @inlinable public mutating func append(sixteenDigits value: UInt64) {
    guard room >= 16 else {
      isOverflowed = true
      return
    }
    let high = ByteRegion.hexadecimal(UInt32(truncatingIfNeeded: value &>> 32))
    let low = ByteRegion.hexadecimal(UInt32(truncatingIfNeeded: value))
    // SAFETY: sixteen bytes behind `count` are below `capacity`.
    unsafe UnsafeMutableRawPointer(memory + count).storeBytes(of: high.bigEndian, as: UInt64.self)
    unsafe UnsafeMutableRawPointer(memory + count + 8).storeBytes(of: low.bigEndian, as: UInt64.self)
    used += 16
  }

  /// Eight hexadecimal digits, the first in the highest byte.
  @inlinable static func hexadecimal(_ value: UInt32) -> UInt64 {
    var nibbles = UInt64(value)
    nibbles = (nibbles | nibbles &<< 16) & 0x0000_ffff_0000_ffff
    nibbles = (nibbles | nibbles &<< 8) & 0x00ff_00ff_00ff_00ff
    nibbles = (nibbles | nibbles &<< 4) & 0x0f0f_0f0f_0f0f_0f0f
    // 1 in each byte that is over 9; "a" stands 39 places behind what follows "9".
    let letters = (nibbles &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
    return nibbles &+ 0x3030_3030_3030_3030 &+ letters &* 39
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
    used += written
  }
}
