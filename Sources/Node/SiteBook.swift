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
    package var at: Instant
    /// Sites that it sees, and whether they are up.
    package var sites: [String: Bool]
    /// Its own load in proportion to its capacity.
    package var load: Double?

    package init(at: Instant, sites: [String: Bool], load: Double? = nil) {
      self.at = at
      self.sites = sites
      self.load = load
    }
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

  package mutating func hear(_ node: String, _ report: Report) { reports[node] = report }

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

  /// When time alone changes something: a drain ends, a report becomes stale.
  package func nextDeadline(_ sites: [Site], at now: Instant) -> Instant? {
    let ends = drains.values.compactMap(\.until)
    var stale: [Instant] = []
    for site in sites { for report in reports.values { stale.append(report.at + site.staleAfter) } }
    return (ends + stale.filter { $0 > now }).min()
  }

  /// How each site stands.
  /// - Parameter own: by site, what this node's probes see; nil where it has none.
  package func standings(
    _ sites: [Site], own: [String: Bool?], previous: [String: SiteStanding], at now: Instant
  ) -> [String: SiteStanding] {
    var result: [String: SiteStanding] = [:]
    for site in sites {
      var standing = judge(site, own: own[site.name] ?? nil, previous: previous[site.name], at: now)
      // What stays as it was keeps its time.
      if let before = previous[site.name], before.state == standing.state, before.isUp == standing.isUp {
        standing.since = before.since
      }
      standing.load = load(of: site, at: now)
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
    var votes = reports.values.filter { now - $0.at <= site.staleAfter }.compactMap { $0.sites[site.name] }
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
    let isDown = down >= needed
    return SiteStanding(
      isDown ? .down : .up, isUp: !isDown,
      reason: "\(down) of \(votes.count) observers say down, \(needed) needed", since: now)
  }

  /// The mean load of the site's nodes that tell.
  private func load(of site: Site, at now: Instant) -> Double? {
    let loads = site.nodes.compactMap { node -> Double? in
      guard let report = reports[node], now - report.at <= site.staleAfter else { return nil }
      return report.load
    }
    return loads.isEmpty ? nil : loads.reduce(0, +) / Double(loads.count)
  }
}
