package import Model

/// Virtual routers that are Active together or not at all, so that traffic enters and leaves by one node.
///
/// - The group becomes Active when every member's timer ran out: a member that still hears its Active router keeps all
///   in Backup. A cut link without loss of carrier therefore splits nothing.
/// - A member that is outranked takes the others with it; they resign, so that the peers need not wait for silence.
/// - A member's fault is the group's.
/// - All members advertise the group's lowest priority, so that two nodes decide alike on every link. Give the nodes'
///   groups different priorities: equal ones are decided link by link, by address, and may disagree.
package struct SyncGroup: Sendable {
  package struct MemberEffect: Hashable, Sendable {
    package var member: Int
    package var effect: Effect

    package init(member: Int, effect: Effect) {
      self.member = member
      self.effect = effect
    }
  }

  package let name: String
  package private(set) var members: [VirtualRouter]

  package init(name: String, _ members: [(RouterConfiguration, Tracks, primaryAddress: IPAddress?)]) {
    self.name = name
    self.members = members.map { VirtualRouter($0.0, tracks: $0.1, primaryAddress: $0.primaryAddress, isGated: true) }
    for (member, priority) in priorities() { self.members[member].ceiling = priority }
  }

  package var isActive: Bool { !members.isEmpty && members.allSatisfy { $0.state == .active } }
  package var deadline: Instant? { members.compactMap(\.deadline).min() }

  /// For one member: an advert, its interface's address, a verification.
  package mutating func handle(
    _ event: VirtualRouter.Event, member: Int, at now: Instant, into effects: inout [MemberEffect]
  ) {
    guard members.indices.contains(member) else { return }
    let before = members.map(\.state)
    tell(member, at: now, &effects) { $0.handle(event, at: $1, into: &$2) }
    settle(before: before, at: now, &effects)
  }

  /// For all members: start, shutdown, tick, hand-over, a thing that several track.
  package mutating func handle(_ event: VirtualRouter.Event, at now: Instant, into effects: inout [MemberEffect]) {
    let before = members.map(\.state)
    // A member that starts well must not act before another's fault is known.
    if event == .start || event == .resume { shareFaults(at: now, &effects) }
    for member in members.indices {
      tell(member, at: now, &effects) { $0.handle(event, at: $1, into: &$2) }
    }
    settle(before: before, at: now, &effects)
  }

  /// Another configuration of a member, which stays what it is.
  package mutating func reconfigure(
    _ configuration: RouterConfiguration, tracks: Tracks, member: Int, at now: Instant,
    into effects: inout [MemberEffect]
  ) {
    guard members.indices.contains(member) else { return }
    let before = members.map(\.state)
    tell(member, at: now, &effects) { $0.reconfigure(configuration, tracks: tracks, at: $1, into: &$2) }
    settle(before: before, at: now, &effects)
  }

  private mutating func settle(before: [RouterState], at now: Instant, _ effects: inout [MemberEffect]) {
    shareFaults(at: now, &effects)
    for (member, priority) in priorities() where members[member].ceiling != priority {
      tell(member, at: now, &effects) { router, now, effects in
        let old = router.effectivePriority
        router.ceiling = priority
        router.judgePriority(before: old, at: now, &effects)
      }
    }
    let fell = members.indices.contains { before[$0] == .active && members[$0].state != .active }
    if fell {
      for member in members.indices { tell(member, at: now, &effects) { $0.yield(.group, at: $1, &$2) } }
    }
    guard members.allSatisfy({ $0.isReadyOrActive }) else { return }
    for member in members.indices { tell(member, at: now, &effects) { $0.promote(at: $1, &$2) } }
  }

  private mutating func shareFaults(at now: Instant, _ effects: inout [MemberEffect]) {
    let faults = members.map(\.ownFaults)
    for member in members.indices {
      var others: [String] = []
      for other in members.indices where other != member {
        others += faults[other].map { "\(members[other].configuration.name): \($0)" }
      }
      guard members[member].groupFaults != others else { continue }
      members[member].groupFaults = others
      tell(member, at: now, &effects) { $0.judgeFaults(at: $1, &$2) }
    }
  }

  private func priorities() -> [(Int, UInt8)] {
    let lowest = members.map(\.ownPriority).min() ?? .max
    return members.indices.map { ($0, lowest) }
  }

  private mutating func tell(
    _ member: Int, at now: Instant, _ effects: inout [MemberEffect],
    _ body: (inout VirtualRouter, Instant, inout [Effect]) -> Void
  ) {
    var own: [Effect] = []
    body(&members[member], now, &own)
    effects += own.map { MemberEffect(member: member, effect: $0) }
  }
}

extension VirtualRouter {
  /// In a group: nothing superior is heard here.
  var isReadyOrActive: Bool {
    switch phase {
    case .initialize: false
    case .backup(let backup): backup.isReady
    case .active: true
    }
  }

  /// The group becomes Active.
  mutating func promote(at now: Instant, _ effects: inout [Effect]) {
    guard case .backup(let backup) = phase else { return }
    let ownsNow = configuration.isOwner && effectivePriority == 255
    becomeActive(ownsNow ? .owner : takeoverReason(backup, at: now), at: now, &effects)
  }
}
