import Balance
import Model
import Wire

/// A pool's division by version, in the form that picks need. Groups are the labels of its backends by number; one more
/// holds all backends outside the version that the division is about.
final class CompiledSplit: Sendable {
  static let unlabelled = UInt8.max

  let rules: VersionRules
  /// As they stand in fields and cookies.
  let labels: [[UInt8]]
  let cookieName: [UInt8]
  /// By group; the last one is everybody else's. Candidates have the pool's order.
  let tables: [PickTable]
  let chosen: UInt8
  let others: UInt8
  /// Of the chosen version, in ten-thousandths.
  let share: UInt32
  /// To the chosen version.
  let mirror: CompiledMirror?
  /// By backend.
  private let groups: [UInt8]

  init(_ pool: Pool, _ split: VersionSplit, tables: [PickTable], row: UInt32) {
    let names = pool.versionLabels
    rules = pool.versions
    labels = names.map { Array($0.utf8) }
    cookieName = Array((pool.versions.cookie ?? "").utf8)
    self.tables = tables
    chosen = UInt8(clamping: names.firstIndex(of: split.version) ?? Int(CompiledSplit.unlabelled))
    others = UInt8(clamping: names.count)
    share = UInt32(clamping: split.share)
    var mirror = Mirror(pool: pool.name)
    mirror.share = Double(split.mirrored ?? 0) / Double(VersionSplit.whole)
    self.mirror = split.mirrored == nil ? nil : CompiledMirror(mirror, pool: row, version: chosen)
    groups = pool.backends.map { backend in
      UInt8(clamping: backend.version.flatMap { names.firstIndex(of: $0) } ?? Int(CompiledSplit.unlabelled))
    }
  }

  /// One table for each group.
  /// - Parameter previous: of the same pool; what did not change is taken from them.
  static func tables(_ pool: Pool, _ standings: [Standing], _ split: VersionSplit, previous: [PickTable]) -> [PickTable]
  {
    let labels = pool.versionLabels.map { Optional($0) }
    return (labels + [nil]).enumerated().map { group, label in
      let held = zip(pool.backends, standings).map { backend, standing in
        var standing = standing
        let belongs = label.map { backend.version == $0 } ?? (backend.version != split.version)
        standing.effectiveWeight = belongs ? standing.versionWeight : 0
        return standing
      }
      return PickTable(pool: pool, standings: held, previous: group < previous.count ? previous[group] : nil)
    }
  }

  /// - Parameter hash: of what the client is known by, or a random number.
  func group(of hash: UInt64) -> UInt8 {
    let ticket = UInt32(truncatingIfNeeded: ((MaglevTable.mix(hash) >> 32) &* UInt64(VersionSplit.whole)) >> 32)
    return ticket < share ? chosen : others
  }

  /// Where a client that belongs to a backend stays; nil: nobody goes to its version any more.
  func group(ofBackend index: Int) -> UInt8? {
    guard index < groups.count else { return nil }
    if groups[index] == chosen { return share > 0 ? chosen : nil }
    return share < UInt32(VersionSplit.whole) ? others : nil
  }

  func holds(_ group: UInt8, backend index: Int) -> Bool {
    guard index < groups.count else { return false }
    return group == others ? groups[index] != chosen : groups[index] == group
  }
}
