/// Finds sessions by a hash: open addressing with linear probing and no tombstones.
///
/// A cell holds a session's index and 32 bits of a keyed hash, so that a lookup reads one
/// cache line and, as a rule, one session; whether it is the right one the caller decides.
/// Removal shifts what follows back (Knuth, TAOCP 3, algorithm 6.4R). At most half of the
/// cells are used; growing is the only time that it allocates.
struct SessionTable {
  /// Hash in the upper half, index + 1 in the lower; 0: free.
  private var cells = [UInt64](repeating: 0, count: 16)
  private(set) var count = 0

  /// Where a lookup stands.
  struct Probe {
    fileprivate var cell: Int
    fileprivate let hash: UInt32
  }

  func probe(_ hash: UInt32) -> Probe { Probe(cell: Int(hash) & (cells.count - 1), hash: hash) }

  /// The next session with the probe's hash; nil: there are no more.
  func next(_ probe: inout Probe) -> UInt32? {
    while cells[probe.cell] != 0 {
      let cell = cells[probe.cell]
      probe.cell = (probe.cell + 1) & (cells.count - 1)
      if UInt32(truncatingIfNeeded: cell >> 32) == probe.hash { return UInt32(truncatingIfNeeded: cell) - 1 }
    }
    return nil
  }

  /// Adds a session that is not in the table.
  mutating func insert(_ index: UInt32, hash: UInt32) {
    if (count + 1) * 2 > cells.count { grow() }
    place(UInt64(hash) << 32 | UInt64(index + 1))
    count += 1
  }

  mutating func remove(_ index: UInt32, hash: UInt32) {
    let mask = cells.count - 1
    let wanted = UInt64(hash) << 32 | UInt64(index + 1)
    var hole = Int(hash) & mask
    while cells[hole] != wanted {
      guard cells[hole] != 0 else { return }
      hole = (hole + 1) & mask
    }
    var cell = hole
    while true {
      cell = (cell + 1) & mask
      guard cells[cell] != 0 else { break }
      // It may move into the hole unless its own place lies between the hole and itself.
      let home = Int(cells[cell] >> 32) & mask
      if (cell - home) & mask >= (cell - hole) & mask {
        cells[hole] = cells[cell]
        hole = cell
      }
    }
    cells[hole] = 0
    count -= 1
  }

  private mutating func place(_ entry: UInt64) {
    var cell = Int(entry >> 32) & (cells.count - 1)
    while cells[cell] != 0 { cell = (cell + 1) & (cells.count - 1) }
    cells[cell] = entry
  }

  private mutating func grow() {
    let old = cells
    cells = [UInt64](repeating: 0, count: old.count * 2)
    for entry in old where entry != 0 { place(entry) }
  }
}
