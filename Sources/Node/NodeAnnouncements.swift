package import Model
internal import Peering
package import Planner

/// An operator's word on announcements.
package enum AnnouncementCommand: Hashable, Sendable {
  /// Withdrawn, whatever its health, until `automatic`.
  case withdraw(String)
  /// Announced, whatever its health, until `automatic`.
  case announce(String)
  case automatic(String)
  /// The node leaves: less preferred first, then withdrawn.
  case drain
  /// It comes back.
  case stay
}

/// What the node says to its routers.
package struct AnnouncementsView: Sendable {
  package var bgp: BGPTopology?
  package var entries: [AnnouncementBook.Entry]
  package var leaving: AnnouncementBook.Leaving?
  package var now: Instant
}

/// Announcements: judged with every change of health, told to the speakers as a set.
extension Node {
  /// Judges anew, and tells the speakers what is different.
  func reconcileAnnouncements(at now: Instant, isForced: Bool = false) {
    let bgp = truth.topology.bgp
    guard !isHeldBack, phase != .draining || !isBeingReplaced else { return }
    guard bgp != nil || lastOrder.topology != nil else { return }
    var order = BGPOrder(topology: bgp)
    // Before the first verdicts nothing is known to be announced or not.
    if let bgp, phase != .starting {
      heedSites(bgp)
      let connections = announcements.leaving == nil ? 0 : ports.openConnections()
      let before = Dictionary(uniqueKeysWithValues: announcements.entries.map { ($0.name, $0.level) })
      let news = announcements.judge(
        bgp, truth.plan(after: world, at: now), vips: truth.heldVIPs, connections: connections, at: now)
      for entry in news { noteAnnouncement(entry, because: cause(of: entry, since: before[entry.name], at: now)) }
      order.routes = announcements.routes(bgp)
      // Others wait for the answer.
      if bgp.guardsLastSite { tellPeers() }
    }
    if bgp == nil { announcements = AnnouncementBook() }
    orderDoors()
    guard order != lastOrder || isForced else { return }
    lastOrder = order
    ports.bgp.apply(order)
  }

  /// What the listeners do while the node leaves.
  private func orderDoors() {
    guard announcements.doors != doors else { return }
    doors = announcements.doors
    ports.setDoors(doors)
  }

  /// What the other sites say of our announcements; one that is not heard says nothing.
  private func heedSites(_ bgp: BGPTopology) {
    guard bgp.guardsLastSite else { return }
    announcements.site = truth.topology.node.name ?? ""
    announcements.elsewhere = [:]
    announcements.isDeaf = false
    for (name, peer) in truth.peers.peers {
      guard peer.link == .up, peer.facts != nil else {
        announcements.isDeaf = true
        continue
      }
      for case .announcement(let announcement, let facts) in peer.reports.values {
        let promises = Dictionary(facts.promises.map { ($0.node, $0.wish) }) { first, _ in first }
        announcements.elsewhere[announcement, default: []].append(
          SiteWord(site: name, isAnnounced: facts.state != .withdrawn, wish: facts.wish, promises: promises))
      }
    }
  }

  /// What this site says to the others.
  func announcementReports() -> [PeerReport] {
    announcements.entries.map { entry in
      let state: PeerReport.AnnouncementFacts.State =
        switch entry.level {
        case .announced: .announced
        case .degraded: .degraded
        case .withdrawn: .withdrawn
        }
      var facts = PeerReport.AnnouncementFacts(
        state: state, isLast: entry.isLast, since: wallSeconds(of: entry.since), reason: entry.reason)
      facts.wish = entry.word.wish
      facts.promises = entry.word.promises.sorted { $0.key < $1.key }.map { .init(node: $0.key, wish: $0.value) }
      return .announcement(entry.name, facts)
    }
  }

  func take(_ command: AnnouncementCommand, at now: Instant) throws(Refusal) {
    let known = truth.topology.bgp?.announcements.map(\.name) ?? []
    switch command {
    case .withdraw(let name), .announce(let name), .automatic(let name):
      guard known.contains(name) else { throw .noSuchAnnouncement(name) }
    case .drain, .stay: guard truth.topology.bgp != nil else { throw .noBGP }
    }
    switch command {
    case .withdraw(let name): announcements.set(.withdraw, for: name)
    case .announce(let name): announcements.set(.announce, for: name)
    case .automatic(let name): announcements.set(nil, for: name)
    case .drain: announcements.leave(finish: truth.topology.bgp?.drain.finish ?? .zero, at: now)
    case .stay: announcements.stay()
    }
    reconcileAnnouncements(at: now)
  }

  func take(_ report: BGPReport) {
    switch report {
    case .peer(let peer, let event): if let event { record(.bgp, subject: "speaker \(peer.name)", event) }
    case .gone(let name): record(.bgp, subject: "speaker \(name)", "gone")
    case .trouble(let text): record(.bgp, nil, text)
    }
  }

  private func noteAnnouncement(_ entry: AnnouncementBook.Entry, because cause: UInt64?) {
    let kind: Event.Kind =
      switch entry.level {
      case .announced: .announced
      case .degraded: .degraded
      case .withdrawn: .withdrawn
      }
    record(kind, subject: "announcement \(entry.name)", entry.reason, because: cause)
  }

  package func announcementsView() -> AnnouncementsView {
    AnnouncementsView(
      bgp: truth.topology.bgp, entries: announcements.entries, leaving: announcements.leaving, now: ports.now())
  }

  /// The first part of a stop: routers take the traffic elsewhere while everything still works.
  package func leave() async {
    guard phase == .serving, let bgp = truth.topology.bgp, !bgp.announcements.isEmpty, !isRestarting else { return }
    // Nobody to tell, nothing to wait for.
    guard await ports.bgp.peers().contains(where: \.isEstablished) else { return }
    try? take(.drain, at: ports.now())
    note(.draining, "routers are asked to prefer others, then to forget us")
    while announcements.leaving != .withdrawn {
      try? await Task.sleep(for: .milliseconds(20))
      reconcileAnnouncements(at: ports.now())
    }
    try? await Task.sleep(for: bgp.drain.settle)
  }

  /// The next stop is one that the node comes back from at once.
  package func planRestart() throws(Refusal) {
    guard truth.topology.bgp?.gracefulRestart != nil else { throw .noGracefulRestart }
    isRestarting = true
    note(.draining, "planned restart: routers keep the routes")
  }

  package var farewell: BGPFarewell { isRestarting ? .restart : .shutdown("sluice stops") }
}

extension BGPTopology {
  fileprivate var guardsLastSite: Bool { announcements.contains { $0.lastSite == .lastSite } }
}
