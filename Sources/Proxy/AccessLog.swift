import HTTP
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
    var descriptor: Int32 = -1
    var owned = false
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
        if owned { Socket.close(descriptor) }
        (descriptor, owned) = open(work.target)
        syslog?.close()
        if case .syslog(let target) = work.target { syslog = SyslogWriter(target) } else { syslog = nil }
      }
      for block in work.blocks {
        guard var writer = syslog else {
          write(block, to: descriptor)
          continue
        }
        let lost = writer.write(block)
        syslog = writer
        if lost > 0 {
          state.withLock { $0.dropped += lost }
          complainRarely("access log: \(writer.trouble ?? "syslog"); lines are lost (\(dropped) so far)")
        }
      }
      if work.stop { break }
      if !work.blocks.isEmpty { keep(work.blocks.removeLast()) }
    }
    if owned { Socket.close(descriptor) }
    syslog?.close()
  }

  private func open(_ target: AccessLogTarget) -> (Int32, Bool) {
    switch target {
    case .off, .syslog: return (-1, false)
    case .stdout: return (1, false)
    case .file(let path):
      do throws(Errno) {
        return (try IO.openLog(path), true)
      } catch {
        complain("access log \(path): \(error)")
        return (-1, false)
      }
    }
  }

  private func write(_ block: [UInt8], to descriptor: Int32) {
    guard descriptor >= 0 else { return lose(block) }
    var start = 0
    while start < block.count {
      let result = IO.write(descriptor, block.span.extracting(start..<block.count))
      guard result.value > 0 else {
        // A full disk or a closed pipe: serving goes on, and the loss is counted and, once in a while, named.
        complainRarely("access log: \(result.error); lines are lost (\(dropped) so far)")
        return lose(Array(block[start...]))
      }
      start += result.bytes
    }
  }

  /// One block's memory is used again.
  private func keep(_ block: consuming [UInt8]) {
    block.removeAll(keepingCapacity: true)
    state.withLock { $0.spare = block }
  }

  private func lose(_ block: [UInt8]) {
    let lines = block.count { $0 == 10 }
    state.withLock { $0.dropped += lines }
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

/// One worker's end of the logs: gathers lines, and hands them over in blocks.
struct AccessLogWriter: ~Copyable {
  private static let blockSize = 8 * 1024
  /// The longest line.
  private static let lineLimit = 16 * 1024
  /// Lines on standard error per second; the rest is counted.
  private static let warningsPerSecond = 10

  let sink: LogSink
  var isEnabled = false
  /// Lines have a form of the operator's.
  var hasTemplate = false
  /// Lines that wait for the sink; the one being written stands at the end, behind `lineStart`.
  var block = ByteRegion(capacity: AccessLogWriter.blockSize + AccessLogWriter.lineLimit)
  private var lineStart = 0
  private var lines = 0
  /// Lines were handed over that are not due.
  private var isSilent = false
  var clock = LogClock()
  private var flushAt: Int64 = 0
  private var second: Int64 = 0
  private var warnings = 0

  init(sink: LogSink) { self.sink = sink }

  /// From here on, what is appended to `block` is a line.
  mutating func beginLine() { lineStart = block.count }

  /// The line is whole; one that is too long is left out.
  mutating func endLine() {
    guard !block.overflowed, block.count - lineStart <= AccessLogWriter.lineLimit else {
      return block.rewind(to: lineStart)
    }
    lines += 1
    if block.count >= AccessLogWriter.blockSize { handOver(isDue: false) }
  }

  /// Called each turn; whether something is left that wants another turn within 200 ms: lines, or the number of warnings
  /// that were left out.
  @inline(__always) mutating func flush(now: Int64) -> Bool {
    guard holdsLines || leavesOutWarnings else { return false }
    return flushWhatIsDue(now)
  }

  private mutating func flushWhatIsDue(_ now: Int64) -> Bool {
    if leavesOutWarnings, now / 1000 != second { tellOfWarningsLeftOut() }
    if holdsLines, now >= flushAt {
      flushAt = now + 200
      close()
    }
    return holdsLines || leavesOutWarnings
  }

  private var holdsLines: Bool { block.count > 0 || isSilent }

  private mutating func handOver(isDue: Bool) {
    sink.write(block, lines: lines, isDue: isDue)
    block.clear()
    lines = 0
    isSilent = !isDue
  }

  /// Nothing is kept back.
  mutating func close() {
    if block.count > 0 { handOver(isDue: true) } else if isSilent { sink.wake() }
    isSilent = false
  }

  /// A line on standard error, at a bounded rate.
  mutating func warn(_ text: @autoclosure () -> String) {
    let now = Clock.now().nanoseconds / 1_000_000_000
    if now != second {
      if leavesOutWarnings { tellOfWarningsLeftOut() }
      second = now
      warnings = 0
    }
    warnings += 1
    if warnings <= AccessLogWriter.warningsPerSecond { sink.complain(text()) }
  }

  private var leavesOutWarnings: Bool { warnings > AccessLogWriter.warningsPerSecond }

  private mutating func tellOfWarningsLeftOut() {
    sink.complain("\(warnings - AccessLogWriter.warningsPerSecond) more warnings in that second")
    warnings = 0
  }

  mutating func failure(_ listener: String, _ source: Endpoint, _ why: Ending) {
    warn("\(listener): \(source): \(why.text)")
  }

  /// A request that failed by our own or a backend's fault: named even when there is no access log.
  mutating func failure(exchange: Exchange, source: Endpoint, snapshot: Snapshot) {
    guard !isEnabled else { return }
    let pool = exchange.pool != Exchange.none ? snapshot.pools[Int(exchange.pool)] : nil
    let backend = pool.flatMap { pool in pool.index(of: exchange.slot).map { pool.model.backends[$0].name } }
    let listener = snapshot.listeners[Int(exchange.listener)]?.model.name ?? "-"
    warn(
      "\(listener): \(source): \(exchange.status == 0 ? "closed" : "\(exchange.status)") \(exchange.ending.text), pool \(pool?.model.name ?? "-"), backend \(backend ?? "-"), tries \(exchange.tries)"
    )
  }
}
