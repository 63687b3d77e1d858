internal import Foundation
internal import Kernel
internal import Model
internal import Node

/// What others know this process by: the service manager, and a file with its number.
struct Presence: Sendable {
  let pidFile: String?
  private let manager = Startup.current.manager

  init(pidFile: String?) { self.pidFile = pidFile }

  private var number: String { "\(ProcessInfo.processInfo.processIdentifier)" }

  func say(_ words: String) { manager.say(words) }

  func begin() {
    manager.say("READY=1\nMAINPID=\(number)\nSTATUS=serving")
    guard let pidFile else { return }
    do {
      // In one step, so that nobody reads half a number; over the one of the process before.
      try Data("\(number)\n".utf8).write(to: URL(fileURLWithPath: pidFile), options: .atomic)
    } catch {
      Terminal.printError("sluice: \(pidFile) cannot be written: \(error.localizedDescription)")
    }
  }

  func end() {
    guard let pidFile, let text = try? String(contentsOfFile: pidFile, encoding: .utf8),
      text.split(whereSeparator: \.isWhitespace).first.map(String.init) == number
    else { return }
    try? FileManager.default.removeItem(atPath: pidFile)
  }

  /// Tells the watchdog that the node and every worker still turn, until the task is cancelled. A process that is stuck
  /// says nothing, and is ended.
  func keepAlive(_ node: Node, _ estate: Estate) async {
    guard let interval = manager.watchdog, interval > 0 else { return }
    while !Task.isCancelled {
      _ = await node.phase
      let limit = Int32(clamping: max(1, interval / 4_000))
      if (try? await Blocking.run("sluice-watch", { estate.isResponsive(within: limit) })) == true {
        manager.say("WATCHDOG=1")
      }
      do { try await Task.sleep(for: .microseconds(interval / 3)) } catch { return }
    }
  }
}
