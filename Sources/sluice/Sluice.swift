// sluice: the command line.
//
// Role: reads arguments, wires the drivers to a Node (`run`, `demo`), and speaks to
// a running one through its admin API (all other commands). Boundary: no decision
// about traffic is taken here. Absent on purpose: any way into a running node other
// than the API.

internal import ArgumentParser
internal import Kernel
internal import TLS

@main struct Sluice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract: "A load balancer.",
    discussion: "Try it: `sluice demo`. Then write a file, `sluice check` it, `sluice run` it.",
    version: Version.text,
    subcommands: [
      RunCommand.self, CheckCommand.self, DemoCommand.self,
      StatusCommand.self, TopCommand.self, EventsCommand.self, ExplainCommand.self,
      DrainCommand.self, ReadyCommand.self, MaintenanceCommand.self, WeightCommand.self, RolloutCommand.self,
      ReloadCommand.self, DiffCommand.self, ApplyCommand.self, ConfirmCommand.self, RevertCommand.self,
      UpgradeCommand.self,
      PeersCommand.self, NameCommand.self, BGPCommand.self, VIPCommand.self, FloatingCommand.self,
      ControllerCommand.self, AmphoraCommand.self, VersionCommand.self,
    ])
}

extension Sluice {
  /// On the main thread before there is any other: what is dropped here, no thread has.
  @MainActor static func main() async {
    Library.open()
    _ = Startup.current
    if CommandLine.arguments.dropFirst().first == "run" { Privileges.dropOthers() }
    if let unknown = UnknownCommand.message(Array(CommandLine.arguments.dropFirst())) {
      exit(withError: ValidationError(unknown))
    }
    await main(nil)
  }
}

enum Version {
  static let text = "0.1.0"
}

struct VersionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "version", abstract: "Print the version.")

  func run() { print("sluice \(Version.text)") }
}
