internal import Admin
internal import Config
internal import Foundation
internal import Model
internal import Node
internal import Planner

/// The API's questions and orders to the speakers.
extension Operations {
  func bgpStatus() async -> BGPStatusReport {
    let view = await node.announcementsView()
    return BGPStatusReport(view, await node.ports.bgp.peers())
  }

  func bgpRoutes(peer: String) async throws(AdminError) -> BGPRoutesReport {
    guard let tables = await node.ports.bgp.tables(peer) else {
      let meant = Nearest.word(to: peer, among: await node.ports.bgp.peers().map(\.name))
      throw AdminError(
        .notFound, "there is no peer \(peer)",
        hint: "\(meant.map { "did you mean `\($0)`? " } ?? "")`sluice bgp status` lists them")
    }
    return BGPRoutesReport(
      peer: peer, announced: tables.announced.map { .init($0) }, received: tables.received.map { .init($0) })
  }

  func bgp(_ order: AnnouncementOrder, announcement: String) async throws(AdminError) -> BGPStatusReport {
    switch order {
    case .announce: try await command(.announce(announcement))
    case .withdraw: try await command(.withdraw(announcement))
    case .automatic: try await command(.automatic(announcement))
    }
  }

  func bgp(_ order: BGPNodeOrder) async throws(AdminError) -> BGPStatusReport {
    switch order {
    case .drain: return try await command(.drain)
    case .stay: return try await command(.stay)
    case .restart:
      do {
        try await node.planRestart()
      } catch {
        throw AdminError(error)
      }
      let report = await bgpStatus()
      // The way of every stop.
      kill(getpid(), SIGTERM)
      return report
    }
  }

  private func command(_ command: AnnouncementCommand) async throws(AdminError) -> BGPStatusReport {
    do {
      try await node.apply(.announcement(command))
    } catch {
      throw await explained(error)
    }
    return await bgpStatus()
  }
}

extension BGPStatusReport {
  init(_ view: AnnouncementsView, _ peers: [BGPPeerState]) {
    self.init(
      autonomousSystem: view.bgp?.localAS, routerID: view.bgp.map { "\(IPAddress(v4: $0.identifier))" },
      leaving: view.leaving?.word,
      peers: peers.map { Peer($0, view.now) },
      announcements: view.entries.map { entry in
        Announcement(
          name: entry.name, prefixes: entry.prefixes.map(\.description), level: "\(entry.level)", reason: entry.reason,
          sinceSeconds: Double((view.now - entry.since).milliseconds) / 1_000, isLast: entry.isLast)
      })
  }
}

extension BGPStatusReport.Peer {
  init(_ peer: BGPPeerState, _ now: Instant) {
    let counters = peer.counters
    self.init(
      name: peer.name, address: "\(peer.address)", state: peer.state,
      sinceSeconds: Double((now - peer.since).milliseconds) / 1_000, autonomousSystem: peer.peerAS,
      routerID: peer.identifier.map { "\(IPAddress(v4: $0))" }, bfd: peer.bfd, holdTime: peer.holdTime,
      families: peer.families.map { $0 == .v4 ? "ipv4" : "ipv6" }, capabilities: peer.capabilities,
      announced: peer.announced, received: peer.received, lastError: peer.lastError, messagesIn: counters.messagesIn,
      messagesOut: counters.messagesOut, updatesIn: counters.updatesIn, notificationsIn: counters.notificationsIn,
      notificationsOut: counters.notificationsOut, established: counters.established,
      treatedAsWithdraw: counters.treatedAsWithdraw, attributesDiscarded: counters.attributesDiscarded,
      errors: counters.errors)
  }
}

extension BGPRoutesReport.Route {
  init(_ route: BGPRouteView) {
    self.init(
      prefix: "\(route.prefix)", nextHop: "\(route.nextHop)", path: route.path, origin: route.origin, med: route.med,
      localPreference: route.localPreference, communities: route.communities)
  }
}

extension AnnouncementBook.Leaving {
  fileprivate var word: String {
    switch self {
    case .parting: "parting"
    case .holding: "holding"
    case .degraded: "degraded"
    case .withdrawn: "withdrawn"
    }
  }
}
