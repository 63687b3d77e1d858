internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Octavia
internal import UnixSignals

struct ControllerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "controller", abstract: "Run an OpenStack-compatible control plane of load balancers.",
    subcommands: [
      ControllerRun.self, ControllerExplain.self, ControllerIssue.self, ControllerHosts.self, ControllerFloating.self,
    ], defaultSubcommand: ControllerRun.self)
}

struct ControllerRun: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "run", abstract: "Serve the API that a file describes.")

  @Argument(help: "The controller's settings, in YAML.") var file: String

  func run() async throws {
    try await reportingFailures {
      let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigpipe)
      LoggingSystem.bootstrap(StreamLogHandler.standardError)
      var logger = Logger(label: "sluice")
      logger.logLevel = .warning
      let settings = try OctaviaFiles.read(file) { try Settings(file: file, text: $0) }
      let place = "\(settings.host):\(settings.port)"
      let controller = Controller(settings: settings, binary: OctaviaFiles.binary, logger: logger)
      try await OctaviaFiles.serve(until: signals) {
        try await controller.run { Terminal.printError("sluice: the controller answers at http://\(place)") }
      }
    }
  }
}

/// What both roles need of files, signals and this program.
enum OctaviaFiles {
  /// This program's own file.
  static var binary: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }

  static func read<Value>(_ file: String, _ parse: (String) throws -> Value) throws -> Value {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      throw Failure("\(file) cannot be read", hint: "does it exist?", code: .badConfig)
    }
    do {
      return try parse(text)
    } catch let error as SettingsError {
      throw Failure(error.description, code: .badConfig)
    }
  }

  /// Runs until SIGTERM or SIGINT.
  static func serve(until signals: UnixSignalsSequence, _ body: @escaping @Sendable () async throws -> Void)
    async throws
  {
    do {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          try await body()
          return false
        }
        group.addTask {
          for await signal in signals where signal != .sigpipe { return true }
          return true
        }
        defer { group.cancelAll() }
        _ = try await group.next()
      }
    } catch let failure as Failure {
      throw failure
    } catch is CancellationError {
    } catch {
      throw Failure("\(error)", hint: "is the address free, and may this user do that?")
    }
  }
}
