package import Model
package import Peering

/// What a node knows of its peers, and the words that all of them share.
package struct PeerBook: Hashable, Sendable {
  package struct Peer: Hashable, Sendable {
    package enum Link: String, Sendable {
      case up, down
      /// Down for longer than `peers.timeout`: what it said is old.
      case stale
    }

    package var link = Link.down
    /// Why it is not up; empty while it is.
    package var reason = ""
    /// Of `link`.
    package var since: Instant
    package var lastHeard: Instant?
    package var roundTrip: Duration?
    package var introduction: PeerObservation.Introduction?
    /// What it last said of itself: true now only while the link is up.
    package var reports: [PeerReportKey: PeerReport] = [:]
  }

  package private(set) var peers: [String: Peer] = [:]
  /// Operators' words, of all nodes.
  package private(set) var registers = Registers()
  private var clock = HybridClock()

  package init() {}

  /// Something to tell in the event log.
  enum Remark: Hashable {
    case up(String)
    case down(String, reason: String)
    case stale(String)
  }

  mutating func observe(_ observation: PeerObservation, at now: Instant) -> Remark? {
    switch observation {
    case .up(let name, let introduction):
      peers[name, default: Peer(since: now)].introduction = introduction
      peers[name]?.lastHeard = now
      set(.up, name, "", at: now)
      return .up(name)
    case .down(let name, let reason):
      let before = peers[name]
      // A peer that nobody has heard yet is news only when it comes.
      set(before?.link == .stale ? .stale : .down, name, reason, at: now)
      return before?.link == .up ? .down(name, reason: reason) : nil
    case .stale(let name):
      set(.stale, name, peers[name]?.reason ?? "", at: now)
      return .stale(name)
    case .gone(let name): peers[name] = nil
    case .heard(let name, let roundTrip):
      peers[name]?.lastHeard = now
      peers[name]?.roundTrip = roundTrip
    case .reports(let name, let reports):
      peers[name]?.lastHeard = now
      peers[name]?.reports = reports
    case .registers, .letter, .receipt, .deaf, .turnedAway: break
    }
    return nil
  }

  private mutating func set(_ link: Peer.Link, _ name: String, _ reason: String, at now: Instant) {
    var peer = peers[name] ?? Peer(since: now)
    if peer.link != link { peer.since = now }
    peer.link = link
    peer.reason = reason
    peers[name] = peer
  }

  // MARK: Shared words

  /// Takes over what is later than the known.
  /// - Returns: those.
  mutating func merge(_ registers: [Register]) -> [Register] {
    registers.filter { register in
      clock.observe(register.stamp)
      return self.registers.merge(register)
    }
  }

  /// For a word that is said when it is kept.
  mutating func nextStamp(node: String, wall: Int64) -> Stamp { clock.stamp(node: node, wall: wall) }

  /// An operator's word, said here; nil takes one back, for who hears of it and has no later one.
  mutating func say(_ value: String?, _ key: RegisterKey, node: String, wall: Int64) {
    registers.merge(Register(key: key, value: value ?? "", stamp: clock.stamp(node: node, wall: wall)))
  }
}

extension PeerBook.Peer {
  /// The peer's own facts; nil before it has said any.
  package var facts: PeerReport.NodeFacts? {
    guard case .node(let facts) = reports[PeerReportKey(kind: PeerReportKey.node, name: "")] else { return nil }
    return facts
  }

  package func pool(_ name: String) -> PeerReport.PoolFacts? {
    guard case .pool(_, let facts) = reports[PeerReportKey(kind: PeerReportKey.pool, name: name)] else { return nil }
    return facts
  }

  package func announcement(_ name: String) -> PeerReport.AnnouncementFacts? {
    guard case .announcement(_, let facts) = reports[PeerReportKey(kind: PeerReportKey.announcement, name: name)]
    else { return nil }
    return facts
  }

  package func vip(_ name: String) -> PeerReport.VIPFacts? {
    guard case .vip(_, let facts) = reports[PeerReportKey(kind: PeerReportKey.vip, name: name)] else { return nil }
    return facts
  }

  package func verdict(_ subject: String) -> PeerReport.VerdictFacts? {
    guard case .verdict(_, let facts) = reports[PeerReportKey(kind: PeerReportKey.verdict, name: subject)]
    else { return nil }
    return facts
  }
}

extension RegisterKey {
  /// The order that a register's value means; nil for one that is void, or that this version does not know.
  func order(_ value: String) -> Change.Order? {
    switch kind {
    case Kind.state.rawValue: AdministrativeState(rawValue: value).map { .state($0) }
    case Kind.weight.rawValue: Int(value).flatMap { (0...65_535).contains($0) ? .weight($0) : nil }
    default: nil
    }
  }

  init(_ order: Change.Order, _ backend: BackendKey) {
    switch order {
    case .state: self.init(.state, pool: backend.pool, backend: backend.backend)
    case .weight: self.init(.weight, pool: backend.pool, backend: backend.backend)
    }
  }
}

extension Change.Order {
  /// As a register's value.
  var word: String {
    switch self {
    case .state(let state): state.rawValue
    case .weight(let weight): "\(weight)"
    }
  }
}
