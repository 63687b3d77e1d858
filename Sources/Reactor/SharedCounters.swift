internal import Glibc
package import Kernel
internal import Synchronization

/// Numbers that one thread writes and others read, or that all threads share.
///
/// Rows are cache-line aligned, so that two workers never write the same line by
/// accident. A fixed address space is reserved at the start and touched on use.
@safe package final class SharedCounters: @unchecked Sendable {
  // SAFETY: the table is mapped in init and unmapped in deinit; every cell is a zero-initialised Atomic, accessed only
  // atomically and only inside the bounds that `cell` checks. That is also why the class is Sendable.
  private let cells: UnsafeMutablePointer<Atomic<Int>>
  package let rows: Int
  package let columns: Int
  private let stride: Int
  private let size: Int

  /// - Throws: when there is no address space for the table.
  package init(rows: Int, columns: Int) throws(Errno) {
    self.rows = rows
    self.columns = columns
    stride = (columns + 7) / 8 * 8
    let count = rows * stride
    let bytes = count * MemoryLayout<Atomic<Int>>.stride
    // Anonymous pages are zero and cost nothing until they are touched.
    let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let memory = unsafe memory, unsafe memory != MAP_FAILED else {
      throw .last
    }
    size = bytes
    unsafe cells = memory.assumingMemoryBound(to: Atomic<Int>.self)
  }

  deinit { unsafe munmap(cells, size) }

  @unsafe @inline(__always) private func cell(_ row: Int, _ column: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    precondition(UInt(bitPattern: row) < UInt(bitPattern: rows) && UInt(bitPattern: column) < UInt(bitPattern: columns))
    return unsafe cells + (row * stride + column)
  }

  package func load(_ row: Int, _ column: Int) -> Int { unsafe cell(row, column).pointee.load(ordering: .relaxed) }

  package func store(_ row: Int, _ column: Int, _ value: Int) {
    unsafe cell(row, column).pointee.store(value, ordering: .relaxed)
  }

  /// Adds, from any thread; the sum.
  @discardableResult
  package func add(_ row: Int, _ column: Int, _ value: Int) -> Int {
    unsafe cell(row, column).pointee.wrappingAdd(value, ordering: .relaxed).newValue
  }

  /// Adds, from the only thread that writes this cell: no locked instruction.
  package func bump(_ row: Int, _ column: Int, _ value: Int = 1) {
    let cell = unsafe cell(row, column)
    unsafe cell.pointee.store(cell.pointee.load(ordering: .relaxed) &+ value, ordering: .relaxed)
  }

  /// Replaces `expected` by `value`; whether it did.
  package func exchange(_ row: Int, _ column: Int, expected: Int, with value: Int) -> Bool {
    unsafe cell(row, column).pointee.compareExchange(expected: expected, desired: value, ordering: .relaxed).exchanged
  }
}
