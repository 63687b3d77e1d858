import Kernel
import Model
import VRRP

extension VIPLoop {
  func overview() -> VIPOverview {
    var result = VIPOverview()
    for unit in units {
      for (member, router) in zip(unit.members, unit.group.members) { result.vips.append(standing(member, router)) }
    }
    result.strangers = strangers.byName
    return result
  }

  private func standing(_ member: VIPMember, _ router: VirtualRouter) -> VIPStanding {
    var result = VIPStanding(
      name: member.vip.name, state: VIPState(router.state), since: member.since,
      priority: Int(router.effectivePriority), budget: VIPBudget(member, router))
    result.failing = router.ownFaults
    for track in member.vip.tracks where !result.failing.contains(track.name) {
      if router.tracks.isWell(track.name) == false { result.failing.append(track.name) }
    }
    result.failing = result.failing.map { name in
      if name == "interface" { return "interface \(member.vip.interface)\(member.trouble.map { ": \($0)" } ?? "")" }
      return member.order.failing[name].map { "\(name): \($0)" } ?? name
    }
    result.handover = member.order.handover
    result.lastHeard = router.lastHeard
    result.source = router.primaryAddress
    result.held = member.wanted.map(\.address).sorted()
    result.transitions = member.transitions
    result.counters = member.counters
    result.counters.accepted = member.gate.counters.accepted
    result.counters.dropped = member.gate.counters.byName
    return result
  }
}

extension AdvertCounters {
  fileprivate var byName: [String: UInt64] {
    var result: [String: UInt64] = [:]
    for reason in AdvertError.allCases where self[reason] > 0 { result[reason.name] = self[reason] }
    return result
  }
}

extension VIPState {
  init(_ state: RouterState) {
    switch state {
    case .initialize: self = .fault
    case .backup: self = .backup
    case .active: self = .active
    }
  }
}

extension VIPBudget {
  /// Until this node has taken over, a guess: some netlink calls and a burst of frames.
  private static let guess = Duration.milliseconds(2)

  init(_ member: VIPMember, _ router: VirtualRouter) {
    let configuration = member.configuration
    let announcement = member.announcementTook ?? VIPBudget.guess
    let crash = FailoverBudget.crash(
      interval: configuration.interval, version: configuration.version, backupPriority: router.effectivePriority,
      announcement: announcement)
    let clean = FailoverBudget.cleanStop(
      interval: configuration.interval, version: configuration.version, backupPriority: router.effectivePriority,
      announcement: announcement)
    self.init(
      crash: crash.description, cleanStop: clean.description, crashTotal: crash.total, cleanStopTotal: clean.total)
  }
}
