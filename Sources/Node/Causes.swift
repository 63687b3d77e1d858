internal import Health
package import Model
internal import Planner

/// Which event told of each thing last, so that what follows from it can be linked to it.
///
/// A link is drawn from what a thing depends on, never from what happened just before: a state that changes after its
/// hysteresis, or an address that moves by VRRP, still has its cause, and two failures in one moment are kept apart.
struct CauseBook: Sendable {
  struct Mark: Hashable, Sendable {
    var event: UInt64
    var isWell: Bool
    var at: Instant
  }

  /// How much later than its hysteresis a thing may follow its cause.
  static let slack = Duration.seconds(5)

  /// The verdict of each backend that was told last.
  private(set) var verdicts: [BackendKey: (state: Verdict.State, mark: Mark)] = [:]
  /// The last word on each backend, and on each site.
  private var words: [BackendKey: Mark] = [:]
  private var siteWords: [String: Mark] = [:]
  /// How each site came to stand as it does.
  private var siteTurns: [String: Mark] = [:]
  /// The last event of a virtual address that was this node's own doing.
  private var vips: [String: Mark] = [:]

  mutating func note(_ state: Verdict.State, _ key: BackendKey, _ event: UInt64, at now: Instant) {
    verdicts[key] = (state, Mark(event: event, isWell: state == .up || state == .warming, at: now))
  }

  mutating func note(_ order: Change.Order, _ key: BackendKey, _ event: UInt64, at now: Instant) {
    let isWell =
      switch order {
      case .state(let state): state == .ready
      case .weight(let weight): weight > 0
      }
    words[key] = Mark(event: event, isWell: isWell, at: now)
  }

  mutating func note(_ order: SiteOrder, site: String, _ event: UInt64, at now: Instant) {
    siteWords[site] = Mark(event: event, isWell: order == .ready, at: now)
  }

  mutating func note(site: String, isUp: Bool, _ event: UInt64, at now: Instant) {
    siteTurns[site] = Mark(event: event, isWell: isUp, at: now)
  }

  mutating func note(vip: String, isWell: Bool, _ event: UInt64, at now: Instant) {
    vips[vip] = Mark(event: event, isWell: isWell, at: now)
  }

  /// What is not configured any more is forgotten.
  mutating func keep(_ known: (BackendKey) -> Bool) {
    verdicts = verdicts.filter { known($0.key) }
    words = words.filter { known($0.key) }
  }

  /// Of a word that is said at this moment.
  func word(on key: BackendKey, at now: Instant) -> UInt64? {
    words[key].flatMap { $0.at == now ? $0.event : nil }
  }

  /// The last event by which a name came to answer from what it does.
  func latest(of turn: NameTurn, hysteresis: Duration, at now: Instant) -> UInt64? {
    // Where other nodes' words took a site away, this node's own verdict on its address may come later.
    let sites = turn.sites.compactMap { siteTurns[$0] }
    let backends = turn.backends.flatMap { [verdicts[$0]?.mark, words[$0]] }.compactMap { $0 }
    return CauseBook.latest(sites, isWell: turn.isWell, hysteresis: hysteresis, at: now)
      ?? CauseBook.latest(backends, isWell: turn.isWell, hysteresis: hysteresis, at: now)
  }

  private static func latest(_ marks: [Mark], isWell: Bool?, hysteresis: Duration, at now: Instant) -> UInt64? {
    marks.filter { now - $0.at <= hysteresis + slack && (isWell == nil || $0.isWell == isWell) }.map(\.event).max()
  }

  /// The last event by which something of all this came to be as it is now.
  /// - Parameters:
  ///   - isWell: whether it became better; nil: either.
  ///   - hysteresis: for how long it may have waited; older ones have led to nothing now.
  func latest(
    pools: Set<String> = [], vips names: Set<String> = [], site: String? = nil, isWell: Bool?, hysteresis: Duration,
    at now: Instant
  ) -> UInt64? {
    var marks = verdicts.filter { pools.contains($0.key.pool) }.map(\.value.mark)
    marks += words.filter { pools.contains($0.key.pool) }.map(\.value)
    marks += names.compactMap { vips[$0] }
    if let site, let mark = siteWords[site] { marks.append(mark) }
    return CauseBook.latest(marks, isWell: isWell, hysteresis: hysteresis, at: now)
  }
}

extension Node {
  /// Tells of verdicts that have changed before anything that follows from them is told.
  /// - Parameter cause: an event that led to all of them.
  func tellVerdicts(_ keys: [BackendKey], because cause: UInt64? = nil, at now: Instant) {
    for key in keys.sorted(by: { ($0.pool, $0.backend) < ($1.pool, $1.backend) }) where truth.knows(key) {
      guard let verdict = truth.health.verdict(key), causes.verdicts[key]?.state != verdict.state else { continue }
      let event = record(
        Event.Kind(verdict.state), key, verdict.reason, because: cause ?? causes.word(on: key, at: now))
      causes.note(verdict.state, key, event, at: now)
    }
  }

  /// Tells how all stands in a new World: of verdicts and of sites.
  func tellStandings(after old: World?, because cause: UInt64? = nil, at now: Instant) {
    guard let world, world.generation != old?.generation else { return }
    let keys = world.topology.pools.flatMap { pool in
      pool.backends.map { BackendKey(pool: pool.name, backend: $0.name) }
    }
    tellVerdicts(keys, because: cause, at: now)
    causes.keep { truth.knows($0) }
    for (name, site) in world.sites.sorted(by: { $0.key < $1.key }) where old?.sites[name]?.state != site.state {
      let hysteresis = world.topology.names?.sites.first { $0.name == name }?.upAfter ?? .zero
      let led = causes.latest(
        pools: [Site.pool(of: name)], site: name, isWell: site.isUp, hysteresis: hysteresis, at: now)
      let message = "site \(name) is \(site.state.rawValue): \(site.reason)"
      let event = record(site.isUp ? .up : .down, nil, message, because: cause ?? led)
      causes.note(site: name, isUp: site.isUp, event, at: now)
    }
  }

  /// What led to an announcement's new level; nil: an order, or what other sites say.
  func cause(of entry: AnnouncementBook.Entry, since before: AnnouncementLevel?, at now: Instant) -> UInt64? {
    guard announcements.words[entry.name] == nil, announcements.leaving == nil,
      let announcement = truth.topology.bgp?.announcements.first(where: { $0.name == entry.name })
    else { return nil }
    let isWell = before.map { entry.level > $0 } ?? (entry.level == .announced)
    let on = announcement.dependencies(truth.topology)
    let hysteresis = isWell ? announcement.upAfter : announcement.downAfter
    return causes.latest(pools: on.pools, vips: on.vips, isWell: isWell, hysteresis: hysteresis, at: now)
  }

  /// What led to a name's other addresses; nil: load, or time.
  func cause(of turn: NameTurn, at now: Instant) -> UInt64? {
    // A name that flaps is told of that much later.
    causes.latest(of: turn, hysteresis: .seconds(5), at: now)
  }

  /// What led to an event of a virtual address; nil: another node, or the network.
  func cause(of report: VIPReport, at now: Instant) -> UInt64? {
    guard report.isOwnDoing else { return nil }
    let names = Set(truth.topology.vipsMoving(with: report.vip))
    let vips = truth.topology.vips.filter { names.contains($0.name) }
    let isWell: Bool? =
      switch report.kind {
      case .active: true
      case .backup, .fault: false
      case .dual, .verified, .repaired, .vip: nil
      }
    // Nobody takes an address before three adverts are missed.
    let wait = vips.map { $0.preemptDelay + $0.interval + $0.interval + $0.interval }.max() ?? .zero
    let pools = vips.reduce(into: Set()) { $0.formUnion($1.trackedPools(truth.topology)) }
    // A priority follows from tracks alone.
    return causes.latest(
      pools: pools, vips: report.kind == .vip ? [] : names, isWell: isWell, hysteresis: wait, at: now)
  }

  /// By which event a backend takes no traffic now; nil: it does.
  package func fall(of key: BackendKey) -> UInt64? {
    causes.verdicts[key].flatMap { $0.mark.isWell ? nil : $0.mark.event }
  }

  /// By which event none of a pool's backends of a version takes traffic now; nil: one does.
  package func fall(of version: String, in pool: String) -> UInt64? {
    let backends = truth.topology.pools.first { $0.name == pool }?.backends ?? []
    let falls = backends.filter { $0.version == version }.map { fall(of: BackendKey(pool: pool, backend: $0.name)) }
    return falls.contains(nil) ? nil : falls.compactMap { $0 }.max()
  }
}
