/// What makes a set of records no zone, or a doubtful one.
struct ZoneChecks {
  private(set) var diagnostics: [ZoneDiagnostic] = []
  private let apex: Name
  private let byOwner: [Name: [PlacedRecord]]
  private let balanced: Set<Name>
  private let end: ZonePlace

  init(apex: Name, records: [PlacedRecord], balanced: Set<Name>, file: String) {
    self.apex = apex
    self.balanced = balanced
    byOwner = Dictionary(grouping: records, by: \.record.name)
    end = ZonePlace(file: file, line: 1, column: 1)
    apexRecords()
    for (owner, placed) in byOwner { check(owner, placed) }
    for owner in balanced where !owner.isWithin(apex) {
      error(end, "the balanced name \(owner) is outside of the zone \(apex)")
    }
    diagnostics.sort {
      ($0.place.file, $0.place.line, $0.place.column, $0.text) < (
        $1.place.file, $1.place.line, $1.place.column, $1.text
      )
    }
  }

  private mutating func error(_ place: ZonePlace, _ text: String) {
    diagnostics.append(ZoneDiagnostic(severity: .error, place: place, text: text))
  }

  private mutating func warning(_ place: ZonePlace, _ text: String) {
    diagnostics.append(ZoneDiagnostic(severity: .warning, place: place, text: text))
  }

  private mutating func apexRecords() {
    let own = byOwner[apex] ?? []
    let authorities = own.filter { $0.record.type == .soa }
    if authorities.isEmpty { error(end, "the zone \(apex) has no SOA record") }
    for extra in authorities.dropFirst() { error(extra.place, "a second SOA record") }
    if !own.contains(where: { $0.record.type == .ns }) {
      error(authorities.first?.place ?? end, "the zone \(apex) has no NS record at its apex")
    }
  }

  private mutating func check(_ owner: Name, _ placed: [PlacedRecord]) {
    let first = placed[0].place
    guard owner.isWithin(apex) else {
      error(first, "\(owner) is outside of the zone \(apex)")
      return
    }
    let types = Set(placed.map(\.record.type))
    func place(_ type: RecordType) -> ZonePlace { placed.first { $0.record.type == type }?.place ?? first }

    if owner != apex, types.contains(.soa) { error(place(.soa), "a SOA record below the apex") }
    for single in [RecordType.cname, .dname, .alias] where types.contains(single) {
      let all = Set(placed.filter { $0.record.type == single }.map(\.record.data))
      if all.count > 1 { error(place(single), "\(owner) has several \(single) records") }
    }
    // RFC 1034 §3.6.2, RFC 2181 §10.1; DNSSEC's records would be the exception.
    if types.contains(.cname), types.count > 1 || balanced.contains(owner) {
      error(place(.cname), "\(owner) has a CNAME record and other data")
    }
    if types.contains(.alias) || balanced.contains(owner) {
      if types.contains(.a) || types.contains(.aaaa) {
        error(
          place(types.contains(.a) ? .a : .aaaa), "\(owner) has addresses, and is answered with others' addresses too")
      }
      if types.contains(.alias), balanced.contains(owner) {
        error(place(.alias), "\(owner) has an ALIAS record and is balanced")
      }
    }
    if owner.isWildcard {
      // RFC 4592 §4.2, §4.4: what these would mean is undefined.
      for type in [RecordType.ns, .dname] where types.contains(type) {
        error(place(type), "a \(type) record at a wildcard")
      }
    }
    ancestors(owner, first)
    if owner != apex, types.contains(.ns) { delegation(owner, placed, types) }
    targets(placed)
    if types.contains(.cname) { loop(owner, place(.cname)) }
    times(placed)
  }

  /// Data below a DNAME is an error (RFC 6672 §2.4); below a delegation only glue makes sense.
  private mutating func ancestors(_ owner: Name, _ place: ZonePlace) {
    var above = owner
    while above != apex, let parent = above.parent {
      above = parent
      guard let records = byOwner[above] else { continue }
      if records.contains(where: { $0.record.type == .dname }) {
        error(place, "\(owner) is below the DNAME of \(above)")
      }
      if above != apex, records.contains(where: { $0.record.type == .ns }),
        byOwner[owner]?.contains(where: { $0.record.type != .a && $0.record.type != .aaaa }) ?? false
      {
        warning(place, "\(owner) is below the delegation of \(above), and never answered")
      }
    }
  }

  private mutating func delegation(_ owner: Name, _ placed: [PlacedRecord], _ types: Set<RecordType>) {
    if types.contains(.dname) || types.contains(.cname) || types.contains(.alias) || balanced.contains(owner) {
      error(placed[0].place, "\(owner) is delegated by NS records and has other data")
    } else if let other = placed.first(where: { ![.ns, .ds, .a, .aaaa].contains($0.record.type) }) {
      warning(other.place, "\(owner) is delegated, its \(other.record.type) record is never answered")
    }
    for server in placed where server.record.type == .ns {
      guard let target = server.record.dataName(at: 0), target.isWithin(owner) else { continue }
      if !(byOwner[target]?.contains { $0.record.type == .a || $0.record.type == .aaaa } ?? false) {
        warning(server.place, "no glue: \(target) has no address, and only \(owner) itself could tell it")
      }
    }
  }

  private mutating func targets(_ placed: [PlacedRecord]) {
    for item in placed {
      let record = item.record
      guard let offset = record.type.additionalName, record.type != .svcb, record.type != .https,
        let target = record.dataName(at: offset), target.isWithin(apex)
      else { continue }
      if byOwner[target]?.contains(where: { $0.record.type == .cname }) ?? false {
        // RFC 2181 §10.3
        warning(item.place, "the \(record.type) target \(target) is an alias (CNAME)")
      }
    }
  }

  /// What answers do not follow to its end.
  private mutating func loop(_ owner: Name, _ place: ZonePlace) {
    var passed: Set<Name> = [owner]
    var last = owner
    while let alias = byOwner[last]?.first(where: { $0.record.type == .cname })?.record.dataName(at: 0) {
      guard passed.insert(alias).inserted else {
        return warning(place, "the CNAME of \(owner) leads into a circle, at \(alias)")
      }
      guard passed.count <= ZoneChecks.longestChain + 1 else {
        return warning(
          place, "more than \(ZoneChecks.longestChain) CNAMEs in a row from \(owner) on: nobody follows them")
      }
      last = alias
    }
  }

  private static let longestChain = Responder.Settings().maximumChain

  private mutating func times(_ placed: [PlacedRecord]) {
    guard placed.count > 1 else { return size(placed, data: placed[0].record.data.count) }
    for (type, group) in Dictionary(grouping: placed, by: \.record.type) {
      if let other = group.first(where: { $0.record.ttl != group[0].record.ttl }) {
        warning(other.place, "the \(type) records have different times to live; the smallest is used")
      }
      var seen: Set<[UInt8]> = []
      var data = 0
      for item in group {
        if seen.insert(item.record.data).inserted {
          data += item.record.data.count
        } else {
          warning(item.place, "the same \(type) record comes twice")
        }
      }
      size(group, data: data + 12 * (seen.count - 1))
    }
  }

  /// - Parameter data: bytes of all records of one type, without the twelve before those of the first.
  private mutating func size(_ group: [PlacedRecord], data: Int) {
    let first = group[0].record
    // Header, question, and each record behind a pointer to its owner.
    let size = 12 + first.name.wire.count + 4 + 12 + data
    guard size > 65_535 else { return }
    warning(
      group[0].place,
      "the \(first.type) records of \(first.name) take \(size) bytes, and a message has 65535: they are never answered")
  }
}
