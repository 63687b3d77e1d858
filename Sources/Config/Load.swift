package import Model

/// A file that is right.
package struct LoadedConfig: Sendable {
  package let topology: Topology
  package let warnings: [Diagnostic]
}

/// A file that is not: at least one error, and the warnings too, in the file's order.
package struct ConfigError: Error, Hashable, Sendable {
  package let diagnostics: [Diagnostic]
}

package enum Config {
  /// The whole file or nothing: all errors are collected.
  ///
  /// - Parameters:
  ///   - file: the name that diagnostics show.
  ///   - baseDirectory: what relative paths in the file start from.
  ///   - secretFile: reads `{ file: … }`; at most 64 KiB.
  ///   - checks: judges certificates, keys and lists.
  package static func load(
    _ bytes: [UInt8], file: String, baseDirectory: String,
    secretFile: @escaping (String) throws(SecretFileError) -> String = SecretFile.read,
    checks: MaterialChecks = .none
  ) throws(ConfigError) -> LoadedConfig {
    let reader = Reader(file: file, baseDirectory: baseDirectory, secretFile: secretFile, checks: checks)
    var topology = Topology()
    if let root = Document.read(bytes, reader) { topology = reader.topology(root) }
    if reader.hasErrors { throw ConfigError(diagnostics: reader.sorted) }
    return LoadedConfig(topology: topology, warnings: reader.sorted)
  }

  package static func load(
    _ text: String, file: String, baseDirectory: String, checks: MaterialChecks = .none
  ) throws(ConfigError) -> LoadedConfig {
    try load(Array(text.utf8), file: file, baseDirectory: baseDirectory, checks: checks)
  }

  /// Every section with its keys, for the documentation's test and for completion.
  package static var sections: [(name: String, keys: [String])] { Section.all.map { ($0.name, $0.keys) } }
}
