internal import CKernel
internal import Glibc
package import Kernel

/// A queue of bytes in borrowed chunks. Empty, it owns nothing.
package struct Chain: BitwiseCopyable, Sendable {
  @usableFromInline var head = UInt32.max
  @usableFromInline var tail = UInt32.max
  /// Where the first chunk's bytes begin.
  @usableFromInline var start: UInt32 = 0
  package internal(set) var count: UInt32 = 0

  @inlinable package init() {}
  @inlinable package var isEmpty: Bool { count == 0 }
}

/// The worker's pool of 4 KiB chunks. Connections own chunks only while bytes wait;
/// the pool has a limit, so slow readers cannot grow memory without end.
@safe package struct BufferPool: ~Copyable {
  package static let chunkSize = 4096
  private static let blockChunks = 64
  private static let maxPieces = 32
  private static let none = UInt32.max

  private struct Meta {
    var next: UInt32
    var count: UInt32
  }

  // SAFETY: blocks and tables are owned by this value, grow only here, and are freed in deinit; chunk indices come from
  // the free list alone, and every copy is bounded by `chunkSize`.
  private let blocks: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  private let meta: UnsafeMutablePointer<Meta>
  private let pieces: UnsafeMutablePointer<iovec>
  private let limit: Int
  private var capacity = 0
  private var free = BufferPool.none
  /// Chunks that are lent now.
  package private(set) var lent = 0

  /// Three quarters are lent.
  package var isScarce: Bool { lent > limit / 4 * 3 }
  package var isHalfFree: Bool { lent <= limit / 2 }

  /// - Parameter bytes: the most that the pool ever lends.
  package init(bytes: Int) {
    limit = max(1, bytes / BufferPool.chunkSize / BufferPool.blockChunks) * BufferPool.blockChunks
    unsafe blocks = .allocate(capacity: limit / BufferPool.blockChunks)
    unsafe blocks.initialize(repeating: nil, count: limit / BufferPool.blockChunks)
    unsafe meta = .allocate(capacity: limit)
    unsafe pieces = .allocate(capacity: BufferPool.maxPieces)
  }

  deinit {
    for index in 0..<capacity / BufferPool.blockChunks { unsafe blocks[index]!.deallocate() }
    unsafe blocks.deallocate()
    unsafe meta.deallocate()
    unsafe pieces.deallocate()
  }

  @unsafe private func memory(_ chunk: UInt32) -> UnsafeMutableRawPointer {
    precondition(Int(chunk) < capacity)
    return unsafe blocks[Int(chunk) / BufferPool.blockChunks].unsafelyUnwrapped
      + Int(chunk) % BufferPool.blockChunks * BufferPool.chunkSize
  }

  private mutating func borrow() -> UInt32? {
    if free == BufferPool.none {
      guard capacity < limit else { return nil }
      unsafe blocks[capacity / BufferPool.blockChunks] = .allocate(
        byteCount: BufferPool.blockChunks * BufferPool.chunkSize, alignment: 64)
      for index in (capacity..<capacity + BufferPool.blockChunks).reversed() {
        unsafe meta[index] = Meta(next: free, count: 0)
        free = UInt32(index)
      }
      capacity += BufferPool.blockChunks
    }
    let chunk = free
    unsafe free = meta[Int(chunk)].next
    unsafe meta[Int(chunk)] = Meta(next: BufferPool.none, count: 0)
    lent += 1
    return chunk
  }

  private mutating func giveBack(_ chunk: UInt32) {
    unsafe meta[Int(chunk)].next = free
    free = chunk
    lent -= 1
  }

  /// Copies a range of a region to the end of the chain.
  package mutating func append(_ region: borrowing ByteRegion, _ range: Range<Int>, to chain: inout Chain) -> Bool {
    append(region.bytes(range), to: &chain)
  }

  /// Copies bytes to the end of the chain; false (and the chain is as it was, or longer) when the pool is exhausted.
  package mutating func append(_ bytes: Span<UInt8>, to chain: inout Chain) -> Bool {
    var offset = 0
    while offset < bytes.count {
      var room = 0
      if chain.tail != BufferPool.none { unsafe room = BufferPool.chunkSize - Int(meta[Int(chain.tail)].count) }
      if room == 0 {
        guard let chunk = borrow() else { return false }
        if chain.tail == BufferPool.none { chain.head = chunk } else { unsafe meta[Int(chain.tail)].next = chunk }
        chain.tail = chunk
        room = BufferPool.chunkSize
      }
      let size = min(room, bytes.count - offset)
      unsafe bytes.extracting(offset..<offset + size).withUnsafeBytes { source in
        unsafe memory(chain.tail).advanced(by: Int(meta[Int(chain.tail)].count)).copyMemory(
          from: source.baseAddress!, byteCount: size)
      }
      unsafe meta[Int(chain.tail)].count += UInt32(size)
      chain.count += UInt32(size)
      offset += size
    }
    return true
  }

  /// Removes bytes from the front.
  package mutating func drop(_ bytes: Int, from chain: inout Chain) {
    var left = min(bytes, Int(chain.count))
    chain.count -= UInt32(left)
    while left > 0 {
      let here = unsafe Int(meta[Int(chain.head)].count) - Int(chain.start)
      if left < here {
        chain.start += UInt32(left)
        return
      }
      left -= here
      let next = unsafe meta[Int(chain.head)].next
      giveBack(chain.head)
      chain.head = next
      chain.start = 0
    }
    if chain.count == 0 { release(&chain) }
  }

  /// Gives all chunks back.
  package mutating func release(_ chain: inout Chain) {
    var chunk = chain.head
    while chunk != BufferPool.none {
      let next = unsafe meta[Int(chunk)].next
      giveBack(chunk)
      chunk = next
    }
    chain = Chain()
  }

  /// Sends from the front in one gathered call and drops what the socket took.
  package mutating func send(_ chain: inout Chain, to fd: Int32) -> Transfer {
    let result = unsafe gather(chain, from: 0) { unsafe IO.send(fd, pieces: $0, count: $1) }
    if result.value > 0 { drop(result.value, from: &chain) }
    return result
  }

  /// Sends from `offset` without dropping: the chain is kept for another try.
  package mutating func send(_ chain: Chain, from offset: Int, to fd: Int32) -> Transfer {
    unsafe gather(chain, from: offset) { unsafe IO.send(fd, pieces: $0, count: $1) }
  }

  @unsafe private mutating func gather(
    _ chain: Chain, from offset: Int, _ body: (UnsafeMutablePointer<iovec>, Int) -> Transfer
  ) -> Transfer {
    var chunk = chain.head
    var start = Int(chain.start)
    var skip = offset
    var used = 0
    while chunk != BufferPool.none, used < BufferPool.maxPieces {
      let here = unsafe Int(meta[Int(chunk)].count) - start
      if skip >= here {
        skip -= here
      } else {
        unsafe pieces[used] = iovec(iov_base: memory(chunk) + start + skip, iov_len: here - skip)
        used += 1
        skip = 0
      }
      start = 0
      chunk = unsafe meta[Int(chunk)].next
    }
    return unsafe body(pieces, used)
  }

  /// Copies what the region has room for, from the chain's byte `offset` on. The chain is unchanged.
  package func copy(_ chain: Chain, from offset: Int, to region: inout ByteRegion) {
    var chunk = chain.head
    var start = Int(chain.start) + offset
    while chunk != BufferPool.none, region.room > 0 {
      let count = unsafe Int(meta[Int(chunk)].count)
      if start < count {
        let piece = min(count - start, region.room)
        unsafe region.append(raw: UnsafeRawBufferPointer(start: memory(chunk) + start, count: piece))
        start = count
      }
      start -= count
      chunk = unsafe meta[Int(chunk)].next
    }
  }

  /// Moves the first `count` bytes of a chain, which has as many, to the end of a region with room for them.
  package mutating func move(_ count: Int, from chain: inout Chain, to region: inout ByteRegion) {
    copy(count, of: chain, to: &region)
    drop(count, from: &chain)
  }

  /// Copies the first `count` bytes of a chain to the end of a region.
  package func copy(_ count: Int, of chain: Chain, to region: inout ByteRegion) {
    var chunk = chain.head
    var start = Int(chain.start)
    var left = min(count, Int(chain.count))
    while chunk != BufferPool.none, left > 0 {
      let here = unsafe min(left, Int(meta[Int(chunk)].count) - start)
      unsafe region.append(raw: UnsafeRawBufferPointer(start: memory(chunk) + start, count: here))
      left -= here
      start = 0
      chunk = unsafe meta[Int(chunk)].next
    }
  }

  /// Copies what a chain has behind its first `skip` bytes to the end of another.
  package mutating func append(_ source: Chain, from skip: Int, to chain: inout Chain) -> Bool {
    var chunk = source.head
    var start = Int(source.start)
    var skip = skip
    while chunk != BufferPool.none {
      let here = unsafe Int(meta[Int(chunk)].count) - start
      if skip < here {
        // SAFETY: the chunk is lent to `source` until this returns, and is none of those that `append` borrows.
        let bytes = unsafe Span<UInt8>(
          _unsafeStart: (memory(chunk) + start + skip).assumingMemoryBound(to: UInt8.self), count: here - skip)
        guard append(bytes, to: &chain) else { return false }
        skip = 0
      } else {
        skip -= here
      }
      start = 0
      chunk = unsafe meta[Int(chunk)].next
    }
    return true
  }

  /// Copies the chain's bytes to the end of a region; what does not fit is left out. The chain is unchanged.
  package func copy(_ chain: Chain, to region: inout ByteRegion) {
    var chunk = chain.head
    var start = Int(chain.start)
    while chunk != BufferPool.none {
      let count = unsafe Int(meta[Int(chunk)].count)
      unsafe region.append(raw: UnsafeRawBufferPointer(start: memory(chunk) + start, count: count - start))
      start = 0
      chunk = unsafe meta[Int(chunk)].next
    }
  }
}
