internal import Foundation
internal import Kernel

/// What whoever started this process has said to it: read once, before there are other threads.
struct Startup: Sendable {
  /// In the environment of a process that takes over from another.
  static let handoverVariable = "SLUICE_HANDOVER"
  static let current = Startup()

  let manager: ServiceManager
  /// The end of a channel to the process before this one.
  let channel: DescriptorChannel?
  /// The binary, where it was when this process started: the next version will be there.
  let program: String

  private init() {
    manager = ServiceManager.found()
    channel = Environment.take(Startup.handoverVariable).flatMap { Int32($0) }.flatMap {
      DescriptorChannel(inherited: $0)
    }
    program = Startup.locate(CommandLine.arguments.first ?? "sluice")
  }

  /// A name with a slash is what was meant, links in it too; one without was found in PATH.
  private static func locate(_ name: String) -> String {
    if name.hasPrefix("/") { return name }
    if name.contains("/") { return FileManager.default.currentDirectoryPath + "/" + name }
    return (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? name
  }
}
