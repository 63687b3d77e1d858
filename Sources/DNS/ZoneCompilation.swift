package import Model

extension Zone {
  /// From what the configuration has read; the zone that rides along is taken as it is.
  package static func compile(_ source: ZoneSource) throws(ZoneErrors) -> Zone {
    if let ready = source.compiled?.value as? Zone { return ready }
    var source = source
    return try read(&source).zone
  }

  /// Reads the texts of a zone, with every remark on them. Afterwards the source has the zone, and of its texts no more than
  /// tells them from others: of a large zone they would be most of what a process keeps.
  ///
  /// - Parameter load: the bytes of a file that is included (its path as written), and joins the texts.
  package static func read(
    _ source: inout ZoneSource, load: (String) -> [UInt8]? = { _ in nil }
  ) throws(ZoneErrors) -> ZoneReading {
    guard let apex = Name(source.name), let first = source.texts.first else {
      throw ZoneErrors(diagnostics: [
        ZoneDiagnostic(
          severity: .error, place: ZonePlace(file: source.file, line: 1, column: 1),
          text: "\(source.name) is no domain name")
      ])
    }
    var balanced: [Name: String] = [:]
    for (owner, set) in source.balanced { if let name = Name(owner) { balanced[name] = set } }
    var texts = source.texts
    source.texts = []
    let parsed = ZoneFile(first.bytes, file: first.path, origin: apex) { path in
      if let known = texts.first(where: { $0.path == path }) { return known.bytes }
      guard let bytes = load(path) else { return nil }
      texts.append(ZoneText(path: path, bytes: bytes))
      return bytes
    }
    guard !parsed.hasErrors else { throw ZoneErrors(diagnostics: parsed.diagnostics) }
    for index in texts.indices { texts[index].forget(digest: digest(texts[index].bytes)) }
    source.texts = texts
    let reading = try build(apex: apex, records: parsed.records, balanced: balanced, file: first.path)
    source.compiled = Precompiled(reading.zone)
    return reading
  }

  /// Tells texts apart within this process.
  private static func digest(_ bytes: [UInt8]) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes.count)
    var index = 0
    while index + 8 <= bytes.count {
      hasher.combine(Octets.load(bytes.span, at: index))
      index += 8
    }
    while index < bytes.count {
      hasher.combine(bytes[index])
      index += 1
    }
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }
}
