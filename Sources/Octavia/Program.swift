internal import Foundation
internal import Kernel
internal import NIOConcurrencyHelpers

/// For what waits for others: a thread that no task needs.
func offPool(_ body: @escaping @Sendable () -> Void) async {
  await withCheckedContinuation { continuation in
    DispatchQueue.global().async {
      body()
      continuation.resume()
    }
  }
}

/// Programs that run to their end.
enum Program {
  struct Result: Sendable {
    var isGood: Bool
    var output: String
  }

  /// Runs a program and waits; its output is kept, both streams in one.
  static func run(_ command: [String], input: String? = nil) async -> Result {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: runAndWait(command, input: input)) }
    }
  }

  /// - Throws: `StepFailure` with what the program said.
  @discardableResult static func must(_ command: [String], input: String? = nil) async throws -> String {
    let result = await run(command, input: input)
    guard result.isGood else {
      throw StepFailure(
        "\(command.joined(separator: " ")): \(result.output.trimmingCharacters(in: .whitespacesAndNewlines))")
    }
    return result.output
  }

  static func runAndWait(_ command: [String], input: String?) -> Result {
    let place = NSTemporaryDirectory() + "/sluice-\(UUID().uuidString)"
    defer {
      try? FileManager.default.removeItem(atPath: place)
      try? FileManager.default.removeItem(atPath: "\(place).in")
    }
    if let input { try? input.write(toFile: "\(place).in", atomically: false, encoding: .utf8) }
    let script = "exec \"$@\" >\"$OUT\" 2>&1 <\"$IN\""
    guard
      let child = try? ChildProcess.spawn(
        ["/bin/sh", "-c", script, "sh"] + command,
        environment: ["OUT=\(place)", "IN=\(input == nil ? "/dev/null" : "\(place).in")"])
    else { return Result(isGood: false, output: "cannot start \(command[0])") }
    child.waitForEnd(milliseconds: 60_000)
    var ending = child.reap()
    if ending == nil {
      child.killGroup()
      child.waitForEnd(milliseconds: 5_000)
      ending = child.reap()
    }
    close(child.descriptor)
    let output = (try? String(contentsOfFile: place, encoding: .utf8)) ?? ""
    return Result(isGood: ending == .exit(0), output: output)
  }
}

/// A program that shall run: when it ends by itself it is started again.
final class Daemon: Sendable {
  private struct State {
    var child: ChildProcess?
    var wanted = false
    var generation = 0
    var starts = 0
  }

  let command: [String]
  let log: String
  private let state = NIOLockedValueBox(State())
  /// Called on a thread of its own whenever the program has ended by itself, before it is started again.
  let ended: @Sendable () -> Void
  /// Called after each start.
  let started: @Sendable () -> Void

  init(
    _ command: [String], log: String, started: @escaping @Sendable () -> Void = {},
    ended: @escaping @Sendable () -> Void = {}
  ) {
    self.command = command
    self.log = log
    self.started = started
    self.ended = ended
  }

  var isRunning: Bool { state.withLockedValue { $0.child != nil } }

  func start() {
    let generation: Int? = state.withLockedValue { state in
      if state.wanted { return nil }
      state.wanted = true
      state.generation += 1
      return state.generation
    }
    guard let generation else { return }
    let spawned = DispatchSemaphore(value: 0)
    Thread.detachNewThread { self.keep(generation, spawned) }
    // The first start is over when this returns.
    _ = spawned.wait(timeout: .now() + 5)
  }

  private func keep(_ generation: Int, _ spawned: DispatchSemaphore) {
    var first = true
    while true {
      let child: ChildProcess? = state.withLockedValue { state in
        guard state.wanted, state.generation == generation else { return nil }
        state.child = try? ChildProcess.spawn(
          ["/bin/sh", "-c", "exec \"$@\" >>\"$LOG\" 2>&1", "sh"] + command, environment: ["LOG=\(log)"])
        state.starts += 1
        return state.child
      }
      if first {
        spawned.signal()
        first = false
      }
      if let child {
        started()
        child.waitForEnd(milliseconds: -1)
        state.withLockedValue { state in
          // What it started must not outlive it; until it is reaped the group's number is its own.
          child.killGroup()
          _ = child.reap()
          if state.generation == generation { state.child = nil }
        }
        close(child.descriptor)
      }
      let isWanted = state.withLockedValue { $0.wanted && $0.generation == generation }
      if !isWanted { return }
      ended()
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  func signal(_ number: Int32) {
    state.withLockedValue { state in
      if let child = state.child { kill(child.id, number) }
    }
  }

  /// Ends it: asked first, then killed.
  func stop(patience: Double = 3) {
    let child: ChildProcess? = state.withLockedValue { state in
      state.wanted = false
      state.generation += 1
      if let child = state.child { kill(child.id, SIGTERM) }
      return state.child
    }
    guard let child else { return }
    let deadline = Date().addingTimeInterval(patience)
    while Date() < deadline, kill(child.id, 0) == 0 { Thread.sleep(forTimeInterval: 0.005) }
    kill(-child.id, SIGKILL)
    state.withLockedValue { state in
      if state.child?.id == child.id { state.child = nil }
    }
  }
}
