/// A zone as answers need it: immutable, flat tables, built once by `ZoneBuilder`.
///
/// Nodes stand in canonical order (RFC 4034 §6.1), the apex first. Empty
/// non-terminals (RFC 4592 §2.2.2) are nodes without sets.
package struct Zone: Sendable {
  @usableFromInline struct Node: Sendable, BitwiseCopyable {
    var hash: UInt64
    /// In `names` and `keys`.
    var nameStart: UInt32
    var setStart: UInt32
    var setCount: UInt16
    var nameLength: UInt8
    var labels: UInt8
    /// The child `*`, or -1.
    var wildcard: Int32 = -1
    /// The delegation at or above this node, or -1 where the zone is authoritative.
    var cut: Int32 = -1
    /// The index of the answers that are made up at query time (balanced set, ALIAS), or -1.
    var dynamic: Int32 = -1
    var hasDNAME = false
    var hasAlias = false
    /// The prepared referral of a delegation's own node, or -1.
    var referral: Int32 = -1
  }

  @usableFromInline struct RecordSet: Sendable, BitwiseCopyable {
    var type: RecordType
    var count: UInt16
    var ttl: UInt32
    /// In `pool`: type, class, TTL, length and data of each record, one behind the other.
    var start: UInt32
    var end: UInt32
    /// The whole answer, written out beforehand, or -1.
    var prepared: Int32 = -1
  }

  /// An owner whose addresses are not in the zone.
  package struct DynamicOwner: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
      /// The balanced set of this name in the configuration.
      case balanced(String)
      /// The addresses of another name, with this TTL at most.
      case alias(Name, ttl: UInt32)
    }
    package let name: Name
    package let kind: Kind
  }

  package let apex: Name
  package internal(set) var serial: UInt32 = 0
  /// Seconds that a negative answer may be kept: the smaller of SOA TTL and minimum (RFC 2308 §5).
  package internal(set) var negativeTTL: UInt32 = 0
  package internal(set) var dynamicOwners: [DynamicOwner] = []
  var apexHash: UInt64 = 0
  var apexLabels = 0
  var nodes: [Node] = []
  var sets: [RecordSet] = []
  var pool: [UInt8] = []
  /// Owner names as they were written.
  var names: [UInt8] = []
  /// The same in lower case.
  var keys: [UInt8] = []
  /// Open addressing: the upper half of the hash, and the node's index + 1; 0 is free.
  var slots: [UInt64] = []
  var authority = RecordSet(type: .soa, count: 0, ttl: 0, start: 0, end: 0)
  var prepared = PreparedAnswers()

  /// For `ZoneBuilder` to fill.
  init(apex: Name) { self.apex = apex }

  package var nodeCount: Int { nodes.count }
  package var recordCount: Int { sets.reduce(0) { $0 + Int($1.count) } }

  /// The node of the suffix of `name` that begins at `label`; -1 when there is none.
  @inline(__always) func find(_ name: borrowing LookupName, _ label: Int) -> Int {
    let hash = name.hashes[label]
    var slot = Int(truncatingIfNeeded: hash)
    while true {
      let index = candidate(hash, &slot)
      if index < 0 { return -1 }
      let node = nodes[index]
      if node.hash == hash, name.equals(label, keys.span, at: Int(node.nameStart), count: Int(node.nameLength)) {
        return index
      }
    }
  }

  /// The node of the name of this hash that stands from `start` to `end`, in either case; -1 when there is none.
  @inline(__always) func find(_ hash: UInt64, _ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
    var slot = Int(truncatingIfNeeded: hash)
    while true {
      let index = candidate(hash, &slot)
      if index < 0 { return -1 }
      if Int(nodes[index].nameLength) == end &- start,
        Octets.equal(
          bytes, at: start, keys.span, at: Int(nodes[index].nameStart), count: end &- start, lowercasing: true)
      {
        return index
      }
    }
  }

  /// The next node that may have this hash; -1 when there is none.
  /// - Parameter slot: at first the hash.
  @inline(__always) private func candidate(_ hash: UInt64, _ slot: inout Int) -> Int {
    while true {
      let entry = slots[slot & (slots.count &- 1)]
      slot = slot &+ 1
      if entry == 0 { return -1 }
      if entry &>> 32 == hash &>> 32 { return Int(truncatingIfNeeded: entry & 0xffff_ffff) &- 1 }
    }
  }

  /// The set of a type at a node, by its index in `sets`; -1 when there is none.
  @inline(__always) func set(_ type: RecordType, at node: Int) -> Int {
    let start = Int(nodes[node].setStart)
    var index = start
    let end = start &+ Int(nodes[node].setCount)
    while index < end {
      if sets[index].type == type { return index }
      index &+= 1
    }
    return -1
  }

  /// The owner of a node as it was written.
  func name(of node: Int) -> Name {
    let start = Int(nodes[node].nameStart)
    return Name(unchecked: Array(names[start..<(start + Int(nodes[node].nameLength))]))
  }

  /// Whether the name is the apex or below it.
  func holds(_ name: borrowing LookupName) -> Bool {
    name.labels >= apexLabels && find(name, name.labels - apexLabels) == 0
  }

  /// The same zone with another record of its apex, e.g. its DNSKEY. Nothing else is laid out anew.
  package func adding(toApex type: RecordType, ttl: UInt32, data: [UInt8]) -> Zone {
    var zone = self
    let own = 0..<Int(nodes[0].setCount)
    let found = own.first { sets[$0].type == type }
    if let found, records(of: sets[found], owner: apex).contains(where: { $0.data == data }) { return self }
    var set = RecordSet(type: type, count: 1, ttl: ttl, start: UInt32(pool.count), end: 0)
    if let found {
      set.count += sets[found].count
      set.ttl = min(ttl, sets[found].ttl)
      for record in records(of: sets[found], owner: apex) { zone.append(type, set.ttl, record.data[...]) }
    }
    zone.append(type, set.ttl, data[...])
    set.end = UInt32(zone.pool.count)
    if let found {
      zone.sets[found] = set
    } else {
      zone.sets.insert(set, at: own.first { sets[$0].type.rawValue > type.rawValue } ?? own.upperBound)
      zone.nodes[0].setCount += 1
      for index in zone.nodes.indices.dropFirst() { zone.nodes[index].setStart += 1 }
    }
    return zone
  }

  /// A record at the end of `pool`.
  mutating func append(_ type: RecordType, _ ttl: UInt32, _ data: ArraySlice<UInt8>) {
    // Type, class IN, TTL and length, the last byte lowest.
    let head = UInt64(type.rawValue) << 48 | 1 << 32 | UInt64(ttl)
    for shift in stride(from: 56, through: 0, by: -8) { pool.append(UInt8(truncatingIfNeeded: head >> UInt64(shift))) }
    pool.append(UInt8(data.count >> 8))
    pool.append(UInt8(truncatingIfNeeded: data.count))
    pool += data
  }

  /// The records of a set.
  func records(of set: RecordSet, owner: Name) -> [Record] {
    var records: [Record] = []
    var position = Int(set.start)
    while position < Int(set.end) {
      let length = Int(pool[position + 8]) << 8 | Int(pool[position + 9])
      records.append(
        Record(owner, set.type, ttl: set.ttl, data: Array(pool[(position + 10)..<(position + 10 + length)])))
      position += 10 + length
    }
    return records
  }

  package func hasSameRecords(_ other: Zone) -> Bool {
    names == other.names && pool == other.pool && nodes.map(\.setCount) == other.nodes.map(\.setCount)
  }

  /// All records in canonical order of their owners, the SOA first.
  package var records: [Record] {
    var result = records(of: authority, owner: apex)
    for (index, node) in nodes.enumerated() {
      for set in sets[Int(node.setStart)..<(Int(node.setStart) + Int(node.setCount))] where set.type != .soa {
        result += records(of: set, owner: name(of: index))
      }
    }
    return result
  }
}
