internal import Model
package import Peering
internal import Planner
internal import Telemetry

/// What a node says to its peers, and what it makes of what they say.
extension Node {
  /// All that this node says of itself, as a set; other parts of the node add theirs here.
  func reports() -> [PeerReport] {
    let links = truth.peers.peers.map { PeerReport.NodeFacts.Link(name: $0.key, isUp: $0.value.link == .up) }
    let phase: PeerReport.NodeFacts.Phase =
      switch self.phase {
      case .starting: .starting
      case .serving: .serving
      case .draining: .draining
      }
    let facts = PeerReport.NodeFacts(
      phase: phase, generation: world?.generation ?? 0, links: links.sorted { $0.name < $1.name })
    return [.node(facts)] + poolReports() + siteReports() + announcementReports() + vipReports()
  }

  func poolReports() -> [PeerReport] {
    guard let world else { return [] }
    let statistics = ports.statistics()
    return zip(world.topology.pools, world.standings).compactMap { pool, standings in
      // Pools that only watch addresses of names carry nothing.
      guard !pool.isWatch else { return nil }
      let up = standings.filter { $0.effectiveWeight > 0 && $0.verdict.takesTraffic }
      let isBounded = !up.isEmpty && up.allSatisfy { $0.maxConnections != nil }
      let inFlight = standings.reduce(into: UInt64(0)) { $0 += statistics.backends[$1.slot]?.inFlight ?? 0 }
      return .pool(
        pool.name,
        PeerReport.PoolFacts(
          up: UInt32(clamping: up.count), total: UInt32(clamping: standings.count),
          inFlight: UInt32(clamping: inFlight),
          capacity: isBounded ? UInt32(clamping: up.reduce(0) { $0 + ($1.maxConnections ?? 0) }) : 0))
    }
  }

  /// A moment in milliseconds since 1970, to the second, so that the same moment is told the same way every time.
  func wallSeconds(of moment: Instant) -> UInt64 {
    let wall = ports.wallClock() - (ports.now() - moment).milliseconds
    return UInt64(max(0, (wall + 500) / 1_000 * 1_000))
  }

  /// Tells the peers what has changed; what has not costs nothing.
  func tellPeers() {
    guard truth.topology.peers != nil, !isHeldBack else { return }
    var content = Neighborhood.Content()
    content.reports = reports()
    content.registers = truth.peers.registers
    guard content != said else { return }
    said = content
    ports.sayToPeers(content)
  }

  /// The peers of the configuration that is in force.
  func orderPeers() {
    guard !isHeldBack else { return }
    let settings = truth.topology.peers.map {
      Neighborhood.Settings(
        name: truth.topology.node.name ?? "", site: truth.topology.node.site ?? "", version: version, peers: $0)
    }
    if settings != peerSettings {
      peerSettings = settings
      ports.applyPeers(settings)
    }
    tellPeers()
  }

  func observe(_ observation: PeerObservation, at now: Instant) {
    switch truth.observe(observation, at: now) {
    case .up(let name): record(.peerUp, subject: name, introduction(name))
    case .down(let name, let reason): record(.peerDown, subject: name, reason)
    case .stale(let name): record(.peerStale, subject: name, "what it said is old")
    case nil: break
    }
    switch observation {
    case .reports, .up, .down, .stale, .gone: if phase == .serving { reconcileAnnouncements(at: now) }
    default: break
    }
    if truth.takeSiteNews(), truth.topology.names?.sites.isEmpty == false {
      isDirty = true
      publishIfDue(at: now)
    }
    switch observation {
    case .registers(let peer, let registers): takeOver(registers, from: peer, at: now)
    case .deaf(let reason): record(.peerDown, subject: "", reason)
    case .turnedAway(let reason): recordStranger("\(reason)", at: now)
    // The load of this node goes out as often as a peer is heard.
    case .heard, .up, .down:
      tellPeers()
      orderSiteLoads(at: now)
    default: break
    }
  }

  private func introduction(_ name: String) -> String {
    guard let known = truth.peers.peers[name]?.introduction else { return "" }
    let site = known.site.isEmpty ? "" : "site \(known.site), "
    let skew = abs(known.skew) >= 2_000 ? ", its clock differs by \(known.skew) ms" : ""
    return "\(site)version \(known.version)\(skew)"
  }

  /// Operators' words from another node: they hold here as they do there.
  private func takeOver(_ registers: [Register], from peer: String, at now: Instant) {
    let news = truth.merge(registers)
    for register in news {
      if register.key.kind == RegisterKey.Kind.site.rawValue { take(register, at: now) }
      if register.key.kind == RegisterKey.Kind.vip.rawValue { take(vipMove: register) }
      if register.isFloating { followFloating() }
      let key = BackendKey(pool: register.key.pool, backend: register.key.backend)
      // A backend that this node does not have keeps its word for when it comes.
      guard let order = register.key.order(register.value), truth.differs(order, for: key),
        (try? truth.observe(.override(key, order), at: now)) == true
      else { continue }
      isDirty = true
      causes.note(order, key, record(.override, key, "\(order), said on \(register.stamp.node)"), at: now)
    }
    guard !news.isEmpty else { return }
    keepOrders()
    publishIfDue(at: now)
    orderProbes()
    tellPeers()
  }

  /// Once a minute: whoever knocks must not fill the log.
  private func recordStranger(_ reason: String, at now: Instant) {
    guard nextStranger.map({ $0 <= now }) ?? true else { return }
    nextStranger = now + .seconds(60)
    record(.peerRefused, subject: "", "a caller was turned away: \(reason)")
  }

  /// An operator's word holds on all nodes.
  func share(_ order: Change.Order, for key: BackendKey) {
    guard let name = truth.topology.node.name, truth.topology.peers != nil else { return }
    truth.share(order.word, RegisterKey(order, key), node: name, wall: ports.wallClock())
    tellPeers()
  }

  /// What a new file made void here is no longer said. Peers keep it until their own file says so too, and a
  /// backend that is gone here may live there.
  func takeBack(_ before: Overrides) {
    guard let name = truth.topology.node.name, truth.topology.peers != nil else { return }
    let lost =
      before.states.keys.filter { truth.overrides.states[$0] == nil }.map { ($0, RegisterKey.Kind.state) }
      + before.weights.keys.filter { truth.overrides.weights[$0] == nil }.map { ($0, RegisterKey.Kind.weight) }
    for (key, kind) in lost where truth.knows(key) {
      truth.share(nil, RegisterKey(kind, pool: key.pool, backend: key.backend), node: name, wall: ports.wallClock())
    }
  }

  /// A letter to another node; the receipt comes as an observation.
  package func post(_ letter: Neighborhood.Letter) { ports.postToPeer(letter) }
}
