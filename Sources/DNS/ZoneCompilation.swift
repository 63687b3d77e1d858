package import Model

extension Zone {
  /// From what the configuration has read; the zone that rides along is taken as it is.
  package static func compile(_ source: ZoneSource) throws(ZoneErrors) -> Zone {
    if let ready = source.compiled?.value as? Zone { return ready }
    return try reading(source).zone
  }

  /// From the texts of a zone, with every remark on them.
  package static func reading(
    _ source: ZoneSource
  ) throws(ZoneErrors) -> (zone: Zone, warnings: [ZoneDiagnostic]) {
    guard let apex = Name(source.name), let first = source.texts.first else {
      throw ZoneErrors(diagnostics: [
        ZoneDiagnostic(
          severity: .error, place: ZonePlace(file: source.file, line: 1, column: 1),
          text: "\(source.name) is no domain name")
      ])
    }
    var balanced: [Name: String] = [:]
    for (owner, set) in source.balanced { if let name = Name(owner) { balanced[name] = set } }
    let parsed = ZoneFile(first.bytes, file: first.path, origin: apex) { path in
      source.texts.first { $0.path == path }?.bytes
    }
    guard !parsed.hasErrors else { throw ZoneErrors(diagnostics: parsed.diagnostics) }
    return try build(apex: apex, records: parsed.records, balanced: balanced, file: first.path)
  }
}
