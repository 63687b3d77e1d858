internal import ArgumentParser
internal import Foundation

/// Why a command did not do what it was told, and what to do next.
struct Failure: Error {
  enum Code: Int32 {
    case failed = 1
    case badConfig = 78
  }

  var message: String
  var hint: String?
  var code = Code.failed

  init(_ message: String, hint: String? = nil, code: Code = .failed) {
    self.message = message
    self.hint = hint
    self.code = code
  }
}

enum Terminal {
  /// Prints a line at once, also into a pipe.
  static func printNow(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data("\(text)\n".utf8))
  }

  static func printError(_ text: String) {
    // A closed standard error is no reason to fail.
    try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
  }

  static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" }

  /// A line in the place of the one before; only where somebody sits.
  static func redraw(_ text: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data("\r\(text)\u{1B}[K".utf8))
  }

  /// Whether standard output shows colours.
  static var hasColours: Bool {
    isInteractive && ProcessInfo.processInfo.environment["NO_COLOR"] == nil
  }
}

extension AsyncParsableCommand {
  /// Runs a command's body: a `Failure` is said on standard error and becomes the exit code.
  func reportingFailures(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch let failure as Failure {
      Terminal.printError("sluice: \(failure.message)")
      if let hint = failure.hint { Terminal.printError("  \(hint)") }
      throw ExitCode(failure.code.rawValue)
    }
  }
}
