/// A zone, or why there is none.
package struct ZoneErrors: Error, Sendable {
  package let diagnostics: [ZoneDiagnostic]
}

/// What reading a zone brings.
package struct ZoneReading: Sendable {
  package let zone: Zone
  package let warnings: [ZoneDiagnostic]
  /// CNAMEs that lead out of the zone.
  package let departures: [ZoneDeparture]
}

/// A CNAME that leads out of its zone, and where it was written.
package struct ZoneDeparture: Sendable {
  let node: Int
  package let place: ZonePlace
}

extension Zone {
  /// - Parameters:
  ///   - balanced: owners that are answered from a balanced set, with the set's name.
  ///   - file: what a diagnostic names that has no better place.
  package static func build(
    apex: Name, records: ZoneRecords, balanced: [Name: String] = [:], file: String = "zone"
  ) throws(ZoneErrors) -> ZoneReading {
    var builder = ZoneBuilder(apex: apex, balanced: balanced)
    builder.build(records)
    let (diagnostics, departures) = ZoneChecks.all(builder, records, balanced: Set(balanced.keys), file: file)
    guard !diagnostics.contains(where: { $0.severity == .error }), builder.finish() else {
      throw ZoneErrors(diagnostics: diagnostics)
    }
    var zone = builder.zone
    builder.zone = Zone(apex: apex)
    zone.prepare()
    return ZoneReading(zone: zone, warnings: diagnostics, departures: departures)
  }

  /// From the text of a zone file; its errors and the zone's together.
  package static func parse(
    _ text: String, apex: Name, file: String = "zone", balanced: [Name: String] = [:],
    load: (String) -> [UInt8]? = { _ in nil }
  ) throws(ZoneErrors) -> (zone: Zone, warnings: [ZoneDiagnostic]) {
    let parsed = ZoneFile(Array(text.utf8), file: file, origin: apex, load: load)
    guard !parsed.hasErrors else { throw ZoneErrors(diagnostics: parsed.diagnostics) }
    let reading = try build(apex: apex, records: parsed.records, balanced: balanced, file: file)
    return (reading.zone, reading.warnings)
  }
}

/// Lays records out in the flat tables of `Zone`.
struct ZoneBuilder {
  /// A record, or (behind all of them) a balanced owner, as it is sorted.
  private struct Item: BitwiseCopyable {
    /// The first bytes of the key, by which most are told apart.
    var prefix: UInt64
    /// In `sortKeys`: two bytes with its length, and the key.
    var key: UInt32
    var index: UInt32
  }

  var zone: Zone
  /// Records whose owners are not within the apex.
  private(set) var outside: [Int] = []
  /// There is no room for more names, of which deep ones make many: nothing is right behind this.
  private(set) var isFull = false
  private let balanced: [Name: String]
  /// The balanced owners in a fixed order.
  private let extras: [Name]
  private var items: [Item] = []
  private var sortKeys: [UInt8] = []
  /// The records of the node that is laid out.
  private var group: [Int] = []
  /// Where each node's records begin in `items`, and behind the last one where they end.
  private var starts: [UInt32] = []
  /// The last node of each number of labels, of which a node's parent is the one with a label less.
  private var path = [Int32](repeating: -1, count: 129)
  /// The apex in lower case.
  private let apex: [UInt8]

  init(apex: Name, balanced: [Name: String]) {
    zone = Zone(apex: apex)
    self.balanced = balanced
    extras = balanced.keys.sorted()
    self.apex = apex.lowercased.wire
    var lookup = LookupName()
    _ = lookup.load(apex.wire.span, at: 0)
    zone.apexHash = lookup.hashes[0]
    zone.apexLabels = lookup.labels
  }

  /// The records of a node, in the order of the file, into an array that has room already.
  func records(of node: Int, in all: ZoneRecords, into result: inout [Int]) {
    result.removeAll(keepingCapacity: true)
    for item in items[Int(starts[node])..<Int(starts[node + 1])] where Int(item.index) < all.count {
      result.append(Int(item.index))
    }
  }

  mutating func build(_ records: ZoneRecords) {
    sort(records)
    lay(records)
    zone.slots = hashTable(zone.nodes.map(\.hash))
    sortKeys = []
  }

  /// What there must be exactly one of; false without it.
  mutating func finish() -> Bool {
    guard let authority = zone.sets.first(where: { $0.type == .soa }),
      let numbers = StartOfAuthority(Array(zone.pool[(Int(authority.start) + 10)..<Int(authority.end)]))
    else { return false }
    zone.serial = numbers.serial
    zone.negativeTTL = min(authority.ttl, numbers.minimum)
    zone.authority = authority
    return true
  }

  // MARK: Order

  private mutating func sort(_ records: ZoneRecords) {
    items.reserveCapacity(records.count + extras.count)
    sortKeys.reserveCapacity(records.count * 16)
    var last: (name: UInt32, item: Item)?
    for index in 0..<records.count {
      let name = records.entries[index].name
      if var same = last, same.name == name {
        same.item.index = UInt32(index)
        items.append(same.item)
      } else if let item = item(records.bytes.span, Int(name), UInt32(index)) {
        last = (name, item)
        items.append(item)
      } else {
        outside.append(index)
      }
    }
    for (number, owner) in extras.enumerated() {
      if let item = item(owner.wire.span, 0, UInt32(records.count + number)) { items.append(item) }
    }
    let keys = sortKeys
    items.sort { left, right in
      if left.prefix != right.prefix { return left.prefix < right.prefix }
      if ZoneBuilder.precedes(keys, left, right) { return true }
      return left.index < right.index && !ZoneBuilder.precedes(keys, right, left)
    }
  }

  private static func precedes(_ keys: [UInt8], _ left: Item, _ right: Item) -> Bool {
    guard left.key != right.key else { return false }
    func range(_ item: Item) -> Range<Int> {
      let start = Int(item.key)
      return start + 2..<start + 2 + (Int(keys[start]) << 8 | Int(keys[start + 1]))
    }
    return Octets.precedes(keys.span.extracting(range(left)), keys.span.extracting(range(right)))
  }

  /// Of two that stand next to each other.
  private func isSameOwner(_ left: Item, _ right: Item) -> Bool {
    left.prefix == right.prefix && !ZoneBuilder.precedes(sortKeys, left, right)
      && !ZoneBuilder.precedes(sortKeys, right, left)
  }

  /// nil: the name is not within the apex. The key is the canonical one (`Name.canonicalKey`) without the apex's labels.
  private mutating func item(_ bytes: Span<UInt8>, _ start: Int, _ index: UInt32) -> Item? {
    var labels = 0
    var position = start
    var offsets = [128 of UInt8](repeating: 0)
    while bytes[position] != 0 {
      offsets[labels] = UInt8(truncatingIfNeeded: position - start)
      labels += 1
      position += Int(bytes[position]) + 1
    }
    let own = labels - zone.apexLabels
    let length = position + 1 - start
    let offset = own == labels ? length - 1 : own >= 0 ? Int(offsets[own]) : 0
    guard own >= 0, length - offset == apex.count else { return nil }
    for index in 0..<apex.count where lowercased(bytes[start + offset + index]) != apex[index] { return nil }
    let key = sortKeys.count
    sortKeys += [0, 0]
    var label = own - 1
    while label >= 0 {
      let first = start + Int(offsets[label])
      for place in first + 1...first + Int(bytes[first]) {
        let byte = lowercased(bytes[place])
        // The terminator is the lowest byte, so the bytes 0 and 1 of a label are escaped upwards.
        if byte < 2 { sortKeys.append(1) }
        sortKeys.append(byte < 2 ? byte + 1 : byte)
      }
      sortKeys.append(0)
      label -= 1
    }
    let count = sortKeys.count - key - 2
    sortKeys[key] = UInt8(count >> 8)
    sortKeys[key + 1] = UInt8(count & 255)
    var prefix: UInt64 = 0
    for place in 0..<8 { prefix = prefix << 8 | UInt64(place < count ? sortKeys[key + 2 + place] : 0) }
    return Item(prefix: prefix, key: UInt32(key), index: index)
  }

  // MARK: Tables

  private mutating func lay(_ records: ZoneRecords) {
    zone.nodes.reserveCapacity(items.count)
    zone.sets.reserveCapacity(items.count)
    starts.reserveCapacity(items.count + 1)
    zone.pool.reserveCapacity(records.entries.reduce(0) { $0 + 10 + Int($1.dataLength) })
    var lookup = LookupName()
    var start = 0
    while start < items.count, !isFull {
      var end = start + 1
      while end < items.count, isSameOwner(items[end], items[start]) { end += 1 }
      let index = Int(items[start].index)
      if index < records.count {
        add(records.bytes, Int(records.entries[index].name), &lookup, start, end, records)
      } else {
        add(extras[index - records.count].wire, 0, &lookup, start, end, records)
      }
      start = end
    }
    starts.append(UInt32(items.count))
  }

  private mutating func add(
    _ bytes: [UInt8], _ position: Int, _ lookup: inout LookupName, _ start: Int, _ end: Int,
    _ records: ZoneRecords
  ) {
    guard lookup.load(bytes.span, at: position) != nil else { return }
    // Empty non-terminals exist (RFC 4592 §2.2.2).
    if lookup.labels > zone.apexLabels, !isThere(lookup, lookup.labels - 1) {
      for labels in zone.apexLabels..<lookup.labels where !isThere(lookup, labels) {
        node(bytes, position, lookup, labels, start)
      }
    }
    node(bytes, position, lookup, lookup.labels, start)
    guard !isFull else { return }
    let index = zone.nodes.count - 1
    group.removeAll(keepingCapacity: true)
    for item in items[start..<end] {
      guard Int(item.index) < records.count else {
        let owner = extras[Int(item.index) - records.count]
        dynamic(index, owner, .balanced(balanced[owner] ?? ""))
        continue
      }
      group.append(Int(item.index))
    }
    fill(index, records)
    relate(index)
  }

  private func isThere(_ lookup: borrowing LookupName, _ labels: Int) -> Bool {
    let index = Int(path[labels])
    guard index >= 0 else { return false }
    let node = zone.nodes[index]
    return lookup.equals(
      lookup.labels - labels, zone.keys.span, at: Int(node.nameStart), count: Int(node.nameLength))
  }

  /// A node for the last `labels` labels of the name.
  private mutating func node(
    _ bytes: [UInt8], _ position: Int, _ lookup: borrowing LookupName, _ labels: Int, _ start: Int
  ) {
    isFull = isFull || zone.names.count > ZoneRecords.mostBytes - Name.maximumLength
    guard !isFull else { return }
    let label = lookup.labels - labels
    let offset = Int(lookup.offsets[label])
    starts.append(UInt32(start))
    path[labels] = Int32(zone.nodes.count)
    zone.nodes.append(
      Zone.Node(
        hash: lookup.hashes[label], nameStart: UInt32(zone.names.count), setStart: UInt32(zone.sets.count), setCount: 0,
        nameLength: UInt8(lookup.length - offset), labels: UInt8(labels)))
    zone.names += bytes[position + offset..<position + lookup.length]
    zone.keys += lookup.bytes[offset..<lookup.length]
    if labels < lookup.labels { relate(zone.nodes.count - 1) }
  }

  private mutating func dynamic(_ node: Int, _ owner: Name, _ kind: Zone.DynamicOwner.Kind) {
    zone.nodes[node].dynamic = Int32(zone.dynamicOwners.count)
    zone.dynamicOwners.append(.init(name: owner, kind: kind))
  }

  /// Sets by type, in order. Most names of a large zone have one record.
  private mutating func fill(_ node: Int, _ records: ZoneRecords) {
    if group.count > 1 {
      let entries = records.entries
      group.sort { (entries[$0].type.rawValue, $0) < (entries[$1].type.rawValue, $1) }
    }
    var start = 0
    while start < group.count {
      let type = records.entries[group[start]].type
      var end = start + 1
      while end < group.count, records.entries[group[end]].type == type { end += 1 }
      let set = group[start..<end]
      start = end
      let ttl = set.reduce(UInt32.max) { min($0, records.entries[$1].ttl) }
      if type == .alias {
        if let target = records[set[set.startIndex]].record.dataName(at: 0) {
          dynamic(node, zone.name(of: node), .alias(target, ttl: ttl))
        }
        continue
      }
      append(type, ttl, set, records)
      zone.nodes[node].setCount += 1
      if type == .dname { zone.nodes[node].hasDNAME = true }
      if type == .cname { zone.nodes[node].hasAlias = true }
    }
  }

  private mutating func append(
    _ type: RecordType, _ ttl: UInt32, _ set: ArraySlice<Int>, _ records: ZoneRecords
  ) {
    let start = zone.pool.count
    var seen: Set<[UInt8]> = []
    var count = 0
    for index in set {
      let data = records.data(of: index)
      guard set.count == 1 || seen.insert(Array(data)).inserted else { continue }
      count += 1
      zone.append(type, ttl, data)
    }
    zone.sets.append(
      Zone.RecordSet(
        type: type, count: UInt16(clamping: count), ttl: ttl, start: UInt32(start), end: UInt32(zone.pool.count)))
  }

  /// Wildcards and delegations; in canonical order a parent stands before its children.
  private mutating func relate(_ index: Int) {
    let node = zone.nodes[index]
    guard Int(node.labels) > zone.apexLabels else { return }
    let above = Int(path[Int(node.labels) - 1])
    let start = Int(node.nameStart)
    if zone.keys[start] == 1, zone.keys[start + 1] == UInt8(ascii: "*") { zone.nodes[above].wildcard = Int32(index) }
    let sets = zone.sets[Int(node.setStart)..<Int(node.setStart) + Int(node.setCount)]
    let isCut = sets.contains { $0.type == .ns }
    zone.nodes[index].cut = zone.nodes[above].cut >= 0 ? zone.nodes[above].cut : isCut ? Int32(index) : -1
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
