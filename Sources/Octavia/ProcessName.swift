internal import Foundation
internal import Glibc
internal import OctaviaModel

/// A process as others on this host can find it again: number, start and host, since numbers are used again.
enum ProcessName {
  static let own = name(Int32(getpid())) ?? "\(getpid())"

  private static func name(_ id: Int32) -> String? {
    start(id).map { "\(id).\($0)@\(ProcessInfo.processInfo.hostName)" }
  }

  private static func start(_ id: Int32) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8),
      let rest = text.split(separator: ")").last
    else { return nil }
    let fields = rest.split(separator: " ")
    // A zombie does nothing any more.
    guard fields.count > 19, fields[0] != "Z" else { return nil }
    return String(fields[19])
  }

  /// Whether the process was one of this host and has ended.
  static func isDead(_ name: String) -> Bool {
    let parts = name.split(separator: "@")
    guard parts.count == 2, parts[1] == ProcessInfo.processInfo.hostName,
      let id = parts[0].split(separator: ".").first.flatMap({ Int32($0) })
    else { return false }
    return self.name(id) != name
  }
}

/// Kills this process at a step of a flow, where a test asks for it: SLUICE_CONTROLLER_FAULT=create/boot/after.
enum Fault {
  private static let wanted = ProcessInfo.processInfo.environment["SLUICE_CONTROLLER_FAULT"]

  static func name(_ order: Flow.Order) -> String {
    switch order {
    case .perform(let step): step.verb.rawValue
    case .undo(let step): "undo-\(step.verb.rawValue)"
    case .finish(.done): "done"
    case .finish(.failed): "failed"
    }
  }

  static func strike(_ moment: String, _ name: String) {
    if let wanted, wanted == "\(name)/\(moment)" { kill(getpid(), SIGKILL) }
  }
}
