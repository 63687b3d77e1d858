internal import Model
internal import Peering

/// Sites of the name service over several nodes: what they say of them, what an operator says to one of them.
extension Node {
  /// What this node's own probes see, never what it made of others' words: an echo is no second observer.
  func siteReports() -> [PeerReport] {
    guard let world else { return [] }
    return world.siteVotes.sorted { $0.key < $1.key }.map { name, isUp in
      let index = world.topology.pools.firstIndex { $0.name == Site.pool(of: name) }
      let standings = index.map { world.standings[$0] } ?? []
      let well = standings.count { $0.verdict.takesTraffic }
      return .verdict(
        name,
        PeerReport.VerdictFacts(
          state: isUp ? .up : .down, since: standings.map(\.verdict.since).max().map(wallSeconds) ?? 0,
          reason: "\(well) of \(standings.count) addresses are well"))
    }
  }

  /// Tells the name server what the sites have under way.
  func orderSiteLoads(at now: Instant) {
    guard let names = truth.topology.names, names.sites.contains(where: { !$0.nodes.isEmpty }) else { return }
    let own = truth.topology.node.name.map { (node: $0, load: SiteLoad(poolReports())) }
    let loads = truth.sites.loads(names.sites, own: own, at: now)
    guard loads != siteLoads else { return }
    siteLoads = loads
    ports.names.applySiteLoads(loads)
  }

  /// Tells what has become of names, after what led to it.
  func tell(of turns: [NameTurn], at now: Instant) {
    for turn in turns { record(.name, subject: turn.name, "\(turn)", because: cause(of: turn, at: now)) }
  }

  /// An operator's word on a site holds on all nodes.
  func share(_ order: SiteOrder, for site: String) {
    guard let name = truth.topology.node.name, truth.topology.peers != nil else { return }
    let wall = ports.wallClock()
    truth.share(order.word(wall: wall), RegisterKey(site: site), node: name, wall: wall)
    tellPeers()
  }

  /// Another node's operator on a site.
  func take(_ register: Register, at now: Instant) {
    guard let order = SiteOrder(register.value, wall: ports.wallClock()),
      (try? truth.observe(.site(register.key.pool, order), at: now)) == true
    else { return }
    isDirty = true
    let event = record(.override, nil, "site \(register.key.pool): \(order), said on \(register.stamp.node)")
    causes.note(order, site: register.key.pool, event, at: now)
  }

  /// What was said of sites that have just come.
  func adoptSiteWords(except known: Set<String> = [], at now: Instant) {
    for site in truth.topology.names?.sites ?? [] where !known.contains(site.name) {
      guard let register = truth.peers.registers[RegisterKey(site: site.name)] else { continue }
      take(register, at: now)
    }
  }
}

extension World {
  /// What this node's own probes see of each site that it watches.
  var siteVotes: [String: Bool] {
    var votes: [String: Bool] = [:]
    for site in topology.names?.sites ?? [] {
      guard let index = topology.pools.firstIndex(where: { $0.name == site.pool }), topology.pools[index].probe != nil
      else { continue }
      votes[site.name] = standings[index].contains { $0.verdict.takesTraffic }
    }
    return votes
  }
}

extension Truth {
  func siteObservers(at now: Instant) -> [String: [SiteObserver]] {
    var result: [String: [SiteObserver]] = [:]
    for site in topology.names?.sites ?? [] { result[site.name] = sites.observers(of: site, at: now) }
    return result
  }
}

extension SiteBook.Report {
  init(_ peer: PeerBook.Peer) {
    self.init(at: peer.lastHeard ?? peer.since, isLinked: peer.link == .up, sites: [:])
    for case .verdict(let site, let facts) in peer.reports.values {
      switch facts.state {
      case .up: sites[site] = true
      case .down: sites[site] = false
      case .unknown: break
      }
    }
    if !peer.reports.isEmpty { load = SiteLoad(Array(peer.reports.values)) }
  }
}

extension SiteLoad {
  /// A backend without a limit counts as a hundred, which is the default weight.
  init(_ reports: [PeerReport]) {
    self.init()
    for case .pool(_, let facts) in reports {
      add(
        SiteLoad(
          underWay: Int(facts.inFlight), capacity: facts.capacity > 0 ? Int(facts.capacity) : Int(facts.up) * 100))
    }
  }
}

extension SiteOrder {
  /// As a register's value; a time is told by the wall clock, which nodes share about as well as they need to here.
  func word(wall: Int64) -> String {
    switch self {
    case .drain(nil): "drain"
    case .drain(let duration?): "drain \(wall + duration.milliseconds)"
    case .ready: "ready"
    }
  }

  /// nil: this version does not know it.
  init?(_ word: String, wall: Int64) {
    switch word.split(separator: " ").first {
    case "ready": self = .ready
    case "drain" where word == "drain": self = .drain(nil)
    case "drain":
      guard let until = word.split(separator: " ").last.flatMap({ Int64($0) }) else { return nil }
      // A drain that is over is as good as taken back.
      self = until > wall ? .drain(.milliseconds(min(until - wall, 1 << 40))) : .ready
    default: return nil
    }
  }
}
