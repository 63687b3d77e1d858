internal import Admin
internal import Model
internal import Node

/// Rollouts and early warnings as tables of the dashboard; what there is nothing to say of is not shown.
extension Operations {
  func rolloutPanels() async -> [PanelsReport.Panel] {
    let reports = await rolloutDriver.report()
    guard !reports.isEmpty else { return [] }
    return [
      PanelsReport.Panel(
        name: "rollouts", title: "Rollouts",
        columns: ["pool", "what", "phase", "progress", "answers", "errors", "evidence", "why"],
        rows: reports.map(row))
    ]
  }

  func driftPanels() async -> [PanelsReport.Panel] {
    let rows = await node.snapshot().drifting.sorted { ($0.key.pool, $0.key.backend) < ($1.key.pool, $1.key.backend) }
      .map { [$0.key.pool, $0.key.backend, $0.value] }
    guard !rows.isEmpty else { return [] }
    return [
      PanelsReport.Panel(
        name: "drift", title: "Early warnings", columns: ["pool", "backend", "does worse in"], rows: rows)
    ]
  }

  private func row(_ report: RolloutReport) -> [String] {
    let why = report.reason ?? report.waiting ?? ""
    guard let canary = report.canary else {
      let done = report.backends.count { $0.step == "done" }
      return [
        report.pool, "update in place", report.phase, "\(done) of \(report.backends.count) backends", "", "", "", why,
      ]
    }
    let answers = canary.steps.reduce(0) { $0 + $1.canary.answers }
    let errors = canary.tests.first.map { test in
      "\(share(test.canary)) against \(share(test.control))"
    }
    let evidence = canary.tests.map(\.evidence).max() ?? 0
    return [
      report.pool, "canary of \(canary.version)", report.phase, "\(canary.share)% of the clients", "\(answers)",
      errors ?? "", "\(Int(evidence * 100))%", why,
    ]
  }

  private func share(_ side: CanaryReport.Side) -> String {
    guard side.answers > 0 else { return "-" }
    let tenths = Int((Double(side.errors) * 1_000 / Double(side.answers)).rounded())
    return "\(tenths / 10).\(tenths % 10)%"
  }
}
