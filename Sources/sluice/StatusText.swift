internal import Admin

/// `sluice status` for people.
enum StatusText {
  static func render(_ report: StatusReport, colours: Bool) -> String {
    var text =
      "sluice \(report.version)  \(report.phase.rawValue)  generation \(report.generation)  up \(duration(report.uptimeSeconds))  \(count(report.workers, "worker"))\n"
    if let loss = report.store?.loss { text += "nothing is kept for a restart: \(loss.printable)\n" }
    if !report.listeners.isEmpty { text += "\n" + listeners(report.listeners).render(colours: colours) }
    for pool in report.pools {
      text += "\npool \(pool.name.printable)  \(pool.policy)\n" + backends(pool).render(colours: colours)
    }
    return text
  }

  private static func listeners(_ listeners: [ListenerReport]) -> TextTable {
    var table = TextTable([
      ("LISTENER", .left), ("PROTOCOL", .left), ("OPEN", .right), ("ACCEPTED", .right), ("REQUESTS", .right),
      ("4XX", .right),
      ("5XX", .right), ("IN", .right), ("OUT", .right), ("ADDRESSES", .left),
    ])
    for listener in listeners {
      table.add([
        .init(listener.name), .init(listener.protocol), "\(listener.connections)", "\(listener.accepted)",
        "\(listener.requests)",
        "\(listener.responses.clientError)",
        .init("\(listener.responses.serverError)", listener.responses.serverError > 0 ? .red : nil),
        .init(bytes(listener.bytesIn)), .init(bytes(listener.bytesOut)), .init(listener.binds.joined(separator: ", ")),
      ])
    }
    return table
  }

  private static func backends(_ pool: PoolReport) -> TextTable {
    var table = TextTable([
      ("BACKEND", .left), ("STATE", .left), ("HEALTH", .left), ("SINCE", .right), ("WEIGHT", .right),
      ("IN FLIGHT", .right),
      ("OPEN", .right), ("REQUESTS", .right), ("RETRIES", .right), ("FAILURES", .right), ("REASON", .left),
    ])
    for backend in pool.backends {
      let weight =
        backend.weight == backend.effectiveWeight
        ? "\(backend.weight)" : "\(backend.effectiveWeight) of \(backend.weight)"
      table.add([
        .init(backend.name), .init(backend.state, backend.state == "ready" ? nil : .yellow),
        .init(backend.verdict, colour(backend.verdict)), .init(duration(backend.sinceSeconds)), .init(weight),
        "\(backend.inFlight)", "\(backend.connections)", "\(backend.requests)", "\(backend.retries)",
        .init("\(backend.failures)", backend.failures > 0 ? .red : nil), .init(backend.reason),
      ])
    }
    return table
  }

  static func colour(_ verdict: String) -> TextTable.Colour? {
    switch verdict {
    case "up": .green
    case "warming", "ejected": .yellow
    case "down": .red
    default: nil
    }
  }

  /// The two largest units: "3d4h", "1h02m", "2m05s", "7s".
  static func duration(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e12))
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    if whole >= 86_400 { return "\(whole / 86_400)d\(whole / 3_600 % 24)h" }
    if whole >= 3_600 { return "\(whole / 3_600)h\(two(whole / 60 % 60))m" }
    if whole >= 60 { return "\(whole / 60)m\(two(whole % 60))s" }
    return "\(whole)s"
  }

  /// Three digits and a binary unit: "0", "512", "1.5K", "20M".
  static func bytes(_ number: UInt64) -> String {
    var value = Double(number)
    var units = ["", "K", "M", "G", "T", "P"][...]
    while value >= 1_000, units.count > 1 {
      value /= 1_024
      units = units.dropFirst()
    }
    let unit = units.first ?? ""
    if unit.isEmpty { return "\(number)" }
    return value < 9.95 ? "\((value * 10).rounded() / 10)\(unit)" : "\(Int(value.rounded()))\(unit)"
  }

  static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}
