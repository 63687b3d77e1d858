/// A zone, or why there is none.
package struct ZoneErrors: Error, Sendable {
  package let diagnostics: [ZoneDiagnostic]
}

extension Zone {
  /// - Parameters:
  ///   - balanced: owners that are answered from a balanced set, with the set's name.
  ///   - file: what a diagnostic names that has no better place.
  /// - Returns: the zone and what is doubtful about it.
  package static func build(
    apex: Name, records: [PlacedRecord], balanced: [Name: String] = [:], file: String = "zone"
  ) throws(ZoneErrors) -> (zone: Zone, warnings: [ZoneDiagnostic]) {
    let checks = ZoneChecks(apex: apex, records: records, balanced: Set(balanced.keys), file: file)
    guard !checks.diagnostics.contains(where: { $0.severity == .error }),
      let zone = ZoneBuilder(apex: apex, records: records.map(\.record), balanced: balanced).build()
    else { throw ZoneErrors(diagnostics: checks.diagnostics) }
    return (zone, checks.diagnostics)
  }

  /// From records that were checked before.
  static func rebuilt(apex: Name, records: [Record], balanced: [Name: String]) -> Zone? {
    ZoneBuilder(apex: apex, records: records, balanced: balanced).build()
  }

  /// From the text of a zone file; its errors and the zone's together.
  package static func parse(
    _ text: String, apex: Name, file: String = "zone", balanced: [Name: String] = [:],
    load: (String) -> [UInt8]? = { _ in nil }
  ) throws(ZoneErrors) -> (zone: Zone, warnings: [ZoneDiagnostic]) {
    let parsed = ZoneFile(Array(text.utf8), file: file, origin: apex, load: load)
    guard !parsed.hasErrors else { throw ZoneErrors(diagnostics: parsed.diagnostics) }
    return try build(apex: apex, records: parsed.records, balanced: balanced, file: file)
  }
}

/// Lays checked records out in the flat tables of `Zone`.
private struct ZoneBuilder {
  private let apex: Name
  private let owners: [Name: [Record]]
  private let balanced: [Name: String]

  private var nodes: [Zone.Node] = []
  private var sets: [Zone.RecordSet] = []
  private var pool: [UInt8] = []
  private var names: [UInt8] = []
  private var keys: [UInt8] = []
  private var dynamicOwners: [Zone.DynamicOwner] = []

  init(apex: Name, records: [Record], balanced: [Name: String]) {
    self.apex = apex
    self.balanced = balanced
    var owners = Dictionary(grouping: records, by: \.name)
    for owner in balanced.keys where owners[owner] == nil { owners[owner] = [] }
    // Empty non-terminals exist (RFC 4592 §2.2.2).
    for owner in Array(owners.keys) {
      var above = owner
      while above != apex, let parent = above.parent, owners[parent] == nil {
        owners[parent] = []
        above = parent
      }
    }
    self.owners = owners
  }

  consuming func build() -> Zone? {
    let sorted = owners.map { (key: $0.key.canonicalKey, owner: $0.key, records: $0.value) }
      .sorted { Octets.precedes($0.key.span, $1.key.span) }
    var lookup = LookupName()
    for (_, owner, records) in sorted {
      guard lookup.load(owner.wire.span, at: 0) != nil else { return nil }
      append(owner, records, lookup)
    }
    relate(sorted.map(\.owner))
    guard lookup.load(apex.wire.span, at: 0) != nil,
      let authority = sets.first(where: { $0.type == .soa }),
      let numbers = StartOfAuthority(Array(pool[(Int(authority.start) + 10)..<Int(authority.end)]))
    else { return nil }
    var zone = Zone(
      apex: apex, serial: numbers.serial, negativeTTL: min(authority.ttl, numbers.minimum),
      dynamicOwners: dynamicOwners, apexHash: lookup.hashes[0], apexLabels: lookup.labels, nodes: nodes, sets: sets,
      pool: pool, names: names, keys: keys, slots: hashTable(nodes.map(\.hash)), authority: authority)
    zone.prepare()
    return zone
  }

  private mutating func append(_ owner: Name, _ records: [Record], _ lookup: borrowing LookupName) {
    var node = Zone.Node(
      hash: lookup.hashes[0], nameStart: UInt32(names.count), setStart: UInt32(sets.count), setCount: 0,
      nameLength: UInt8(owner.wire.count), labels: UInt8(lookup.labels))
    names += owner.wire
    keys += owner.wire.map(lowercased)
    if let set = balanced[owner] {
      node.dynamic = Int32(dynamicOwners.count)
      dynamicOwners.append(.init(name: owner, kind: .balanced(set)))
    }
    for (type, group) in ZoneBuilder.sets(records) {
      let ttl = group.map(\.ttl).min() ?? 0
      if type == .alias {
        if let target = group[0].dataName(at: 0) {
          node.dynamic = Int32(dynamicOwners.count)
          dynamicOwners.append(.init(name: owner, kind: .alias(target, ttl: ttl)))
        }
        continue
      }
      append(type, ttl, group)
      node.setCount += 1
      if type == .dname { node.hasDNAME = true }
      if type == .cname { node.hasAlias = true }
    }
    nodes.append(node)
  }

  /// By type, in order. Most names of a large zone have one record.
  private static func sets(_ records: [Record]) -> [(type: RecordType, group: [Record])] {
    if records.count == 1 { return [(records[0].type, records)] }
    return Dictionary(grouping: records, by: \.type).sorted { $0.key.rawValue < $1.key.rawValue }
      .map { (type: $0.key, group: $0.value) }
  }

  private mutating func append(_ type: RecordType, _ ttl: UInt32, _ group: [Record]) {
    let start = pool.count
    var seen: Set<[UInt8]> = []
    var count = 0
    for record in group where group.count == 1 || seen.insert(record.data).inserted {
      count += 1
      pool += [UInt8(type.rawValue >> 8), UInt8(truncatingIfNeeded: type.rawValue), 0, 1]
      for shift in [24, 16, 8, 0] as [UInt32] { pool.append(UInt8(truncatingIfNeeded: ttl >> shift)) }
      pool += [UInt8(record.data.count >> 8), UInt8(truncatingIfNeeded: record.data.count)]
      pool += record.data
    }
    sets.append(
      Zone.RecordSet(
        type: type, count: UInt16(clamping: count), ttl: ttl, start: UInt32(start), end: UInt32(pool.count)))
  }

  /// Wildcards and delegations; in canonical order a parent stands before its children.
  private mutating func relate(_ owners: [Name]) {
    // The last node of each number of labels, of which a node's parent is the one with a label less.
    var path = [Int](repeating: -1, count: 129)
    for (index, owner) in owners.enumerated() {
      let labels = Int(nodes[index].labels)
      path[labels] = index
      guard owner != apex, labels > 0, path[labels - 1] >= 0 else { continue }
      let above = path[labels - 1]
      if owner.isWildcard { nodes[above].wildcard = Int32(index) }
      let node = nodes[index]
      let isCut = sets[Int(node.setStart)..<(Int(node.setStart) + Int(node.setCount))].contains { $0.type == .ns }
      nodes[index].cut = nodes[above].cut >= 0 ? nodes[above].cut : isCut ? Int32(index) : -1
    }
  }
}

/// Slots for open addressing: at most half full, a power of two.
func hashTable(_ hashes: [UInt64]) -> [UInt64] {
  var capacity = 8
  while capacity < hashes.count * 2 { capacity *= 2 }
  var slots = [UInt64](repeating: 0, count: capacity)
  for (index, hash) in hashes.enumerated() {
    var slot = Int(truncatingIfNeeded: hash) & (capacity - 1)
    while slots[slot] != 0 { slot = (slot + 1) & (capacity - 1) }
    slots[slot] = hash & 0xffff_ffff_0000_0000 | UInt64(index + 1)
  }
  return slots
}
