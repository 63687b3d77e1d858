/// What changed between two versions of a zone (RFC 1995 §2).
package struct ZoneDelta: Sendable, Equatable {
  package let oldAuthority: Record
  package let newAuthority: Record
  package let removed: [Record]
  package let added: [Record]

  /// nil unless both are versions of one zone, `new` has the newer serial (RFC 1982), and `limit` records tell the difference.
  ///
  /// PERF: both stand in canonical order, so one pass finds what differs; as sets of records a million names took 20 s.
  package init?(from old: Zone, to new: Zone, limit: Int = .max) {
    guard old.apex == new.apex, serial(new.serial, isNewerThan: old.serial),
      let oldAuthority = old.records(of: old.authority, owner: old.apex).first,
      let newAuthority = new.records(of: new.authority, owner: new.apex).first
    else { return nil }
    self.oldAuthority = oldAuthority
    self.newAuthority = newAuthority
    var removed: [Record] = []
    var added: [Record] = []
    var (left, right) = (0, 0)
    while left < old.nodes.count || right < new.nodes.count {
      guard removed.count + added.count <= limit else { return nil }
      if right == new.nodes.count || left < old.nodes.count && old.precedes(left, new, right) {
        removed += old.data(of: left)
        left += 1
      } else if left == old.nodes.count || new.precedes(right, old, left) {
        added += new.data(of: right)
        right += 1
      } else {
        if !old.hasSameData(left, new, right) {
          let (before, after) = (old.data(of: left), new.data(of: right))
          let kept = Set(before).intersection(after)
          removed += before.filter { !kept.contains($0) }
          added += after.filter { !kept.contains($0) }
        }
        left += 1
        right += 1
      }
    }
    self.removed = removed
    self.added = added
  }

  var size: Int { removed.count + added.count + 2 }
}

extension Zone {
  private func setRange(_ node: Int) -> Range<Int> {
    Int(nodes[node].setStart)..<Int(nodes[node].setStart) + Int(nodes[node].setCount)
  }

  /// A node's records but for the SOA.
  fileprivate func data(of node: Int) -> [Record] {
    let owner = name(of: node)
    return sets[setRange(node)].filter { $0.type != .soa }.flatMap { records(of: $0, owner: owner) }
  }

  /// Whether a node stands before another zone's in canonical order.
  fileprivate func precedes(_ node: Int, _ other: Zone, _ otherNode: Int) -> Bool {
    let (one, two) = (nodes[node], other.nodes[otherNode])
    if one.nameLength == two.nameLength,
      Octets.equal(
        keys.span, at: Int(one.nameStart), other.keys.span, at: Int(two.nameStart), count: Int(one.nameLength))
    {
      return false
    }
    return name(of: node) < other.name(of: otherNode)
  }

  fileprivate func hasSameData(_ node: Int, _ other: Zone, _ otherNode: Int) -> Bool {
    let (own, others) = (setRange(node), other.setRange(otherNode))
    guard own.count == others.count else { return false }
    for (one, two) in zip(own, others) {
      let (left, right) = (sets[one], other.sets[two])
      let length = Int(left.end - left.start)
      guard left.type == right.type, length == Int(right.end - right.start),
        Octets.equal(pool.span, at: Int(left.start), other.pool.span, at: Int(right.start), count: length)
      else { return false }
    }
    return true
  }
}

/// The last versions of a zone as differences, so that secondaries need not fetch it whole. Bounded.
package struct ZoneHistory: Sendable {
  package private(set) var deltas: [ZoneDelta] = []
  /// Whether the present version came without a newer serial: secondaries may have other data under it, so that no
  /// difference can begin there.
  private var isAmbiguous = false
  private let maximumRecords: Int

  package init(maximumRecords: Int = 10_000) { self.maximumRecords = maximumRecords }

  /// Notes a new version; one whose serial did not grow makes what came before useless.
  package mutating func record(from old: Zone, to new: Zone) {
    guard !new.hasSameRecords(old) else { return }
    let wasAmbiguous = isAmbiguous
    isAmbiguous = !serial(new.serial, isNewerThan: old.serial)
    guard !wasAmbiguous, let delta = ZoneDelta(from: old, to: new, limit: maximumRecords),
      deltas.last.map({ $0.newAuthority == delta.oldAuthority }) ?? true
    else {
      deltas = []
      return
    }
    deltas.append(delta)
    var total = deltas.reduce(0) { $0 + $1.size }
    while total > maximumRecords, let first = deltas.first {
      total -= first.size
      deltas.removeFirst()
    }
  }

  /// The steps from a serial to the present; nil when that version is not known any more.
  package func since(_ serial: UInt32) -> ArraySlice<ZoneDelta>? {
    deltas.firstIndex { $0.oldAuthority.authority?.serial == serial }.map { deltas[$0...] }
  }
}
