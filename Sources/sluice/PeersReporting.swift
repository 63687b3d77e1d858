internal import Admin
internal import Model
internal import Node
internal import Peering

extension PeersReport {
  init(_ snapshot: NodeSnapshot) {
    let topology = snapshot.topology
    let peers = (topology.peers?.nodes ?? []).filter { $0.name != topology.node.name }
    self.init(
      node: topology.node.name, site: topology.node.site,
      peers: peers.map { Peer($0, snapshot.peers.peers[$0.name], at: snapshot.now) },
      overrides: snapshot.peers.registers.entries.values.map(Override.init).sorted {
        ($0.pool, $0.backend, $0.kind) < ($1.pool, $1.backend, $1.kind)
      })
  }
}

extension PeersReport.Peer {
  init(_ node: PeerSettings.Node, _ peer: PeerBook.Peer?, at now: Instant) {
    self.init(
      name: node.name, address: "\(node.address)", link: (peer?.link ?? .down).rawValue, reason: peer?.reason ?? "",
      sinceSeconds: peer.map { (now - $0.since).reportedSeconds } ?? 0)
    guard let peer else { return }
    site = peer.introduction?.site
    version = peer.introduction?.version
    skewMilliseconds = peer.introduction?.skew
    ageSeconds = peer.lastHeard.map { (now - $0).reportedSeconds }
    roundTripMilliseconds = peer.roundTrip.map { Double($0.nanoseconds / 1_000) / 1_000 }
    phase = peer.facts.map { "\($0.phase)" }
    generation = peer.facts?.generation
    hears = (peer.facts?.links ?? []).filter(\.isUp).map(\.name)
    for (key, report) in peer.reports.sorted(by: { ($0.key.kind, $0.key.name) < ($1.key.kind, $1.key.name) }) {
      switch report {
      case .pool(let name, let facts):
        pools.append(
          .init(
            name: name, up: facts.up, total: facts.total, inFlight: facts.inFlight, capacity: facts.capacity))
      case .announcement(let name, let facts):
        self.facts.append(.init(kind: "announcement", name: name, state: "\(facts.state)", reason: facts.reason))
      case .vip(let name, let facts):
        let reason = "priority \(facts.priority)"
        self.facts.append(.init(kind: "vip", name: name, state: "\(facts.state)", reason: reason))
      case .verdict(let name, let facts):
        self.facts.append(.init(kind: "verdict", name: name, state: "\(facts.state)", reason: facts.reason))
      case .other: self.facts.append(.init(kind: "\(key.kind)", name: key.name, state: "", reason: ""))
      case .node: break
      }
    }
  }
}

extension PeersReport.Override {
  init(_ register: Register) {
    let kind: String =
      switch RegisterKey.Kind(rawValue: register.key.kind) {
      case .state: "state"
      case .weight: "weight"
      case .site: "site"
      case .vip: "vip"
      case .floating: "floating-ip"
      case nil: "\(register.key.kind)"
      }
    self.init(
      pool: register.key.pool, backend: register.key.backend, kind: kind,
      value: register.value.isEmpty ? nil : register.value, node: register.stamp.node,
      milliseconds: register.stamp.milliseconds)
  }
}
