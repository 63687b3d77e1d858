import Kernel
import Model
import Reactor
import Synchronization

/// Writes log bytes on a thread of its own, so that a slow disk stalls nobody.
///
/// At most `limit` bytes wait; beyond, whole blocks are dropped and counted.
final class LogSink: Sendable {
  private struct State {
    var blocks: [[UInt8]] = []
    /// Bytes in them.
    var waiting = 0
    /// An empty one, for the next.
    var spare: [UInt8]?
    var dropped = 0
    var reopen = false
    var stop = false
    var target = AccessLogTarget.off
    var nextComplaint: Int64 = 0
  }

  private static let limit = 16 << 20
  /// So much wakes the writer at once; less waits until it is due.
  ///
  /// PERF: its thread took 2.4% of h1-observed while it woke for 32 KiB.
  private static let batch = 128 << 10
  private static let blockCapacity = 192 << 10
  private let state = Mutex(State())
  private let wakeup: Wakeup
  private let finished: Latch

  init() throws(Errno) {
    finished = try Latch(count: 1)
    wakeup = try Wakeup()
  }

  deinit { wakeup.close() }

  func setTarget(_ target: AccessLogTarget) {
    state.withLock { state in
      guard state.target != target else { return }
      state.target = target
      state.reopen = true
    }
    wakeup.signal()
  }

  func reopen() {
    state.withLock { $0.reopen = true }
    wakeup.signal()
  }

  /// Takes whole lines. Those that are not due are written when enough wait, or at the next `wake`.
  func write(_ block: borrowing ByteRegion, lines: Int, isDue: Bool) {
    let wakes = state.withLock { state in
      guard state.waiting + block.count <= LogSink.limit else {
        state.dropped += lines
        return false
      }
      state.waiting += block.count
      let last = state.blocks.count - 1
      if last >= 0, state.blocks[last].count + block.count <= LogSink.blockCapacity {
        block.append(to: &state.blocks[last])
      } else {
        var fresh = state.spare.take() ?? []
        fresh.reserveCapacity(LogSink.blockCapacity)
        block.append(to: &fresh)
        state.blocks.append(fresh)
      }
      return isDue || state.waiting >= LogSink.batch
    }
    if wakes { wake() }
  }

  func wake() { wakeup.signal() }

  /// Lines that were lost, because the target was too slow or refused them.
  var dropped: Int { state.withLock { $0.dropped } }

  /// Whether everything was written in so many milliseconds.
  func stop(within milliseconds: Int32) -> Bool {
    state.withLock { $0.stop = true }
    wakeup.signal()
    return finished.wait(milliseconds: milliseconds)
  }

  /// The writing thread's body.
  func run() {
    defer { finished.arrive() }
    var file = LogFile()
    var syslog: SyslogWriter?
    guard var epoll = try? Epoll(capacity: 1) else { return }
    try? epoll.add(wakeup.descriptor, token: 0, .level)
    while true {
      _ = epoll.wait(milliseconds: -1)
      wakeup.clear()
      var work = state.withLock { state in
        let taken = (blocks: state.blocks, target: state.target, reopen: state.reopen, stop: state.stop)
        state.blocks = []
        state.waiting = 0
        state.reopen = false
        return taken
      }
      if work.reopen {
        file.close()
        syslog?.close()
        syslog = nil
        switch work.target {
        case .off: break
        case .stdout: file = LogFile(shared: 1)
        case .file(let path):
          do throws(Errno) { file = try LogFile(path: path) } catch { complain("access log \(path): \(error)") }
        case .syslog(let target): syslog = SyslogWriter(target)
        }
      }
      for block in work.blocks {
        let lost = syslog?.write(block) ?? file.write(block)
        guard lost > 0 else { continue }
        // A full disk, a closed pipe, no receiver: serving goes on, and the loss is counted and, once in a while, named.
        state.withLock { $0.dropped += lost }
        let trouble = syslog == nil ? file.trouble : syslog?.trouble
        if let trouble { complainRarely("access log: \(trouble); lines are lost (\(dropped) so far)") }
      }
      if work.stop { break }
      if !work.blocks.isEmpty { keep(work.blocks.removeLast()) }
    }
    file.close()
    syslog?.close()
  }

  /// One block's memory is used again.
  private func keep(_ block: consuming [UInt8]) {
    block.removeAll(keepingCapacity: true)
    state.withLock { $0.spare = block }
  }

  private func complainRarely(_ text: @autoclosure () -> String) {
    let now = Clock.now().nanoseconds
    let due = state.withLock { state in
      guard now >= state.nextComplaint else { return false }
      state.nextComplaint = now + 10_000_000_000
      return true
    }
    if due { complain(text()) }
  }

  func complain(_ text: String) {
    let line = Array("sluice: \(text)\n".utf8)
    _ = IO.write(2, line.span)
  }
}
