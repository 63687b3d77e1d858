internal import Kernel
internal import Model
internal import Rollouts
internal import Telemetry

/// One backend's update: a program that is run, or a webhook that is called.
struct UpdateCall: Sendable {
  let method: RolloutPlan.Method
  let pool: String
  let backend: String
  let address: String
  let direction: Rollout.Direction
  let limit: Duration

  /// - Returns: why it failed; nil: well.
  func run() async -> String? {
    switch method {
    case .command(let words): await run(words.map(filled))
    case .webhook(let url): await WebCall.post(filled(url), body: json, limit: limit)
    // A person does it, and says so by an order.
    case .manual: nil
    }
  }

  private func filled(_ text: String) -> String {
    text.replacing("{backend}", with: backend).replacing("{address}", with: address).replacing("{pool}", with: pool)
      .replacing("{direction}", with: direction.rawValue)
  }

  private func run(_ command: [String]) async -> String? {
    let child: ChildProcess
    do {
      child = try ChildProcess.spawn(
        command,
        environment: [
          "SLUICE_POOL=\(pool)", "SLUICE_BACKEND=\(backend)", "SLUICE_ADDRESS=\(address)",
          "SLUICE_DIRECTION=\(direction.rawValue)",
        ])
    } catch {
      return "\(command.first ?? "") cannot be started: \(error)"
    }
    defer { Socket.close(child.descriptor) }
    let deadline = Clock.now() + limit
    while true {
      if let ending = child.reap() { return ending == .exit(0) ? nil : "\(ending)" }
      if Clock.now() >= deadline {
        child.killGroup()
        child.waitForEnd(milliseconds: 1_000)
        _ = child.reap()
        return "it did not end within \(limit)"
      }
      // The order to stop comes from the node's end: what runs may finish by itself.
      do { try await Task.sleep(for: .milliseconds(20)) } catch { return "the node stopped" }
    }
  }

  private var json: String {
    let fields = [("pool", pool), ("backend", backend), ("address", address), ("direction", direction.rawValue)]
    return "{" + fields.map { "\(OTLP.quoted($0.0)): \(OTLP.quoted($0.1))" }.joined(separator: ", ") + "}"
  }
}
