package import Kernel

/// The worker's pipes. A stream holds one only while bytes are in it, so idle connections own none; the number of
/// pipes has a limit, and without a free one bytes are copied as ever.
package struct PipePool: ~Copyable {
  /// Pipes that are kept open for the next who wants one.
  private static let kept = 32

  private let limit: Int
  private let capacity: Int32
  private var pipes: [Pipe?] = []
  /// Numbers of pipes that are open and empty.
  private var idle: [UInt32] = []
  /// Numbers without a pipe.
  private var closed: [UInt32] = []

  /// - Parameter capacity: bytes that one pipe shall hold.
  package init(limit: Int, capacity: Int) {
    self.limit = limit
    self.capacity = Int32(clamping: capacity)
    idle.reserveCapacity(PipePool.kept)
  }

  deinit { for pipe in pipes { pipe?.close() } }

  /// An empty pipe's number; nil when there are as many as there may be, or the system gives none.
  package mutating func borrow() -> UInt32? {
    if let number = idle.popLast() { return number }
    guard !closed.isEmpty || pipes.count < limit, let pipe = try? Pipe(capacity: capacity) else { return nil }
    if let number = closed.popLast() {
      pipes[Int(number)] = pipe
      return number
    }
    pipes.append(pipe)
    return UInt32(pipes.count - 1)
  }

  /// A pipe that still has bytes in it is closed with them.
  package mutating func giveBack(_ number: UInt32, isEmpty: Bool) {
    guard let pipe = pipes[Int(number)] else { return }
    if isEmpty, idle.count < PipePool.kept { return idle.append(number) }
    pipe.close()
    pipes[Int(number)] = nil
    closed.append(number)
  }

  package subscript(number: UInt32) -> Pipe? { pipes[Int(number)] }
}
