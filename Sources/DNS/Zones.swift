/// All zones that a server answers for; immutable, replaced whole.
package struct Zones: Sendable {
  package let list: [Zone]
  /// Who signs each zone; nil: nobody.
  let signers: [ZoneSigner?]
  let isSigned: Bool
  /// Where each zone's dynamic owners begin in `dynamicOwners`.
  let dynamicStarts: [Int]
  /// What a `DynamicView` has to answer, in its order.
  package let dynamicOwners: [Zone.DynamicOwner]
  private let slots: [UInt64]
  /// Bit n: there is an apex of n labels (63: or more), so that other suffixes cost nothing.
  let depths: UInt64
  /// The most seconds that each dynamic owner's answers may be kept.
  let dynamicLimits: [UInt32]

  /// The first of two zones with one apex wins.
  package init(_ zones: [Zone] = [], signers: [Name: ZoneSigner] = [:]) {
    var seen: Set<Name> = []
    let list = zones.filter { seen.insert($0.apex).inserted }
    self.list = list
    self.signers = list.map { signers[$0.apex] }
    isSigned = !signers.isEmpty
    var owners: [Zone.DynamicOwner] = []
    var starts: [Int] = []
    for zone in list {
      starts.append(owners.count)
      owners += zone.dynamicOwners
    }
    dynamicStarts = starts
    dynamicOwners = owners
    dynamicLimits = owners.map { if case .alias(_, let ttl) = $0.kind { ttl } else { .max } }
    slots = hashTable(list.map(\.apexHash))
    depths = list.reduce(0) { $0 | 1 << UInt64(min($1.apexLabels, 63)) }
  }

  /// The zone whose apex has this hash, and so nearly surely this name; -1: none.
  @inline(__always) func find(_ hash: UInt64) -> Int {
    let mask = slots.count &- 1
    var slot = Int(truncatingIfNeeded: hash) & mask
    while slots[slot] != 0 {
      let entry = slots[slot]
      let index = Int(truncatingIfNeeded: entry & 0xffff_ffff) &- 1
      if entry &>> 32 == hash &>> 32, list[index].apexHash == hash { return index }
      slot = (slot &+ 1) & mask
    }
    return -1
  }

  /// The zone with the longest apex that is a suffix of `name`, looking from `label` upwards.
  @inline(__always)
  func find(_ name: borrowing LookupName, from start: Int = 0) -> (zone: Int, label: Int)? {
    var label = start
    let mask = slots.count &- 1
    while label <= name.labels {
      if depths &>> UInt64(truncatingIfNeeded: min(name.labels &- label, 63)) & 1 != 0 {
        let hash = name.hashes[label]
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
          let entry = slots[slot]
          let index = Int(truncatingIfNeeded: entry & 0xffff_ffff) &- 1
          if entry &>> 32 == hash &>> 32, list[index].apexHash == hash, list[index].find(name, label) == 0 {
            return (index, label)
          }
          slot = (slot &+ 1) & mask
        }
      }
      label &+= 1
    }
    return nil
  }
}
