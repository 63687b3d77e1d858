package import Model

/// What another site says of an announcement.
package struct SiteWord: Hashable, Sendable {
  /// The node's name: of sites that are all sick, the one with the lowest keeps announcing.
  package var site: String
  package var isAnnounced: Bool
  /// It announces because it is well, not because it is the last.
  package var isHealthy: Bool

  package init(site: String, isAnnounced: Bool, isHealthy: Bool) {
    self.site = site
    self.isAnnounced = isAnnounced
    self.isHealthy = isHealthy
  }
}

/// Every announcement of the node: health, operators and drains in; the set of routes out.
package struct AnnouncementBook: Sendable {
  /// What an operator wants of one announcement, whatever its health.
  package enum Word: Hashable, Sendable {
    case withdraw
    case announce
  }

  /// The node leaves.
  package enum Leaving: Hashable, Sendable {
    /// Less preferred since then.
    case degraded(Instant)
    case withdrawn
  }

  /// An announcement as it stands, with why.
  package struct Entry: Hashable, Sendable {
    package var name: String
    package var prefixes: [IPPrefix]
    package var level: AnnouncementLevel
    package var reason: String
    package var since: Instant
    /// It would be withdrawn, but nobody else announces.
    package var isLast: Bool
    /// Health alone would announce it.
    package var isHealthy: Bool
  }

  package private(set) var entries: [Entry] = []
  package private(set) var words: [String: Word] = [:]
  package private(set) var leaving: Leaving?
  /// Our name among the sites.
  package var site = ""
  /// By announcement; what peers said last.
  package var elsewhere: [String: [SiteWord]] = [:]
  private var states: [String: AnnouncementState] = [:]
  private var deadlines: [Instant] = []

  package init() {}

  package var nextDeadline: Instant? { deadlines.min() }

  package mutating func set(_ word: Word?, for name: String) { words[name] = word }

  package mutating func leave(at now: Instant) { if leaving == nil { leaving = .degraded(now) } }
  package mutating func withdrawAll() { leaving = .withdrawn }
  package mutating func stay() { leaving = nil }

  /// Judges every announcement anew.
  /// - Returns: those whose level or reason for being kept changed, for the event log.
  package mutating func judge(_ bgp: BGPTopology?, _ world: World, at now: Instant) -> [Entry] {
    let announcements = bgp?.announcements ?? []
    let names = Set(announcements.map(\.name))
    states = states.filter { names.contains($0.key) }
    words = words.filter { names.contains($0.key) }
    deadlines = []
    if case .degraded(let since) = leaving, let bgp {
      let due = since + bgp.drain.convergence
      if due <= now { leaving = .withdrawn } else { deadlines.append(due) }
    }
    let before = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
    entries = announcements.map { entry($0, world, at: now) }
    return entries.filter { entry in
      guard let old = before[entry.name] else { return true }
      return old.level != entry.level || old.isLast != entry.isLast
    }
  }

  private mutating func entry(_ announcement: BGPAnnouncement, _ world: World, at now: Instant) -> Entry {
    let (goal, why) = announcement.goal(world)
    var state = states[announcement.name] ?? AnnouncementState(at: now)
    state.judge(goal, reason: why, upAfter: announcement.upAfter, downAfter: announcement.downAfter, at: now)
    states[announcement.name] = state
    if let due = state.deadline(upAfter: announcement.upAfter, downAfter: announcement.downAfter) {
      deadlines.append(due)
    }
    var entry = Entry(
      name: announcement.name, prefixes: announcement.prefixes, level: state.level, reason: state.reason,
      since: state.since, isLast: false, isHealthy: state.level > .withdrawn)
    switch words[announcement.name] {
    case .announce: (entry.level, entry.reason) = (.announced, "ordered; by health: \(state.reason)")
    case .withdraw: (entry.level, entry.reason) = (.withdrawn, "ordered")
    case nil:
      if entry.level == .withdrawn, announcement.lastSite == .lastSite, !isElsewhere(announcement.name) {
        entry.isLast = true
        entry.level = announcement.degrade == nil ? .announced : .degraded
        entry.reason = "kept, since no other site announces it; by health: \(state.reason)"
      }
    }
    switch leaving {
    case .degraded: if entry.level == .announced { (entry.level, entry.reason) = (.degraded, "the node leaves") }
    case .withdrawn: (entry.level, entry.reason) = (.withdrawn, "the node leaves")
    case nil: break
    }
    return entry
  }

  /// Whether somebody takes over: a site that is well, or of the sick ones the lowest name, so that two
  /// which see each other announce do not both withdraw.
  private func isElsewhere(_ name: String) -> Bool {
    elsewhere[name]?.contains { $0.isAnnounced && ($0.isHealthy || $0.site < site) } == true
  }

  /// The routes that follow.
  package func routes(_ bgp: BGPTopology) -> [IPPrefix: BGPOrder.Route] {
    var routes: [IPPrefix: BGPOrder.Route] = [:]
    for (announcement, entry) in zip(bgp.announcements, entries) where entry.level != .withdrawn {
      var terms = entry.level == .degraded ? announcement.degrade?.terms ?? announcement.terms : announcement.terms
      if case .degraded = leaving {
        terms.prepend = min(64, terms.prepend + bgp.drain.prepend)
        if bgp.drain.gracefulShutdown {
          terms.communities.insert(BGPTerms.gracefulShutdown)
          // RFC 8326 §4.1 asks receivers to lower it; inside the AS we say it ourselves.
          terms.localPreference = 0
        }
      }
      for prefix in announcement.prefixes {
        routes[prefix] = BGPOrder.Route(terms: terms, speakers: announcement.speakers)
      }
    }
    return routes
  }
}

extension BGPAnnouncement {
  /// What health alone asks for, and why.
  func goal(_ world: World) -> (AnnouncementLevel, String) {
    guard let missing = conditions.firstMissing(world) else {
      return (.announced, conditions.isEmpty ? "always" : conditions.summary(world))
    }
    guard let degrade, degrade.conditions.firstMissing(world) == nil else { return (.withdrawn, missing) }
    return (.degraded, missing)
  }
}

extension [BGPAnnouncement.Condition] {
  /// The first that does not hold, in words; nil: all do.
  func firstMissing(_ world: World) -> String? {
    for condition in self {
      for pool in condition.pools(world.topology) {
        let (healthy, all) = world.healthy(pool)
        let needed = condition.needed(of: all)
        if healthy < needed { return "pool \(pool): \(healthy) of \(all) healthy, \(needed) needed" }
      }
    }
    return nil
  }

  func summary(_ world: World) -> String {
    flatMap { $0.pools(world.topology) }.map { pool in
      let (healthy, all) = world.healthy(pool)
      return "pool \(pool): \(healthy) of \(all) healthy"
    }.joined(separator: "; ")
  }
}

extension BGPAnnouncement.Condition {
  fileprivate func pools(_ topology: Topology) -> [String] {
    switch subject {
    case .pool(let name): return [name]
    case .listener(let name):
      let routes = topology.listeners.first { $0.name == name }?.routes ?? []
      return Set(routes.flatMap(\.action.pools)).sorted()
    }
  }

  fileprivate func needed(of all: Int) -> Int {
    switch healthy {
    case .count(let count): count
    // Rounded up: 50% of three are two.
    case .share(let share): Swift.max(1, Int((share * Double(all)).rounded(.up)))
    }
  }
}

extension World {
  /// Of a pool's backends: those that are well and wanted, and all.
  fileprivate func healthy(_ name: String) -> (healthy: Int, all: Int) {
    guard let index = topology.pools.firstIndex(where: { $0.name == name }) else { return (0, 0) }
    let healthy = standings[index].count { $0.verdict.takesTraffic && $0.state == .ready && $0.weight > 0 }
    return (healthy, standings[index].count)
  }
}

extension BGPTerms {
  /// RFC 8326.
  package static let gracefulShutdown: UInt32 = 0xffff_0000
}

extension Action {
  fileprivate var pools: [String] {
    switch self {
    case .pool(let name): [name]
    case .split(let parts): parts.filter { $0.weight > 0 }.map(\.pool)
    case .redirect, .respond: []
    }
  }
}
