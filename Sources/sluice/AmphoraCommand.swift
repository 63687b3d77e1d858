internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Octavia
internal import UnixSignals

struct AmphoraCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "amphora", abstract: "Run the agent inside an amphora, which its controller commands.")

  @Argument(help: "The agent's settings, in YAML; with --host, the host's, which sluice controller issue writes.")
  var file: String
  @Flag(help: "Lend this host to one amphora after the other.") var host = false

  func run() async throws {
    try await reportingFailures {
      let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigpipe)
      LoggingSystem.bootstrap(StreamLogHandler.standardError)
      var logger = Logger(label: "amphora")
      logger.logLevel = .warning
      if host {
        let settings = try OctaviaFiles.read(file) { try HostSettings(file: file, text: $0) }
        let agent = HostAgent(settings: settings, binary: OctaviaFiles.binary, logger: logger)
        return try await OctaviaFiles.serve(until: signals) {
          try await agent.run { Terminal.printError("amphora: host \(settings.name) answers") }
        }
      }
      let settings = try OctaviaFiles.read(file) { try AmphoraSettings(file: file, text: $0) }
      let agent = Agent(settings: settings, binary: OctaviaFiles.binary, logger: logger)
      try await OctaviaFiles.serve(until: signals) {
        try await agent.run { Terminal.printError("amphora: the agent answers") }
      }
    }
  }
}
