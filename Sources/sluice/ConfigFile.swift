internal import Config
internal import Foundation
internal import Model

/// A configuration and where it came from.
struct ConfigFile: Sendable {
  enum Source: Sendable {
    case path(String)
    /// The demo's, which is part of the binary.
    case embedded(@Sendable () throws(Failure) -> Topology)
  }

  /// Bytes; far above what a configuration can use, far below what hurts.
  static let limit = 64 << 20

  let source: Source

  /// - Throws: `Failure` with exit code 78, every fault named by its place.
  ///
  /// - Parameter inForce: what is served now; its certificates stay where their files are broken.
  func load(inForce: Topology? = nil) throws(Failure) -> Topology {
    switch source {
    case .embedded(let topology): return try topology()
    case .path(let path): return try load(try ConfigFile.read(path), path, inForce: inForce)
    }
  }

  /// What was applied to the process before this one.
  func load(_ applied: AppliedText) throws(Failure) -> Topology {
    try load(Array(applied.text.utf8), applied.name, inForce: nil)
  }

  private func load(_ bytes: [UInt8], _ path: String, inForce: Topology?) throws(Failure) -> Topology {
    do {
      let loaded = try Config.load(
        bytes, file: path, baseDirectory: ConfigFile.directory(of: path), checks: Materials.checks(inForce: inForce))
      for warning in loaded.warnings {
        Terminal.printError(warning.text(source: String(decoding: bytes, as: UTF8.self)))
      }
      return loaded.topology
    } catch {
      throw ConfigFile.failure(error, path, String(decoding: bytes, as: UTF8.self))
    }
  }

  static func read(_ path: String) throws(Failure) -> [UInt8] {
    guard !path.isEmpty else { throw Failure("the file's name is empty", hint: "name a file", code: .badConfig) }
    do {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      let data = try file.read(upToCount: limit + 1) ?? Data()
      guard data.count <= limit else { throw Failure("\(path) is larger than \(limit) bytes", code: .badConfig) }
      return Array(data)
    } catch let failure as Failure {
      throw failure
    } catch {
      let (words, hint) = ConfigFile.reason(error)
      throw Failure("\(path) cannot be read: \(words)", hint: hint, code: .badConfig)
    }
  }

  static func failure(_ error: ConfigError, _ path: String, _ source: String) -> Failure {
    let errors = error.diagnostics.count { $0.severity == .error }
    var text = error.diagnostics.map { $0.text(source: source) }.joined()
    while text.last?.isNewline == true { text.removeLast() }
    return Failure(
      "\(path) is not valid: \(StatusText.count(errors, "error"))\n\(text)",
      hint: "mend the file; `sluice check \(path)` shows this again", code: .badConfig)
  }

  static func directory(of path: String) -> String {
    path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/").nonEmpty
      ?? (path.hasPrefix("/") ? "/" : ".")
  }

  /// Why a file cannot be read, and what to do about it.
  private static func reason(_ error: any Error) -> (words: String, hint: String?) {
    let error = error as NSError
    let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
    guard cause.domain == NSPOSIXErrorDomain else { return (cause.localizedDescription, nil) }
    switch POSIXErrorCode(rawValue: Int32(cause.code)) {
    case .ENOENT: return ("no such file", "is the name right?")
    case .EACCES: return ("permission denied", "use sudo, or give this user the right to read it")
    case .EISDIR: return ("it is a directory", "name a file in it")
    default: return (cause.localizedDescription, nil)
    }
  }
}

extension String {
  fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
