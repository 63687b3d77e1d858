internal import Admin

/// Explanations for people.
enum ExplainText {
  static func render(_ report: ExplainReport, colours: Bool) -> String {
    var text = "listener \(report.listener.printable), path \(report.path.printable)\n\n"
    var rules = TextTable([("RULE", .right), ("NAME", .left), ("LEADS TO", .left), ("", .left)])
    for rule in report.rules {
      rules.add([
        "\(rule.number)", .init(rule.name ?? "-"), .init(rule.action),
        rule.mismatch.map { .init("\($0) does not match", .grey) } ?? .init("matches", .green),
      ])
    }
    if !rules.isEmpty { text += rules.render(colours: colours) }
    if let problem = report.problem { text += "\nanswer: \(problem.printable)\n" }
    if let site = report.site { text += "\nsite: \(site.printable)\n" }
    for pick in report.picks { text += "\n" + render(pick, report, colours) }
    return text
  }

  static func render(_ samples: [SamplesReport.Sample], colours: Bool) -> String {
    samples.map { sample in
      var text = "\(sample.time)  \(sample.method.printable) \(sample.host.printable)\(sample.path.printable)"
      text += "  from \(sample.client)\n  trace \(sample.trace)"
      if let id = sample.requestID { text += ", request \(id.printable)" }
      let tries = sample.tries == 1 ? "1 try" : "\(sample.tries) tries"
      text += "\n  status \(sample.status), \(Int(sample.seconds * 1e6)) µs, \(tries), reason \(sample.reason)\n"
      return text + (sample.explanation.map { render($0, colours: colours) } ?? "")
    }.joined(separator: "\n")
  }

  static func list(_ report: SamplesReport, colours: Bool) -> String {
    var table = TextTable([
      ("TIME", .left), ("TRACE", .left), ("STATUS", .right), ("µS", .right), ("BACKEND", .left), ("REQUEST", .left),
    ])
    for one in report.samples {
      table.add([
        .init(one.time), .init(one.trace), "\(one.status)", "\(Int(one.seconds * 1e6))", .init(one.backend ?? "-"),
        .init("\(one.method) \(one.host)\(one.path)"),
      ])
    }
    return table.isEmpty ? "no request was sampled\n" : table.render(colours: colours)
  }

  private static func render(_ pick: ExplainReport.Pick, _ report: ExplainReport, _ colours: Bool) -> String {
    var facts = ["pool \((report.pool ?? "?").printable)", pick.policy]
    if let version = pick.version { facts.append("version \(version.printable)") }
    if let persistent = pick.persistent { facts.append("the client belongs to \(persistent.printable)") }
    if let hash = pick.hash { facts.append("hash \(hash)") }
    var text = facts.joined(separator: ", ") + "\n"
    text += "worker \(report.worker), generation \(report.generation), seed \(pick.seed)\n"
    var table = TextTable([
      ("", .left), ("BACKEND", .left), ("VERSION", .left), ("VERDICT", .left), ("STATE", .left), ("WEIGHT", .right),
      ("LOAD", .right), ("LIMIT", .right), ("OF 1000", .right), ("WHY", .left),
    ])
    for one in pick.candidates {
      table.add([
        .init(one.isChosen ? ">" : ""), .init(one.backend, one.isChosen ? .green : nil), .init(one.version ?? "-"),
        .init(one.verdict), .init(one.state), .init("\(Int(one.effectiveWeight.rounded())) of \(one.weight)"),
        "\(one.load)", .init(one.limit.map { "\($0)" } ?? "-"), "\(one.drawn)", .init(one.why),
      ])
    }
    text += table.render(colours: colours)
    if pick.chosen == nil { text += "nobody can be chosen now\n" }
    if !pick.isReproduced { text += "the recorded inputs do not lead to the recorded choice\n" }
    return text
  }
}
