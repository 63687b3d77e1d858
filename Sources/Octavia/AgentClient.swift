internal import Foundation
internal import OctaviaModel

/// One amphora's agent, asked over mutual TLS.
struct AgentClient: Sendable {
  let http: HTTPClient
  let base: String
  let deadline: Duration
  /// For the connection alone.
  var patience = Duration.seconds(10)

  func call(
    _ method: String, _ path: String, _ body: [UInt8] = [], deadline: Duration? = nil, patience: Duration? = nil
  ) async throws -> HTTPAnswer {
    var call = HTTPCall(method: method, url: "\(base)/1.0/\(path)", body: body, deadline: deadline ?? self.deadline)
    call.patience = patience ?? self.patience
    return try await http.send(call)
  }

  @discardableResult func must(
    _ method: String, _ path: String, _ body: [UInt8] = [], allowing: Set<Int> = [], deadline: Duration? = nil
  ) async throws -> HTTPAnswer {
    let answer = try await call(method, path, body, deadline: deadline)
    guard (200..<300).contains(answer.status) || allowing.contains(answer.status) else {
      let document = try? JSON(parsing: answer.body)
      let text = [document?["message"].string, document?["details"].string].compactMap(\.self).joined(separator: ": ")
      throw StepFailure("agent: \(method) \(path): \(answer.status) \(text)", passing: answer.status >= 500)
    }
    return answer
  }

  func json(_ method: String, _ path: String, _ document: JSON, allowing: Set<Int> = []) async throws {
    try await must(method, path, Array(document.text.utf8), allowing: allowing)
  }

  /// A port that a cloud has just attached appears on the machine a moment later.
  func plug(_ path: String, _ document: JSON) async throws {
    let end = ContinuousClock.now + .seconds(15)
    while true {
      let answer = try await must("POST", "plug/\(path)", Array(document.text.utf8), allowing: [404, 409])
      if answer.status != 404 { return }
      if ContinuousClock.now > end {
        throw StepFailure("agent: plug/\(path): \((try? JSON(parsing: answer.body))?["message"].string ?? "404")")
      }
      try await Task.sleep(for: .milliseconds(300))
    }
  }

  /// Waits until the agent answers.
  func wait(_ patience: Duration) async throws {
    let end = ContinuousClock.now + patience
    while true {
      do {
        if try await call("GET", "info", deadline: .seconds(5), patience: .milliseconds(300)).status == 200 { return }
        throw StepFailure("it has no information of itself")
      } catch {
        if ContinuousClock.now > end { throw StepFailure("the agent does not answer: \(error)") }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }
}
