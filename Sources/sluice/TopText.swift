internal import Admin

/// Two statuses as rates: a picture of `sluice top`.
enum TopText {
  enum Order: String, CaseIterable { case rate, load, errors, name }

  static func render(_ now: StatusReport, since last: StatusReport, seconds: Double, sort: Order) -> String {
    // A node that was restarted in between counts from zero again.
    let seconds = seconds > 0 ? seconds : 1
    let before = Dictionary(last.listeners.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var text = "sluice \(now.version)  \(now.phase.rawValue)  generation \(now.generation)"
    text += "  up \(StatusText.duration(now.uptimeSeconds))\n\n"
    var table = TextTable([
      ("LISTENER", .left), ("OPEN", .right), ("CONN/S", .right), ("REQ/S", .right), ("4XX/S", .right),
      ("5XX/S", .right),
      ("P50", .right), ("P99", .right), ("IN/S", .right), ("OUT/S", .right),
    ])
    for listener in now.listeners {
      let old = before[listener.name]
      func rate(_ path: (ListenerReport) -> UInt64) -> Double { perSecond(path(listener), old.map(path), seconds) }
      let times = listener.requestTimes.since(old?.requestTimes)
      table.add([
        .init(listener.name), "\(listener.connections)", .init(number(rate(\.accepted))),
        .init(number(rate(\.requests))),
        .init(number(rate(\.responses.clientError))), errors(rate(\.responses.serverError)),
        .init(time(times.quantile(0.5))), .init(time(times.quantile(0.99))),
        .init(StatusText.bytes(UInt64(rate(\.bytesIn)))), .init(StatusText.bytes(UInt64(rate(\.bytesOut)))),
      ])
    }
    text += table.render(colours: Terminal.hasColours)
    let pools = Dictionary(last.pools.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for pool in now.pools { text += "\n" + render(pool, since: pools[pool.name], seconds, sort) }
    return text
  }

  /// Its beginning, and how much is missing, where it has more lines than are shown.
  static func fit(_ text: String, lines: Int) -> String {
    var all = text.split(separator: "\n", omittingEmptySubsequences: false)
    if all.last == "" { all.removeLast() }
    guard all.count > lines, lines > 1 else { return all.joined(separator: "\n") }
    let kept = lines - 1
    return all.prefix(kept).joined(separator: "\n") + "\n… \(all.count - kept) more lines"
  }

  private static func render(_ pool: PoolReport, since last: PoolReport?, _ seconds: Double, _ sort: Order) -> String {
    let times = pool.responseTimes.since(last?.responseTimes)
    var text = "pool \(pool.name.printable)  \(pool.policy)"
    text += "  p50 \(time(times.quantile(0.5)))  p99 \(time(times.quantile(0.99)))\n"
    var table = TextTable([
      ("BACKEND", .left), ("STATE", .left), ("HEALTH", .left), ("WEIGHT", .right), ("IN FLIGHT", .right),
      ("REQ/S", .right), ("RETRY/S", .right), ("FAIL/S", .right), ("5XX/S", .right), ("REASON", .left),
    ])
    let before = Dictionary((last?.backends ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    func rate(_ backend: BackendReport, _ path: (BackendReport) -> UInt64) -> Double {
      perSecond(path(backend), before[backend.name].map(path), seconds)
    }
    for backend in sorted(pool.backends, sort, rate: { rate($0, \.requests) }, errors: { rate($0, \.failures) }) {
      table.add([
        .init(backend.name), .init(backend.state, backend.state == "ready" ? nil : .yellow),
        .init(backend.verdict, StatusText.colour(backend.verdict)), "\(backend.effectiveWeight)", "\(backend.inFlight)",
        .init(number(rate(backend, \.requests))), .init(number(rate(backend, \.retries))),
        errors(rate(backend, \.failures)), errors(rate(backend, \.responses.serverError)), .init(backend.reason),
      ])
    }
    return text + table.render(colours: Terminal.hasColours)
  }

  private static func sorted(
    _ backends: [BackendReport], _ order: Order, rate: (BackendReport) -> Double, errors: (BackendReport) -> Double
  ) -> [BackendReport] {
    switch order {
    case .name: backends.sorted { $0.name < $1.name }
    case .rate: backends.sorted { (-rate($0), $0.name) < (-rate($1), $1.name) }
    case .load: backends.sorted { ($1.inFlight, $0.name) < ($0.inFlight, $1.name) }
    case .errors: backends.sorted { (-errors($0), $0.name) < (-errors($1), $1.name) }
    }
  }

  private static func perSecond(_ now: UInt64, _ last: UInt64?, _ seconds: Double) -> Double {
    let last = last ?? 0
    return Double(now >= last ? now - last : now) / seconds
  }

  private static func errors(_ rate: Double) -> TextTable.Cell { .init(number(rate), rate > 0 ? .red : nil) }

  static func number(_ value: Double) -> String {
    value == 0 ? "0" : value < 9.95 ? "\((value * 10).rounded() / 10)" : "\(Int(value.rounded()))"
  }

  /// Three digits and a unit: "85µs", "1.2ms", "3.4s".
  static func time(_ seconds: Double?) -> String {
    guard let seconds else { return "-" }
    if seconds < 0.000_999_5 { return "\(Int((seconds * 1e6).rounded()))µs" }
    if seconds < 0.999_5 { return "\(number(seconds * 1e3))ms" }
    return "\(number(seconds))s"
  }
}
