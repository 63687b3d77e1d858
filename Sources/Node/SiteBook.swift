package import Model

/// What observers say of sites, and what operators want of them; the rule that makes a standing of both.
package struct SiteBook: Sendable {
  /// An operator's order: the site's addresses are not answered with.
  package struct Drain: Hashable, Sendable {
    package var since: Instant
    /// nil: until it is taken back.
    package var until: Instant?
  }

  /// What another node said last.
  package struct Report: Hashable, Sendable {
    /// When it was last heard.
    package var at: Instant
    /// The link to it is up, so that what it said holds until it says otherwise.
    package var isLinked: Bool
    /// Sites that it sees, and whether they are up.
    package var sites: [String: Bool]
    /// All that it has under way itself.
    package var load: SiteLoad?

    package init(at: Instant, isLinked: Bool = false, sites: [String: Bool], load: SiteLoad? = nil) {
      self.at = at
      self.isLinked = isLinked
      self.sites = sites
      self.load = load
    }

    func counts(for site: Site, at now: Instant) -> Bool { isLinked || now - at <= site.staleAfter }
  }

  package private(set) var drains: [String: Drain] = [:]
  package private(set) var reports: [String: Report] = [:]

  package init() {}

  /// - Returns: false when the order changes nothing.
  package mutating func order(_ site: String, _ order: SiteOrder, at now: Instant) -> Bool {
    switch order {
    case .drain(let duration): drains[site] = Drain(since: now, until: duration.map { now + $0 })
    case .ready: return drains.removeValue(forKey: site) != nil
    }
    return true
  }

  /// - Parameter report: nil when it is no peer any more.
  /// - Returns: whether some site may stand otherwise now; load alone does not do that.
  @discardableResult package mutating func hear(_ node: String, _ report: Report?) -> Bool {
    let before = reports[node]
    reports[node] = report
    return before?.sites != report?.sites || before?.isLinked != report?.isLinked
  }

  /// Sites that are not configured any more are forgotten.
  package mutating func reconcile(_ sites: [Site]) {
    let names = Set(sites.map(\.name))
    drains = drains.filter { names.contains($0.key) }
  }

  /// Ends drains whose time is over; their names.
  package mutating func tick(at now: Instant) -> [String] {
    let over = drains.filter { $0.value.until.map { $0 <= now } ?? false }.map(\.key)
    for name in over { drains[name] = nil }
    return over.sorted()
  }

  /// When time alone changes something: a drain ends, a report becomes stale. Recoveries are in the standings.
  package func nextDeadline(_ sites: [Site], at now: Instant) -> Instant? {
    let ends = drains.values.compactMap(\.until)
    var stale: [Instant] = []
    for site in sites {
      for report in reports.values where !report.isLinked { stale.append(report.at + site.staleAfter) }
    }
    return (ends + stale.filter { $0 > now }).min()
  }

  /// How each site stands.
  /// - Parameter own: by site, what this node's probes see; nil where it has none.
  package func standings(
    _ sites: [Site], own: [String: Bool], previous: [String: SiteStanding], at now: Instant
  ) -> [String: SiteStanding] {
    var result: [String: SiteStanding] = [:]
    for site in sites {
      var standing = judge(site, own: own[site.name], previous: previous[site.name], at: now)
      // What stays as it was keeps its time.
      if let before = previous[site.name], before.state == standing.state, before.isUp == standing.isUp {
        standing.since = before.since
      }
      result[site.name] = standing
    }
    return result
  }

  private func judge(_ site: Site, own: Bool?, previous: SiteStanding?, at now: Instant) -> SiteStanding {
    if let drain = drains[site.name] {
      var standing = SiteStanding(.drained, isUp: false, reason: "drained by an operator", since: drain.since)
      standing.until = drain.until
      return standing
    }
    var votes = reports.values.filter { $0.counts(for: site, at: now) }.compactMap { $0.sites[site.name] }
    if let own { votes.append(own) }
    guard !votes.isEmpty else {
      let isUp =
        switch site.whenStale {
        case .keep: previous.map { $0.state == .drained || $0.isUp } ?? true
        case .down: false
        case .up: true
        }
      return SiteStanding(
        .stale, isUp: isUp, reason: "nobody is heard that sees it: \(site.whenStale.rawValue)", since: now)
    }
    let down = votes.count { !$0 }
    let needed = site.quorum ?? votes.count / 2 + 1
    let tally = "\(down) of \(votes.count) observers say down, \(needed) needed"
    guard down < needed else { return SiteStanding(.down, isUp: false, reason: tally, since: now) }
    return recovery(site, tally, previous, at: now) ?? SiteStanding(.up, isUp: true, reason: tally, since: now)
  }

  /// A site that was down is believed only when it has been well for some time: nil when it has.
  private func recovery(_ site: Site, _ tally: String, _ previous: SiteStanding?, at now: Instant) -> SiteStanding? {
    guard let previous, previous.state == .down else { return nil }
    let begun = previous.recovering ?? now
    guard now - begun < site.upAfter else { return nil }
    var standing = SiteStanding(.down, isUp: false, reason: "recovers: \(tally)", since: now)
    standing.recovering = begun
    standing.until = begun + site.upAfter
    return standing
  }

  // MARK: For people, and for load

  /// Who says what of a site, by name.
  package func observers(of site: Site, at now: Instant) -> [SiteObserver] {
    reports.compactMap { node, report in
      report.sites[site.name].map {
        SiteObserver(node: node, isUp: $0, age: now - report.at, counts: report.counts(for: site, at: now))
      }
    }.sorted { $0.node < $1.node }
  }

  /// What is under way at each site, by the nodes there that are heard.
  /// - Parameter own: this node's name and load.
  package func loads(_ sites: [Site], own: (node: String, load: SiteLoad)?, at now: Instant) -> [String: SiteLoad] {
    var result: [String: SiteLoad] = [:]
    for site in sites {
      for node in site.nodes {
        let heard = reports[node].flatMap { $0.counts(for: site, at: now) ? $0.load : nil }
        guard let load = node == own?.node ? own?.load : heard else { continue }
        result[site.name, default: SiteLoad()].add(load)
      }
    }
    return result
  }
}

/// What one peer says of a site.
package struct SiteObserver: Hashable, Sendable {
  package var node: String
  package var isUp: Bool
  /// Since it was last heard.
  package var age: Duration
  /// Whether it is fresh enough to count.
  package var counts: Bool
}
