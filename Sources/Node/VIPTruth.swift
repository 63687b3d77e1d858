internal import Health
package import Model
internal import Planner

/// Something of virtual addresses.
package enum VIPChange: Hashable, Sendable {
  /// The driver's word.
  case report(VIPReport)
  /// An operator's, or nil to take it back; it lasts until the file says something new of the VIP.
  case handover(String, VIPHandover?)
}

/// The driver of virtual addresses.
package struct VIPPorts: Sendable {
  /// The set of virtual routers that shall run; the driver reconciles to it.
  package var apply: @Sendable ([VIPOrder]) -> Void = { _ in }
  package var overview: @Sendable () -> VIPOverview = { VIPOverview() }
  /// Gives all addresses up, and returns when that is done.
  package var stop: @Sendable () -> Void = {}
  /// Ends without a word, with every address where it is, for a process that goes on; the VIPs that are active.
  package var leave: @Sendable () -> [String] = { [] }
  /// These were active in the process before this one: the first `apply` goes on with them.
  package var resume: @Sendable ([String]) -> Void = { _ in }

  package init() {}
}

extension Node {
  /// How the VIPs stand, with what is configured of them.
  package func vipSnapshot() -> (vips: [VIP], overview: VIPOverview, now: Instant) {
    (truth.topology.vips, ports.vips.overview(), ports.now())
  }

  func take(_ change: VIPChange) throws(Refusal) {
    switch change {
    case .report(let report):
      noteFloating(report)
      let now = ports.now()
      let event = record(
        Event.Kind(report.kind), subject: report.vip, report.message, because: cause(of: report, at: now))
      if report.kind == .active || report.kind == .backup || report.kind == .fault || report.isOwnDoing {
        causes.note(vip: report.vip, isWell: report.kind == .active, event, at: now)
      }
      if truth.note(report), phase == .serving { reconcileAnnouncements(at: ports.now()) }
      tellPeers()
    case .handover(let name, let wish):
      guard phase != .draining else { throw .draining }
      guard truth.topology.vips.contains(where: { $0.name == name }) else { throw .noSuchVIP(name) }
      for member in truth.topology.vipsMoving(with: name) {
        truth.handovers[member] = wish
        if wish == nil { share(nil, of: member) }
      }
      let words = wish.map { "ordered: \($0.rawValue)" } ?? "ordered: as configured"
      let event = record(.vip, subject: name, words)
      causes.note(vip: name, isWell: wish == .claim, event, at: ports.now())
      if let world { orderVIPs(world) }
    }
  }

  /// Orders follow the World: no address is claimed before the first one is served.
  func orderVIPs(_ world: World) {
    guard !isHeldBack else { return }
    let orders = Planner.vipOrders(world, scripts: truth.failingVIPScripts, handovers: truth.handovers)
    guard orders != vips else { return }
    vips = orders
    ports.vips.apply(orders)
  }
}

extension Truth {
  /// A word on a VIP is void when the file says something new of it.
  mutating func reconcileHandovers(from old: Topology) {
    guard !handovers.isEmpty else { return }
    let before = Dictionary(old.vips.map { ($0.name, $0) }) { first, _ in first }
    let now = Dictionary(topology.vips.map { ($0.name, $0) }) { first, _ in first }
    handovers = handovers.filter { now[$0.key] != nil && now[$0.key] == before[$0.key] }
  }

  /// - Returns: whether this node has got or lost the VIP.
  mutating func note(_ report: VIPReport) -> Bool {
    switch report.kind {
    case .active: heldVIPs.insert(report.vip).inserted
    case .backup, .fault: heldVIPs.remove(report.vip) != nil
    case .dual, .verified, .repaired, .vip: false
    }
  }

  /// Why tracked programs fail.
  var failingVIPScripts: [VIPScriptKey: String] {
    var failing: [VIPScriptKey: String] = [:]
    for vip in topology.vips {
      for track in vip.tracks {
        guard case .script = track.subject, let verdict = health.verdict(BackendKey(vip, track)),
          !verdict.takesTraffic
        else { continue }
        failing[VIPScriptKey(vip: vip.name, track: track.name)] = verdict.reason
      }
    }
    return failing
  }
}

/// Tracked programs run and count as the probes of a pool of their own, whose name no file can give.
extension Topology {
  var withVIPScripts: Topology {
    var result = self
    for vip in vips {
      for track in vip.tracks {
        guard case .script(let probe) = track.subject else { continue }
        let key = BackendKey(vip, track)
        var pool = Pool(name: key.pool, backends: [Backend(name: key.backend, address: Topology.nowhere)])
        pool.probe = probe
        result.pools.append(pool)
      }
    }
    return result
  }

  var vipScriptTargets: [ProbeTarget] {
    vips.flatMap { vip in
      vip.tracks.compactMap { track in
        guard case .script(let probe) = track.subject else { return nil }
        return ProbeTarget(key: BackendKey(vip, track), address: Topology.nowhere, check: .probe(probe))
      }
    }
  }

  /// A program asks wherever it likes.
  static let nowhere = SocketAddress.ip(Endpoint(.loopbackV4, 0))

  /// The VIP itself, or its group.
  func vipsMoving(with name: String) -> [String] {
    guard let vip = vips.first(where: { $0.name == name }) else { return [] }
    guard let group = vip.group else { return [name] }
    return vips.filter { $0.group == group }.map(\.name)
  }
}

extension BackendKey {
  private static let prefix = "vip "

  init(_ vip: VIP, _ track: VIPTrack) {
    self.init(pool: "\(BackendKey.prefix)\(vip.name) \(track.name)", backend: track.name)
  }

  var isVIPScript: Bool { pool.hasPrefix(BackendKey.prefix) }
}

extension Event.Kind {
  init(_ kind: VIPReport.Kind) {
    switch kind {
    case .active: self = .active
    case .backup: self = .backup
    case .fault: self = .fault
    case .dual: self = .dual
    case .verified: self = .verified
    case .repaired: self = .repaired
    case .vip: self = .vip
    }
  }
}
