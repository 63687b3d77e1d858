import Kernel
import Reactor

/// Large transfers pass through a pipe in the kernel instead of through our memory: splice(2).
///
/// The bytes between two sockets are then the target's `piped` bytes in its `pipe`, as what its socket refused of copied
/// bytes is its `output`. A pipe is lent while it holds bytes and no longer.
extension Worker {
  /// What became of an attempt to move bytes without looking at them.
  enum Splice {
    /// So many were taken from the source; the target has them, or they wait for it in a pipe.
    case moved(Int, Delivery)
    case empty
    case ended
    case sourceFailed
    /// No pipe is free, or these sockets cannot be spliced: copy.
    case unavailable
  }

  /// PERF: what is known to come must be as long as this, else a copy is as cheap as a pipe: h1-64k, whose rest after the
  /// first read is 60 KiB, took 0.72 of the CPU time of a spliced HAProxy, and 0.95 of it when it was copied.
  static let spliceThreshold: UInt64 = 32 * 1024
  /// Bytes of one fill, and what a pipe holds in pages of 4 KiB, where the system grants it.
  static let spliceSize = 1 << 20
  static let pipeCapacity = 1 << 20
  /// Pipes of a worker; each may hold up to `spliceSize` bytes for a slow reader.
  static let pipeLimit = 256

  /// Whether what passes between two streams may go unseen: neither side's bytes are ours to change.
  mutating func canSplice(_ source: UInt32, _ target: UInt32) -> Bool {
    streams[source].input.isEmpty && streams[target].isDrained
      && streams[source].flags.isDisjoint(with: .unspliceable)
      && streams[target].flags.isDisjoint(with: .unspliceable)
  }

  /// Moves up to `limit` bytes; the target has nothing waiting.
  mutating func splice(from source: UInt32, to target: UInt32, atMost limit: UInt64) -> Splice {
    guard let number = pipes.borrow(), let pipe = pipes[number] else { return .unavailable }
    let filled = pipe.fill(from: streams[source].fd, atMost: Int(min(limit, UInt64(Worker.spliceSize))))
    guard filled.bytes > 0 else {
      pipes.giveBack(number, isEmpty: true)
      if filled.wouldBlock { return .empty }
      if filled.isEnd { return .ended }
      guard filled.error != .invalidArgument else {
        streams[source].flags.insert(.unspliceable)
        return .unavailable
      }
      return .sourceFailed
    }
    countSent(target, filled.bytes)
    streams[target].pipe = number
    streams[target].piped = UInt32(filled.bytes)
    return .moved(filled.bytes, drainPipe(target))
  }

  /// Sends what is in the stream's pipe, which is given back when it is empty.
  mutating func drainPipe(_ index: UInt32) -> Delivery {
    guard streams[index].piped > 0, let pipe = pipes[streams[index].pipe] else { return .sent }
    let wanted = Int(streams[index].piped)
    let result = pipe.drain(to: streams[index].fd, atMost: wanted)
    if result.failed || result.isEnd { return .failed }
    streams[index].piped -= UInt32(result.bytes)
    guard result.bytes == wanted else {
      streams[index].flags.remove(.writable)
      return .held
    }
    releasePipe(index)
    return .sent
  }

  /// Gives the stream's pipe back, with whatever is in it.
  mutating func releasePipe(_ index: UInt32) {
    guard streams[index].pipe != Stream.none else { return }
    pipes.giveBack(streams[index].pipe, isEmpty: streams[index].piped == 0)
    streams[index].pipe = Stream.none
    streams[index].piped = 0
  }
}
