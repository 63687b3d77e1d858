/// What makes a set of records no zone, or a doubtful one.
struct ZoneChecks: ~Copyable {
  /// More of either kind tell nobody more.
  static let mostErrors = 50
  static let mostWarnings = 200

  private var diagnostics: [ZoneDiagnostic] = []
  private var warnings = 0
  private var departures: [ZoneDeparture] = []
  private let builder: ZoneBuilder
  private let zone: Zone
  private let records: ZoneRecords
  private let balanced: Set<Name>
  private let end: ZonePlace
  private var lookup = LookupName()

  static func all(
    _ builder: ZoneBuilder, _ records: ZoneRecords, balanced: Set<Name>, file: String
  ) -> (diagnostics: [ZoneDiagnostic], departures: [ZoneDeparture]) {
    var checks = ZoneChecks(builder, records, balanced, file)
    checks.all()
    checks.diagnostics.sort {
      ($0.place.file, $0.place.line, $0.place.column, $0.text) < (
        $1.place.file, $1.place.line, $1.place.column, $1.text
      )
    }
    return (checks.diagnostics, checks.departures)
  }

  private init(_ builder: ZoneBuilder, _ records: ZoneRecords, _ balanced: Set<Name>, _ file: String) {
    self.builder = builder
    self.records = records
    self.balanced = balanced
    zone = builder.zone
    end = ZonePlace(file: file, line: 1, column: 1)
  }

  private var apex: Name { zone.apex }

  private mutating func all() {
    guard !builder.isFull else { return error(end, "the zone \(apex) has more than 2 GiB of names") }
    apexRecords()
    for index in builder.outside where diagnostics.count < ZoneChecks.mostErrors {
      error(records.place(of: index), "\(records.name(of: index)) is outside of the zone \(apex)")
    }
    for owner in balanced.sorted() where !owner.isWithin(apex) {
      error(end, "the balanced name \(owner) is outside of the zone \(apex)")
    }
    // The last node of each number of labels, and the DNAME at or above it.
    var path = [Int](repeating: -1, count: 129)
    var renamed = [Int](repeating: -1, count: 129)
    var own: [Int] = []
    for index in zone.nodes.indices {
      let labels = Int(zone.nodes[index].labels)
      let isApex = labels == zone.apexLabels
      let parent = isApex ? -1 : path[labels - 1]
      let dname = isApex ? -1 : renamed[labels - 1]
      path[labels] = index
      renamed[labels] = zone.nodes[index].hasDNAME ? index : dname
      builder.records(of: index, in: records, into: &own)
      if !own.isEmpty { check(index, own, parent: parent, dname: dname) }
      if diagnostics.count - warnings >= ZoneChecks.mostErrors { return }
    }
  }

  private mutating func error(_ place: ZonePlace, _ text: String) {
    diagnostics.append(ZoneDiagnostic(severity: .error, place: place, text: text))
  }

  private mutating func warning(_ place: ZonePlace, _ text: String) {
    guard warnings < ZoneChecks.mostWarnings else { return }
    warnings += 1
    diagnostics.append(ZoneDiagnostic(severity: .warning, place: place, text: text))
  }

  private func type(_ index: Int) -> RecordType { records.entries[index].type }
  private func place(_ index: Int) -> ZonePlace { records.place(of: index) }

  /// The node that a record's data names at an offset; -1 when the zone has none.
  private mutating func target(_ index: Int, at offset: Int) -> Int {
    let (bytes, start) = (records.bytes, Int(records.entries[index].data))
    guard lookup.load(bytes.span, at: start + offset) != nil else { return -1 }
    return zone.find(lookup, 0)
  }

  private func hasAddress(_ node: Int) -> Bool {
    node >= 0 && (zone.set(.a, at: node) >= 0 || zone.set(.aaaa, at: node) >= 0)
  }

  private mutating func apexRecords() {
    var own: [Int] = []
    if !zone.nodes.isEmpty { builder.records(of: 0, in: records, into: &own) }
    let authorities = own.filter { type($0) == .soa }
    if authorities.isEmpty { error(end, "the zone \(apex) has no SOA record") }
    for extra in authorities.dropFirst() { error(place(extra), "a second SOA record") }
    if !own.contains(where: { type($0) == .ns }) {
      error(authorities.first.map { place($0) } ?? end, "the zone \(apex) has no NS record at its apex")
    }
  }

  private mutating func check(_ node: Int, _ own: [Int], parent: Int, dname: Int) {
    ancestors(node, own, parent: parent, dname: dname)
    // PERF: what nearly all names of a large zone have, and nothing can be wrong with but its size.
    if own.count == 1, [.a, .aaaa, .txt].contains(type(own[0])), zone.nodes[node].dynamic < 0 {
      return size(own, data: Int(records.entries[own[0]].dataLength))
    }
    let owner = zone.name(of: node)
    let isApex = parent < 0
    let types = Set(own.map { type($0) })
    func first(_ wanted: RecordType) -> ZonePlace { place(own.first { type($0) == wanted } ?? own[0]) }

    if !isApex, types.contains(.soa) { error(first(.soa), "a SOA record below the apex") }
    for single in [RecordType.cname, .dname, .alias] where types.contains(single) {
      let all = Set(own.filter { type($0) == single }.map { Array(records.data(of: $0)) })
      if all.count > 1 { error(first(single), "\(owner) has several \(single) records") }
    }
    // RFC 1034 §3.6.2, RFC 2181 §10.1; DNSSEC's records would be the exception.
    if types.contains(.cname), types.count > 1 || balanced.contains(owner) {
      error(first(.cname), "\(owner) has a CNAME record and other data")
    }
    if types.contains(.alias) || balanced.contains(owner) {
      if types.contains(.a) || types.contains(.aaaa) {
        error(
          first(types.contains(.a) ? .a : .aaaa), "\(owner) has addresses, and is answered with others' addresses too")
      }
      if types.contains(.alias), balanced.contains(owner) {
        error(first(.alias), "\(owner) has an ALIAS record and is balanced")
      }
    }
    if owner.isWildcard {
      // RFC 4592 §4.2, §4.4: what these would mean is undefined.
      for type in [RecordType.ns, .dname] where types.contains(type) {
        error(first(type), "a \(type) record at a wildcard")
      }
    }
    if !isApex, types.contains(.ns) { delegation(owner, own, types) }
    targets(own)
    if types.contains(.cname) { follow(node, owner, first(.cname)) }
    times(own)
  }

  /// Data below a DNAME is an error (RFC 6672 §2.4); below a delegation only glue makes sense.
  private mutating func ancestors(_ node: Int, _ own: [Int], parent: Int, dname: Int) {
    if dname >= 0 {
      error(place(own[0]), "\(zone.name(of: node)) is below the DNAME of \(zone.name(of: dname))")
    }
    guard parent >= 0, zone.nodes[parent].cut >= 0 else { return }
    if own.contains(where: { type($0) != .a && type($0) != .aaaa }) {
      let above = zone.name(of: Int(zone.nodes[parent].cut))
      warning(place(own[0]), "\(zone.name(of: node)) is below the delegation of \(above), and never answered")
    }
  }

  private mutating func delegation(_ owner: Name, _ own: [Int], _ types: Set<RecordType>) {
    if types.contains(.dname) || types.contains(.cname) || types.contains(.alias) || balanced.contains(owner) {
      error(place(own[0]), "\(owner) is delegated by NS records and has other data")
    } else if let other = own.first(where: { ![.ns, .ds, .a, .aaaa].contains(type($0)) }) {
      warning(place(other), "\(owner) is delegated, its \(type(other)) record is never answered")
    }
    for server in own where type(server) == .ns {
      guard let name = records[server].record.dataName(at: 0), name.isWithin(owner) else { continue }
      if !hasAddress(target(server, at: 0)) {
        warning(place(server), "no glue: \(name) has no address, and only \(owner) itself could tell it")
      }
    }
  }

  private mutating func targets(_ own: [Int]) {
    for index in own {
      let type = records.entries[index].type
      guard let offset = type.additionalName, type != .svcb, type != .https else { continue }
      let node = target(index, at: offset)
      // RFC 2181 §10.3
      if node >= 0, zone.nodes[node].hasAlias {
        warning(place(index), "the \(type) target \(zone.name(of: node)) is an alias (CNAME)")
      }
    }
  }

  /// Chains of CNAMEs: what answers do not follow to its end, and what leads into another zone.
  private mutating func follow(_ node: Int, _ owner: Name, _ place: ZonePlace) {
    var passed: Set<Int> = [node]
    var node = node
    let pool = zone.pool
    while true {
      let set = zone.set(.cname, at: node)
      let start = set < 0 ? 0 : Int(zone.sets[set].start) + 10
      guard set >= 0, lookup.load(pool.span, at: start) != nil else { return }
      let next = zone.find(lookup, 0)
      guard next < 0 || passed.insert(next).inserted else {
        return warning(place, "the CNAME of \(owner) leads into a circle, at \(zone.name(of: next))")
      }
      guard passed.count + (next < 0 ? 1 : 0) <= ZoneChecks.longestChain + 1 else {
        return warning(
          place, "more than \(ZoneChecks.longestChain) CNAMEs in a row from \(owner) on: nobody follows them")
      }
      guard next >= 0 else {
        if passed.count == 1, !zone.holds(lookup) { departures.append(ZoneDeparture(node: node, place: place)) }
        return
      }
      node = next
    }
  }

  private static let longestChain = Responder.Settings().maximumChain

  private mutating func times(_ own: [Int]) {
    guard own.count > 1 else { return size(own, data: Int(records.entries[own[0]].dataLength)) }
    for (type, group) in Dictionary(grouping: own, by: { self.type($0) }) {
      let ttl = records.entries[group[0]].ttl
      if let other = group.first(where: { records.entries[$0].ttl != ttl }) {
        warning(place(other), "the \(type) records have different times to live; the smallest is used")
      }
      var seen: Set<[UInt8]> = []
      var data = 0
      for index in group {
        if seen.insert(Array(records.data(of: index))).inserted {
          data += Int(records.entries[index].dataLength)
        } else {
          warning(place(index), "the same \(type) record comes twice")
        }
      }
      size(group, data: data + 12 * (seen.count - 1))
    }
  }

  /// - Parameter data: bytes of all records of one type, without the twelve before those of the first.
  private mutating func size(_ group: [Int], data: Int) {
    // Header, question, and each record behind a pointer to its owner.
    guard data > 65_535 - 12 - Name.maximumLength - 4 - 12 else { return }
    let first = records[group[0]].record
    let size = 12 + first.name.wire.count + 4 + 12 + data
    guard size > 65_535 else { return }
    warning(
      place(group[0]),
      "the \(first.type) records of \(first.name) take \(size) bytes, and a message has 65535: they are never answered")
  }
}
