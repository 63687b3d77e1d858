internal import Admin

/// A canary and its evidence for people.
enum CanaryText {
  static func render(_ report: RolloutReport, _ canary: CanaryReport, colours: Bool, isWhole: Bool) -> String {
    let plan = canary.plan.map { $0 == canary.share ? "[\($0)]" : "\($0)" }.joined(separator: " ")
    var text = "pool \(report.pool.printable)  canary of version \(canary.version.printable)  \(report.phase)"
    text += "  \(canary.share)% of the clients, of \(plan)\n"
    if let reason = report.reason { text += "  \(reason.printable)\n" }
    if let waiting = report.waiting { text += "  waits: \(waiting.printable)\n" }
    switch report.phase {
    case "paused": text += "  go on with `sluice rollout resume` or `next`, take it back with `rollback`\n"
    case "completed":
      text += "  `sluice rollout rollback` takes it back; put `serve: \(canary.version.printable)` into the file\n"
    default: break
    }
    return text + "\n" + steps(canary, isWhole: isWhole).render(colours: colours) + "\n"
      + tests(canary).render(colours: colours)
  }

  private static func steps(_ canary: CanaryReport, isWhole: Bool) -> TextTable {
    var table = TextTable([
      ("STEP", .right), ("FOR", .right), ("VERSION", .left), ("ANSWERS", .right), ("ERRORS", .right), ("P50", .right),
      ("P99", .right),
    ])
    for step in isWhole ? canary.steps[...] : canary.steps.suffix(1) {
      for (name, side) in [(canary.version, step.canary), ("others", step.control)] {
        let isFirst = name == canary.version
        table.add([
          .init(isFirst ? step.share == 0 ? "copies" : "\(step.share)%" : ""),
          .init(isFirst ? "\(Int(step.seconds)) s" : ""), .init(name),
          .init(isFirst ? "\(side.answers) of \(canary.samples)" : "\(side.answers)"), .init(share(side)),
          .init(time(side.p50)), .init(time(side.p99)),
        ])
      }
    }
    return table
  }

  private static func tests(_ canary: CanaryReport) -> TextTable {
    var table = TextTable([
      ("TEST", .left), (canary.version.printable, .right), ("OTHERS", .right), ("EVIDENCE", .right),
    ])
    for test in canary.tests {
      table.add([
        .init(test.name), .init("\(share(test.canary)) of \(test.canary.answers)"),
        .init("\(share(test.control)) of \(test.control.answers)"),
        .init("\(Int(test.evidence * 100))%", test.evidence >= 1 ? .red : nil),
      ])
    }
    return table
  }

  private static func share(_ side: CanaryReport.Side) -> String {
    guard side.answers > 0 else { return "-" }
    let hundredths = Int((Double(side.errors) * 10_000 / Double(side.answers)).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)%"
  }

  private static func time(_ seconds: Double?) -> String {
    guard let seconds else { return "-" }
    let tenths = Int((seconds * 10_000).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
  }
}
