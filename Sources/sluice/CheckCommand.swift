internal import Admin
internal import ArgumentParser
internal import Config
internal import Foundation
internal import Model
internal import Wire

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say whether a file is valid, and what it would change on the running node.")

  @Argument(help: "The configuration, in YAML.") var file: String
  @OptionGroup var socket: SocketOption
  @Flag(help: "Print the result as JSON.") var json = false

  struct Result: Encodable {
    struct Fault: Encodable {
      var file: String
      var line: Int
      var column: Int
      var severity: String
      var message: String
    }
    var valid: Bool
    var diagnostics: [Fault]
    /// What would change on the running node; absent when none answers.
    var changes: [String]?
  }

  func run() async throws {
    try await reportingFailures {
      do {
        try await check()
      } catch var failure as Failure {
        failure.code = .failed
        throw failure
      }
    }
  }

  private func check() async throws {
    let bytes = try read()
    let source = String(decoding: bytes, as: UTF8.self)
    let loaded: LoadedConfig
    do {
      loaded = try Config.load(
        bytes, file: file, baseDirectory: ConfigFile.directory(of: file), checks: Materials.checks())
    } catch {
      guard json else {
        var failure = ConfigFile.failure(error, file, source)
        failure.hint = nil
        throw failure
      }
      show(Result(valid: false, diagnostics: error.diagnostics.map(Result.Fault.init)))
      throw ExitCode(1)
    }
    let changes = try await changes(bytes)
    if json {
      return show(Result(valid: true, diagnostics: loaded.warnings.map(Result.Fault.init), changes: changes))
    }
    for warning in loaded.warnings { Terminal.printError(warning.text(source: source)) }
    let topology = loaded.topology
    let pools = topology.pools.filter { !$0.isWatch }
    let backends = pools.map(\.backends.count).reduce(0, +)
    var parts = [
      StatusText.count(topology.listeners.count, "listener"), StatusText.count(pools.count, "pool"),
      StatusText.count(backends, "backend"),
    ]
    if let names = topology.names {
      parts.append(StatusText.count(names.zones.count, "zone"))
      if !names.names.isEmpty { parts.append(StatusText.count(names.names.count, "balanced name")) }
      if !names.sites.isEmpty { parts.append(StatusText.count(names.sites.count, "site")) }
    }
    print("\(file) is valid: \(parts.joined(separator: ", "))")
    guard let changes else { return }
    print(changes.isEmpty ? "The running node would change nothing." : "On the running node:")
    for change in changes { print("  \(change)") }
  }

  /// A file that cannot be read is a fault like any other to whoever reads JSON.
  private func read() throws -> [UInt8] {
    do throws(Failure) {
      return try ConfigFile.read(file)
    } catch {
      if json {
        let fault = Result.Fault(file: file, line: 1, column: 1, severity: "error", message: error.message)
        show(Result(valid: false, diagnostics: [fault]))
      }
      throw error
    }
  }

  /// nil when no node answers, which is a failure only if one was named.
  private func changes(_ bytes: [UInt8]) async throws -> [String]? {
    // Relative paths in the file start from its directory, wherever the node was started.
    let name = URL(fileURLWithPath: file).path
    let client = AdminClient(socket: socket.path)
    if socket.socket == nil, !(await client.isAnswered()) { return nil }
    let path = "/v1/check?name=\(PathSegment.encode(name))"
    return try await NodeConnection(client: client).post(path, body: bytes, as: ChangeReport.self).0.changes
  }

  private func show(_ result: Result) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if let data = try? encoder.encode(result) { print(String(decoding: data, as: UTF8.self)) }
  }
}

extension CheckCommand.Result.Fault {
  init(_ diagnostic: Diagnostic) {
    self.init(
      file: diagnostic.file, line: diagnostic.place.line, column: diagnostic.place.column,
      severity: diagnostic.severity.rawValue, message: diagnostic.message)
  }
}
