internal import Admin
internal import Model
internal import Node

/// The API's orders on virtual addresses, and how they stand.
extension Operations {
  func vips() async -> VIPsReport {
    let (vips, overview, now) = await node.vipSnapshot()
    let standings = Dictionary(overview.vips.map { ($0.name, $0) }) { first, _ in first }
    var report = VIPsReport()
    for vip in vips {
      var status = VIPStatusReport(vip, standings[vip.name], at: now)
      let owner = await node.ownerAmongPeers(of: vip.name)
      (status.owner, status.ownerAddress) = (owner?.name, owner.map { "\($0.address.address)" })
      report.vips.append(status)
    }
    report.strangers = overview.strangers
    return report
  }

  func order(_ order: VIPWish, vip: String, drain: Double, to: String?) async throws(AdminError) -> VIPStatusReport {
    let wish: VIPHandover? =
      switch order {
      case .release: .release
      case .claim: .claim
      case .restore: nil
      }
    do {
      if wish == .release {
        try await node.handOver(vip, to: to, within: .milliseconds(Int64(drain * 1_000)))
      } else {
        try await node.apply(.vip(.handover(vip, wish)))
      }
    } catch {
      throw await explained(error)
    }
    guard let report = await vips().vips.first(where: { $0.name == vip }) else { throw AdminError(.noSuchVIP(vip)) }
    return report
  }
}

extension VIPStatusReport {
  init(_ vip: VIP, _ standing: VIPStanding?, at now: Instant) {
    func text(_ address: VIPAddress) -> String {
      address.prefixLength == address.address.width
        ? "\(address.address)" : "\(address.address)/\(address.prefixLength)"
    }
    self.init(
      name: vip.name, interface: vip.interface, addresses: vip.addresses.map(text), routerId: vip.virtualRouter,
      version: vip.version.rawValue, intervalMilliseconds: vip.interval.milliseconds)
    companions = vip.companions.map(text)
    configuredPriority = vip.priority
    preempts = vip.preempts
    peers = vip.peers.map { "\($0)" }
    group = vip.group
    virtualMAC = vip.usesVirtualMAC
    isSigned = !vip.keys.isEmpty
    guard let standing else { return }
    state = standing.state.rawValue
    sinceSeconds = Double((now - standing.since).milliseconds) / 1_000
    priority = standing.priority
    held = standing.held.map { "\($0)" }
    handover = standing.handover?.rawValue
    source = standing.source.map { "\($0)" }
    lastHeard = standing.lastHeard.map { "\($0)" }
    failing = standing.failing
    transitions = standing.transitions
    sent = standing.counters.sent
    unsent = standing.counters.unsent
    accepted = standing.counters.accepted
    dropped = standing.counters.dropped
    announcements = standing.counters.announcements
    crash = Budget(words: standing.budget.crash, milliseconds: standing.budget.crashTotal.exactMilliseconds)
    cleanStop = Budget(words: standing.budget.cleanStop, milliseconds: standing.budget.cleanStopTotal.exactMilliseconds)
  }
}

extension Duration {
  fileprivate var exactMilliseconds: Double { Double(nanoseconds / 1_000) / 1_000 }
}
