package import Model

/// Every announcement of the node: health, operators and drains in; the set of routes out.
package struct AnnouncementBook: Sendable {
  /// What an operator wants of one announcement, whatever its health.
  package enum Word: Hashable, Sendable {
    case withdraw
    case announce
  }

  /// The node leaves, in this order.
  package enum Leaving: Hashable, Sendable {
    /// Clients are asked to end their connections; new ones are still taken.
    case parting(Instant)
    /// New ones wait at the door, until nobody has been inside for a while.
    case holding(Instant, lastBusy: Instant)
    /// Less preferred since then.
    case degraded(Instant)
    case withdrawn

    /// Idle clients get half a second from the data plane.
    static let parting = Duration.milliseconds(600)
    /// A handshake that was under way when the door closed has ended by then, and so have the last bytes of answers.
    static let quiet = Duration.milliseconds(300)
    static let poll = Duration.milliseconds(10)
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
    /// What is said to the other sites of it.
    package var word = LastSite()
  }

  package private(set) var entries: [Entry] = []
  package private(set) var words: [String: Word] = [:]
  package private(set) var leaving: Leaving?
  /// Our name among the sites.
  package var site = ""
  /// By announcement; what peers said last.
  package var elsewhere: [String: [SiteWord]] = [:]
  /// There are peers that are not heard.
  package var isDeaf = false
  private var guards: [String: LastSite] = [:]
  private var states: [String: AnnouncementState] = [:]
  private var deadlines: [Instant] = []

  package init() {}

  package var nextDeadline: Instant? { deadlines.min() }

  package mutating func set(_ word: Word?, for name: String) { words[name] = word }

  /// - Parameter finish: how long open connections may take to end before routes move; zero: not at all.
  package mutating func leave(finish: Duration = .zero, at now: Instant) {
    if leaving == nil { leaving = finish > .zero ? .parting(now) : .degraded(now) }
  }
  package mutating func stay() { leaving = nil }

  /// What the listeners do while the node leaves.
  package var doors: Doors {
    switch leaving {
    case .parting: .parting
    case .holding, .degraded: .held
    case .withdrawn, nil: .open
    }
  }

  /// Judges every announcement anew.
  /// - Parameters:
  ///   - vips: those that this node has.
  ///   - connections: of clients, open now.
  /// - Returns: those whose level or reason for being kept changed, for the event log.
  package mutating func judge(
    _ bgp: BGPTopology?, _ world: World, vips: Set<String> = [], connections: Int = 0, at now: Instant
  ) -> [Entry] {
    let announcements = bgp?.announcements ?? []
    let names = Set(announcements.map(\.name))
    states = states.filter { names.contains($0.key) }
    guards = guards.filter { names.contains($0.key) }
    words = words.filter { names.contains($0.key) }
    deadlines = []
    if let bgp { goOnLeaving(bgp.drain, connections, at: now) }
    let before = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
    let convergence = bgp?.drain.convergence ?? .zero
    entries = announcements.map { entry($0, before[$0.name], world, vips, convergence, at: now) }
    return entries.filter { entry in
      guard let old = before[entry.name] else { return true }
      return old.level != entry.level || old.isLast != entry.isLast
    }
  }

  private mutating func goOnLeaving(_ drain: BGPDrain, _ connections: Int, at now: Instant) {
    if case .parting(let since) = leaving, since + Leaving.parting <= now { leaving = .holding(now, lastBusy: now) }
    if case .holding(let since, let lastBusy) = leaving {
      let busy = connections > 0 ? now : lastBusy
      // What takes longer meets another site, which does not know it.
      let isOver = now - busy >= Leaving.quiet || now - since >= drain.finish
      leaving = isOver ? .degraded(now) : .holding(since, lastBusy: busy)
    }
    if case .degraded(let since) = leaving, since + drain.convergence <= now { leaving = .withdrawn }
    switch leaving {
    case .parting(let since): deadlines.append(since + Leaving.parting)
    case .holding: deadlines.append(now + Leaving.poll)
    case .degraded(let since): deadlines.append(since + drain.convergence)
    case .withdrawn, nil: break
    }
  }

  private mutating func entry(
    _ announcement: BGPAnnouncement, _ before: Entry?, _ world: World, _ vips: Set<String>,
    _ convergence: Duration, at now: Instant
  ) -> Entry {
    let name = announcement.name
    let (goal, why) = announcement.goal(world, vips)
    var state = states[name] ?? AnnouncementState(at: now)
    state.judge(goal, reason: why, upAfter: announcement.upAfter, downAfter: announcement.downAfter, at: now)
    states[name] = state
    if let due = state.deadline(upAfter: announcement.upAfter, downAfter: announcement.downAfter) {
      deadlines.append(due)
    }
    var entry = Entry(
      name: name, prefixes: announcement.prefixes, level: state.level, reason: state.reason,
      since: state.since, isLast: false, isHealthy: state.level > .withdrawn)
    switch words[name] {
    case .announce: (entry.level, entry.reason) = (.announced, "ordered; by health: \(state.reason)")
    case .withdraw: (entry.level, entry.reason) = (.withdrawn, "ordered")
    case nil: break
    }
    if announcement.lastSite == .lastSite { heed(announcement, before, convergence, &entry, at: now) }
    switch leaving {
    case .degraded: if entry.level == .announced { (entry.level, entry.reason) = (.degraded, "the node leaves") }
    case .withdrawn: (entry.level, entry.reason) = (.withdrawn, "the node leaves")
    case .parting, .holding, nil: break
    }
    return entry
  }

  /// A site that is sick leaves only when another one has promised to stay.
  private mutating func heed(
    _ announcement: BGPAnnouncement, _ before: Entry?, _ convergence: Duration, _ entry: inout Entry, at now: Instant
  ) {
    var last = guards[entry.name] ?? LastSite()
    defer {
      guards[entry.name] = last
      entry.word = last
    }
    // An operator's word needs nobody's consent.
    guard leaving == nil, words[entry.name] != .withdraw else { return last.leave() }
    let others = elsewhere[entry.name] ?? []
    let outcome = last.judge(
      isWell: entry.level > .withdrawn, name: site, others: others, isDeaf: isDeaf, convergence: convergence, at: now)
    if let due = last.deadline { deadlines.append(due) }
    switch outcome {
    case .well, .out: break
    case .asking:
      entry.level = before.map(\.level) ?? .announced
      entry.reason = "asks the other sites; by health: \(entry.reason)"
    case .last:
      entry.isLast = true
      entry.level = announcement.degrade == nil ? .announced : .degraded
      entry.reason = "kept, since no other site announces it; by health: \(entry.reason)"
    }
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

extension BGPTerms {
  /// RFC 8326.
  package static let gracefulShutdown: UInt32 = 0xffff_0000
}
