internal import Admin
internal import Foundation
internal import Model

/// `sluice drain --wait`: looks at a backend until nothing of it is under way. On a terminal a bar, else a line for each
/// change.
struct DrainWait {
  static let interval = Duration.milliseconds(500)

  let node: NodeConnection
  let backend: BackendArgument
  /// What was under way at first, or more when persistent clients brought it.
  private var most = 0
  private var last = -1

  init(_ node: NodeConnection, _ backend: BackendArgument) {
    self.node = node
    self.backend = backend
  }

  /// - Throws: when somebody has taken the drain back, or the time is over; it stays drained then.
  mutating func run(within limit: Seconds, isSilent: Bool) async throws {
    let end = ContinuousClock.now + limit.duration
    defer { if !isSilent, Terminal.isInteractive, most > 0 { Terminal.printNow("") } }
    while true {
      let inFlight = try await look()
      if !isSilent { show(inFlight) }
      if inFlight == 0 { return }
      guard ContinuousClock.now < end else {
        throw Failure(
          "\(backend.pool)/\(backend.backend) still has \(inFlight) in flight after \(limit) s",
          hint:
            "it stays drained; `sluice maintenance` takes its persistent clients elsewhere, `sluice ready` takes it back"
        )
      }
      try await Task.sleep(for: .milliseconds(DrainWait.interval.milliseconds))
    }
  }

  private func look() async throws -> Int {
    let (status, _) = try await node.get("/v1/status", as: StatusReport.self)
    guard
      let found = status.pools.first(where: { $0.name == backend.pool })?.backends
        .first(where: { $0.name == backend.backend })
    else { throw Failure("\(backend.pool)/\(backend.backend) is configured no more") }
    guard found.state != "ready" else { throw Failure("\(backend.pool)/\(backend.backend) is ready again") }
    return Int(clamping: found.inFlight)
  }

  private mutating func show(_ inFlight: Int) {
    most = max(most, inFlight)
    guard inFlight != last, most > 0 else { return }
    last = inFlight
    let text =
      "\(ProgressBar.text(most - inFlight, of: most)) \(most - inFlight) of \(most) done, \(inFlight) in flight"
    if Terminal.isInteractive { Terminal.redraw(text) } else { Terminal.printNow(text) }
  }
}
