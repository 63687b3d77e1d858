import Model

/// What one load collects: diagnostics, and the names that are checked when all is read.
final class Reader {
  /// A pool named by a route.
  struct PoolUse {
    let pool: String
    let place: Place
    let transport: Listener.Transport
    let listener: String
  }

  let file: String
  let baseDirectory: String
  let secretFile: (String) throws(SecretFileError) -> String
  let checks: MaterialChecks
  private(set) var diagnostics: [Diagnostic] = []
  /// Beyond these a file is simply not a configuration.
  static let maxDiagnostics = 200
  private var dropped = 0

  var poolUses: [PoolUse] = []
  /// Pools that the name service answers with.
  var namedPools: [(pool: String, place: Place)] = []
  /// VIPs that pools of floating addresses name.
  var floatingVIPs: [(vip: String, place: Place)] = []
  /// Affinities, and the sites that they name: by listener.
  var affinities: [(listener: String, place: Place, sites: [(name: String, place: Place)])] = []
  var boundAddresses: [(address: SocketAddress, isUDP: Bool, place: Place)] = []

  init(
    file: String, baseDirectory: String, secretFile: @escaping (String) throws(SecretFileError) -> String,
    checks: MaterialChecks = .none
  ) {
    self.file = file
    self.baseDirectory = baseDirectory
    self.secretFile = secretFile
    self.checks = checks
  }

  func error(_ place: Place, _ message: String, notes: [Diagnostic.Note] = []) {
    add(Diagnostic(file: file, place: place, severity: .error, message: message, notes: notes))
  }

  func warning(_ place: Place, _ message: String, notes: [Diagnostic.Note] = []) {
    add(Diagnostic(file: file, place: place, severity: .warning, message: message, notes: notes))
  }

  /// Of another file, in its place.
  func elsewhere(_ file: String, _ place: Place, _ severity: Diagnostic.Severity, _ message: String) {
    add(Diagnostic(file: file, place: place, severity: severity, message: message, isElsewhere: true))
  }

  var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  private func add(_ diagnostic: Diagnostic) {
    guard diagnostics.count < Reader.maxDiagnostics else {
      // A file that fails must fail, however many warnings came first.
      if diagnostic.severity == .error, dropped == 0 { diagnostics.append(diagnostic) }
      if diagnostic.severity == .error { dropped += 1 }
      return
    }
    diagnostics.append(diagnostic)
  }

  /// In the file's order; of equals the one found first.
  var sorted: [Diagnostic] {
    diagnostics.enumerated().sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }.map(\.element)
  }

  /// A path of the file: relative ones start at the file's directory.
  func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(baseDirectory)/\(path)" }
}
