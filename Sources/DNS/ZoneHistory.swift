/// What changed between two versions of a zone (RFC 1995 §2).
package struct ZoneDelta: Sendable, Equatable {
  package let oldAuthority: Record
  package let newAuthority: Record
  package let removed: [Record]
  package let added: [Record]

  /// nil unless both are versions of one zone and `new` has the newer serial (RFC 1982).
  package init?(from old: Zone, to new: Zone) {
    guard old.apex == new.apex, serial(new.serial, isNewerThan: old.serial),
      let oldAuthority = old.records(of: old.authority, owner: old.apex).first,
      let newAuthority = new.records(of: new.authority, owner: new.apex).first
    else { return nil }
    self.oldAuthority = oldAuthority
    self.newAuthority = newAuthority
    let before = old.records.dropFirst()
    let after = new.records.dropFirst()
    let kept = Set(before).intersection(after)
    removed = before.filter { !kept.contains($0) }
    added = after.filter { !kept.contains($0) }
  }

  var size: Int { removed.count + added.count + 2 }
}

/// The last versions of a zone as differences, so that secondaries need not fetch it whole. Bounded.
package struct ZoneHistory: Sendable {
  package private(set) var deltas: [ZoneDelta] = []
  private let maximumRecords: Int

  package init(maximumRecords: Int = 10_000) { self.maximumRecords = maximumRecords }

  /// Notes a new version; one whose serial did not grow makes what came before useless.
  package mutating func record(from old: Zone, to new: Zone) {
    guard let delta = ZoneDelta(from: old, to: new), deltas.last.map({ $0.newAuthority == delta.oldAuthority }) ?? true
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
