import DNS
import Model

/// Which addresses each balanced name was last told to answer from: a change is told once, and of a name that flaps at
/// most one in `spacing`, with what has become of it by then. A name's first set, and one by a new file, is no change.
struct NameDiary: Sendable {
  static let spacing = Duration.seconds(5)

  private struct Told: Sendable {
    let members: [MemberSource]
    let addresses: [IPAddress]
    var isUp: [Bool]
    var usable: Set<IPAddress>
    /// nil: nothing was told yet.
    var at: Instant?
    /// As it was looked at last, and whether something is left to tell.
    var seen: CompiledSet
    var isPending = false
  }

  private var told: [String: Told] = [:]
  /// Of the sets that were looked at last; nil: there is something left to tell.
  private var generation: UInt64?

  /// What is to be told now.
  mutating func turns(_ sets: DynamicSets, at now: Instant) -> [NameTurn] {
    guard generation != sets.generation else { return [] }
    var turns: [NameTurn] = []
    var next: [String: Told] = [:]
    for (name, expansion, health, compiled) in sets.balanced() {
      let addresses = expansion.set.members.map(\.address)
      let isUp = health.map(\.isUp)
      guard var old = told[name], old.members == expansion.members, old.addresses == addresses else {
        next[name] = Told(
          members: expansion.members, addresses: addresses, isUp: isUp, usable: compiled.usable, seen: compiled)
        continue
      }
      defer { next[name] = old }
      guard old.seen !== compiled || old.isPending else { continue }
      old.seen = compiled
      let usable = compiled.usable
      old.isPending = usable != old.usable
      guard old.isPending else {
        old.isUp = isUp
        continue
      }
      if let at = old.at, now - at < NameDiary.spacing { continue }
      turns.append(NameDiary.turn(name, old, isUp, usable))
      (old.isUp, old.usable, old.at, old.isPending) = (isUp, usable, now, false)
    }
    told = next
    generation = next.values.contains(where: \.isPending) ? nil : sets.generation
    return turns
  }

  private static func turn(_ name: String, _ old: Told, _ isUp: [Bool], _ usable: Set<IPAddress>) -> NameTurn {
    var turn = NameTurn(name: name.hasSuffix(".") ? String(name.dropLast()) : name)
    turn.usable = usable.count
    turn.all = Set(old.addresses).count
    turn.well = Set(zip(old.addresses, isUp).filter(\.1).map(\.0)).count
    turn.gone = old.usable.subtracting(usable).sorted()
    turn.back = usable.subtracting(old.usable).sorted()
    var ways: Set<Bool> = []
    for (member, (before, now)) in zip(old.members, zip(old.isUp, isUp)) where before != now {
      ways.insert(now)
      switch member {
      case .fixed: break
      case .backend(let key): turn.backends.insert(key)
      case .site(let site, let key):
        turn.sites.insert(site)
        turn.backends.insert(key)
      }
    }
    turn.isWell = ways.count == 1 ? ways.first : nil
    return turn
  }
}
