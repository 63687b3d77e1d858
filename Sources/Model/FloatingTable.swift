/// Which floating addresses are allocated, and to whom they are mapped: one value with its rules.
///
/// INVARIANT: an address is here once, and no fixed address stands behind two.
package struct FloatingTable: Hashable, Sendable {
  package private(set) var entries: [IPAddress: FloatingIP] = [:]

  package init() {}

  /// What a store kept. Rows that contradict an earlier one are left out, and returned.
  package init(_ rows: [FloatingIP], refused: inout [FloatingIP]) {
    for row in rows.sorted(by: { $0.address < $1.address }) {
      let isTaken = row.fixed.map { fixed in entries.values.contains { $0.fixed == fixed } } ?? false
      if entries[row.address] == nil, !isTaken { entries[row.address] = row } else { refused.append(row) }
    }
  }

  /// One table from the words of all nodes, and rows that are this node's alone.
  ///
  /// Of words that contradict each other the later one counts, so that nodes which have heard the same words have the
  /// same mappings; of these, each has those whose pools it has. A row gives way to every word.
  package init(
    words: [FloatingWord], rows: [FloatingIP], _ settings: FloatingSettings, conflicts: inout [FloatingConflict]
  ) {
    var all: [IPAddress: FloatingIP] = [:]
    var owners: [IPAddress: IPAddress] = [:]
    for word in words.sorted(by: { $0.isLater(than: $1) }) {
      guard var entry = word.entry, all[entry.address] == nil else { continue }
      if let owner = owners[entry.address] {
        conflicts.append(
          .init(address: entry.address, description: "left out: \(owner) is mapped to it, by a later word"))
        continue
      }
      let isSelf = entry.fixed == entry.address
      if let fixed = entry.fixed, let owner = owners[fixed] ?? (isSelf ? fixed : all[fixed]?.address) {
        let words =
          "mapped to nobody: by \(isSelf ? "this" : "a later") word \(fixed) \(owner == fixed ? "floats" : "stands behind \(owner)")"
        conflicts.append(.init(address: entry.address, description: words))
        entry.fixed = nil
      }
      all[entry.address] = entry
      if let fixed = entry.fixed { owners[fixed] = entry.address }
    }
    entries = all.filter { settings.isShared($0.key) }
    let taken = Set(entries.values.compactMap(\.fixed))
    for row in rows.sorted(by: { $0.address < $1.address }) where entries[row.address] == nil {
      guard !taken.contains(row.address) else {
        conflicts.append(.init(address: row.address, description: "left out: a shared address is mapped to it"))
        continue
      }
      var row = row
      if let fixed = row.fixed, taken.contains(fixed) || entries[fixed] != nil {
        conflicts.append(
          .init(address: row.address, description: "mapped to nobody: \(fixed) is taken by a shared address"))
        row.fixed = nil
      }
      entries[row.address] = row
    }
    settle(in: settings)
  }

  /// Gives each address the name that its pool has now.
  package mutating func settle(in settings: FloatingSettings) {
    for address in entries.keys {
      if let home = settings.home(of: address) { entries[address]?.pool = home.name }
    }
  }

  package var sorted: [FloatingIP] { entries.values.sorted { $0.address < $1.address } }

  package mutating func apply(_ order: FloatingOrder, _ settings: FloatingSettings) throws(FloatingError) -> IPAddress {
    switch order {
    case .allocate(let pool, let address): return try allocate(pool, address, settings)
    case .associate(let address, let fixed):
      let entry = try known(address)
      if entry.fixed == fixed { return address }
      guard entry.fixed == nil else { throw .associated(address) }
      return try map(address, fixed)
    case .move(let address, let fixed):
      _ = try known(address)
      return try map(address, fixed)
    case .disassociate(let address):
      _ = try known(address)
      entries[address]?.fixed = nil
      return address
    case .release(let address):
      guard try known(address).fixed == nil else { throw .associated(address) }
      entries[address] = nil
      return address
    }
  }

  private func known(_ address: IPAddress) throws(FloatingError) -> FloatingIP {
    guard let entry = entries[address] else { throw .notAllocated(address) }
    return entry
  }

  private mutating func map(_ address: IPAddress, _ fixed: IPAddress) throws(FloatingError) -> IPAddress {
    guard fixed.family == address.family else { throw .family(address, fixed) }
    guard fixed.isHost else { throw .unsuitable(fixed) }
    guard entries[fixed] == nil else { throw .taken(fixed) }
    if entries.values.contains(where: { $0.fixed == fixed && $0.address != address }) { throw .taken(fixed) }
    entries[address]?.fixed = fixed
    return address
  }

  private mutating func allocate(
    _ name: String?, _ address: IPAddress?, _ settings: FloatingSettings
  ) throws(FloatingError) -> IPAddress {
    let pools = settings.pools.filter { pool in
      (name.map { $0 == pool.name } ?? true) && (address.map(pool.contains) ?? true)
    }
    guard let pool = pools.first else {
      if let name, !settings.pools.contains(where: { $0.name == name }) { throw .noSuchPool(name) }
      if let address { throw .notInPool(address) }
      throw .noSuchPool(name ?? "")
    }
    // A server's own address cannot float.
    let servers = Set(entries.values.compactMap(\.fixed))
    if let address {
      guard entries[address] == nil, !servers.contains(address) else { throw .taken(address) }
      entries[address] = FloatingIP(address: address, pool: pool.name)
      return address
    }
    for pool in pools {
      for range in pool.ranges {
        var candidate = range.lowerBound
        while candidate <= range.upperBound {
          if entries[candidate] == nil, !servers.contains(candidate) {
            entries[candidate] = FloatingIP(address: candidate, pool: pool.name)
            return candidate
          }
          guard candidate < range.upperBound, let next = candidate.next else { break }
          candidate = next
        }
      }
    }
    throw .exhausted(name ?? pool.name)
  }
}

extension IPAddress {
  /// nil after the last one.
  package var next: IPAddress? {
    if family == .v4 { return low == 0xffff_ffff ? nil : IPAddress(v4: UInt32(low) + 1) }
    if low != .max { return IPAddress(v6: high, low + 1) }
    return high == .max ? nil : IPAddress(v6: high + 1, 0)
  }
}
