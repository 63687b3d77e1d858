/// A growing table of plain values with stable indices and generation counters.
///
/// A handle is index + generation, never a pointer: an event for a connection that
/// is gone finds another generation and is dropped. Memory comes in chunks that
/// never move, so growing costs no copy.
///
/// PERF: `public`, unlike the rest of the package: generic `package` code is not specialised in other modules, and
/// looking up the generic metadata at run time took three quarters of the proxy's user time.
@safe public struct Slab<Element: BitwiseCopyable>: ~Copyable {
  @usableFromInline struct Slot {
    @usableFromInline var element: Element
    @usableFromInline var generation: UInt32
    /// The next free slot while this one is free; `inUse` while it is taken.
    @usableFromInline var next: UInt32

    @inlinable init(_ element: Element) {
      self.element = element
      generation = 1
      next = 0
    }
  }

  @inlinable static var chunkBits: Int { 8 }
  @inlinable static var inUse: UInt32 { .max - 1 }
  @inlinable static var none: UInt32 { .max }

  @usableFromInline let chunks: UnsafeMutablePointer<UnsafeMutablePointer<Slot>?>
  @usableFromInline let maxChunks: Int
  @usableFromInline var capacity = 0
  @usableFromInline var free = UInt32.max
  @usableFromInline let blank: Element
  @usableFromInline var used = 0

  /// Elements in use.
  @inlinable public var count: Int { used }

  /// `limit` is rounded up to whole chunks of 256.
  @inlinable public init(limit: Int, blank: Element) {
    maxChunks = (limit + (1 << Self.chunkBits) - 1) >> Self.chunkBits
    // SAFETY: the chunk table and each chunk are owned by this value and freed in deinit; every access is checked
    // against `capacity`, below which all chunks are initialised.
    unsafe chunks = .allocate(capacity: maxChunks)
    unsafe chunks.initialize(repeating: nil, count: maxChunks)
    self.blank = blank
  }

  deinit {
    for index in 0..<capacity >> Self.chunkBits { unsafe chunks[index]!.deallocate() }
    unsafe chunks.deallocate()
  }

  /// A fresh element, or nil when the limit is reached.
  @inlinable public mutating func insert() -> UInt32? {
    if free == Self.none { guard grow() else { return nil } }
    let index = free
    // SAFETY: the free list holds only indices below `capacity`.
    let slot = unsafe pointer(Int(index))
    unsafe free = slot.pointee.next
    unsafe slot.pointee.next = Self.inUse
    unsafe slot.pointee.element = blank
    used += 1
    return index
  }

  @inlinable public mutating func remove(_ index: UInt32) {
    precondition(isUsed(index))
    let slot = unsafe pointer(Int(index))
    unsafe slot.pointee.generation = (slot.pointee.generation &+ 1) & 0xff_ffff
    unsafe slot.pointee.next = free
    free = index
    used -= 1
  }

  @inlinable mutating func grow() -> Bool {
    let chunk = capacity >> Self.chunkBits
    guard chunk < maxChunks else { return false }
    let size = 1 << Self.chunkBits
    let memory = UnsafeMutablePointer<Slot>.allocate(capacity: size)
    unsafe memory.initialize(repeating: Slot(blank), count: size)
    unsafe chunks[chunk] = memory
    for offset in (0..<size).reversed() {
      unsafe memory[offset].next = free
      free = UInt32(capacity + offset)
    }
    capacity += size
    return true
  }

  @unsafe @inlinable func pointer(_ index: Int) -> UnsafeMutablePointer<Slot> {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: capacity))
    return unsafe chunks[index >> Self.chunkBits].unsafelyUnwrapped + (index & ((1 << Self.chunkBits) - 1))
  }

  @inlinable public func isUsed(_ index: UInt32) -> Bool {
    guard Int(index) < capacity else { return false }
    return unsafe pointer(Int(index)).pointee.next == Self.inUse
  }

  @inlinable public subscript(index: UInt32) -> Element {
    @inline(__always) unsafeAddress {
      // SAFETY: `pointer` is bounds-checked; the element is the slot's first field.
      unsafe UnsafePointer(UnsafeMutableRawPointer(pointer(Int(index))).assumingMemoryBound(to: Element.self))
    }
    @inline(__always) unsafeMutableAddress {
      unsafe UnsafeMutableRawPointer(pointer(Int(index))).assumingMemoryBound(to: Element.self)
    }
  }

  /// 24 bits that change whenever the slot is reused.
  @inlinable public func generation(_ index: UInt32) -> UInt32 { unsafe pointer(Int(index)).pointee.generation }

  /// Indices that could be in use: visit with `isUsed`.
  @inlinable public var indices: Range<UInt32> { 0..<UInt32(capacity) }
}
