import Kernel
import Model
import Reactor

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
  var places = LogPlaces()
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
