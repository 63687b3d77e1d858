internal import Admin

/// `sluice rollout status` for people.
enum RolloutText {
  /// - Parameter isWhole: with all evidence.
  static func render(_ report: RolloutReport, colours: Bool, isWhole: Bool = false) -> String {
    if let canary = report.canary { return CanaryText.render(report, canary, colours: colours, isWhole: isWhole) }
    let done = report.backends.count { $0.step == "done" }
    var text = "pool \(report.pool.printable)  \(report.phase)\(report.direction == "back" ? ", going back" : "")"
    text += "  \(ProgressBar.text(done, of: report.backends.count)) \(done) of \(report.backends.count)\n"
    if let reason = report.reason { text += "  \(reason.printable)\n" }
    if let waiting = report.waiting { text += "  waits: \(waiting.printable)\n" }
    if report.phase == "paused" {
      text += "  go on with `sluice rollout resume`, undo with `rollback`, leave it with `abort`\n"
    }
    var table = TextTable([
      ("BACKEND", .left), ("STEP", .left), ("IN FLIGHT", .right), ("VERSION", .left), ("REASON", .left),
    ])
    for backend in report.backends {
      let colour: TextTable.Colour? =
        switch backend.step {
        case "done": .green
        case "failed": .red
        case "pending": nil
        default: .yellow
        }
      table.add([
        .init(backend.name), .init(backend.step, colour), "\(backend.inFlight)", .init(backend.version ?? "-"),
        .init(backend.reason ?? ""),
      ])
    }
    return text + table.render(colours: colours)
  }
}
