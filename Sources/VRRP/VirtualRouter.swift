package import Model

/// One virtual router on one link: RFC 9568 §6.4, with faults, weights and hand-over.
///
/// Call `handle` with what happened, and with `.tick` when `deadline` has come. Effects leave in the order in which
/// they are to be done. Late or repeated ticks are harmless.
package struct VirtualRouter: Sendable {
  package enum Event: Hashable, Sendable {
    case start
    /// The same where an earlier process of this node was Active, and nobody has heard otherwise: no wait, and the
    /// addresses stay where they are.
    case resume
    /// A clean stop: an Active router resigns.
    case shutdown
    case tick
    case advert(AdmittedAdvert)
    /// The interface's primary address, or nil while there is none or the link is down: a fault.
    case primaryAddress(IPAddress?)
    case track(String, isWell: Bool)
    case handover(Handover?)
    /// Who else answers for the addresses: the answer to `verifyAlone`, or noticed by chance.
    case verified(answeredElsewhere: [IPAddress])
    /// Somebody changed the link's addresses: say again how they shall be.
    case reassert
  }

  /// What an administrator wants of this node, over the configured priority.
  package enum Handover: Hashable, Sendable {
    /// Give the addresses to another node. The priority falls to 1, which lets a preempting peer take over while this
    /// one still serves; where none does in time, this one resigns.
    case release
    /// The same without the wait.
    case resign
    /// Take the addresses: priority 254, preempting.
    case claim
  }

  package private(set) var configuration: RouterConfiguration
  package internal(set) var tracks: Tracks
  package internal(set) var primaryAddress: IPAddress?
  package internal(set) var handover: Handover?
  package internal(set) var isStarted = false

  var phase = Phase.initialize
  /// In a sync group the group decides who becomes Active.
  let isGated: Bool
  var groupFaults: [String] = []
  /// The lowest priority of the group.
  var ceiling: UInt8 = .max
  /// Senders that were reported for their address list; bounded.
  var notedSenders: Set<IPAddress> = []

  package init(
    _ configuration: RouterConfiguration, tracks: Tracks = Tracks(), primaryAddress: IPAddress?, isGated: Bool = false
  ) {
    self.configuration = configuration
    self.tracks = tracks
    self.primaryAddress = primaryAddress
    self.isGated = isGated
  }

  package var state: RouterState {
    switch phase {
    case .initialize: .initialize
    case .backup: .backup
    case .active: .active
    }
  }

  /// When `.tick` is wanted next, if at all.
  package var deadline: Instant? {
    switch phase {
    case .initialize: nil
    case .backup(let backup): backup.isReady ? nil : backup.downAt
    case .active(let active): active.deadline
    }
  }

  /// Since when this router is Active, if it is.
  package var activeSince: Instant? { if case .active(let active) = phase { active.since } else { nil } }

  /// The Active router that was heard last, while Backup.
  package var lastHeard: IPAddress? { if case .backup(let backup) = phase { backup.lastHeard } else { nil } }

  /// What the next advert says: the configured priority, weights, the group and the hand-over in it.
  package var effectivePriority: UInt8 { min(ownPriority, ceiling) }

  /// Without the group.
  package var ownPriority: UInt8 {
    switch handover {
    case .release, .resign: 1
    case .claim: max(tracks.priority(from: configuration.priority), 254)
    case nil: tracks.priority(from: configuration.priority)
    }
  }

  /// This router's own reasons to wait, without the group's.
  package var ownFaults: [String] { (primaryAddress == nil ? ["interface"] : []) + tracks.faults }

  package mutating func handle(_ event: Event, at now: Instant, into effects: inout [Effect]) {
    switch event {
    case .start:
      guard !isStarted else { return }
      isStarted = true
      notedSenders = []
      enter(.started, at: now, &effects)
    case .resume:
      guard !isStarted else { return }
      isStarted = true
      notedSenders = []
      guard ownFaults.isEmpty, groupFaults.isEmpty else { return enter(.started, at: now, &effects) }
      var backup = Backup(interval: configuration.interval, downAt: now, at: now)
      backup.isReady = true
      phase = .backup(backup)
    case .shutdown:
      guard isStarted else { return }
      isStarted = false
      leave(.shutdown, &effects)
    case .tick:
      tick(at: now, &effects)
    case .advert(let advert):
      switch phase {
      case .initialize: return
      case .backup(let backup): hear(advert, asBackup: backup, at: now, &effects)
      case .active(let active): hear(advert, asActive: active, at: now, &effects)
      }
    case .primaryAddress(let address):
      primaryAddress = address
      judgeFaults(at: now, &effects)
    case .track(let name, let isWell):
      let before = effectivePriority
      guard tracks.set(name, isWell: isWell) else { return }
      judgeFaults(at: now, &effects)
      judgePriority(before: before, at: now, &effects)
    case .handover(let wish):
      hand(over: wish, at: now, &effects)
    case .verified(let elsewhere):
      verified(elsewhere, at: now, &effects)
    case .reassert:
      reassert(at: now, &effects)
    }
  }

  /// Another configuration of the same virtual router: its state stays, and who is Active stays it.
  ///
  /// - Parameter new: `isSameRouter` as the present one.
  package mutating func reconfigure(
    _ new: RouterConfiguration, tracks: Tracks, at now: Instant, into effects: inout [Effect]
  ) {
    let before = effectivePriority
    let hadInterval = configuration.interval
    configuration = new
    self.tracks = tracks
    judgeFaults(at: now, &effects)
    judgePriority(before: before, at: now, &effects)
    if hadInterval != new.interval, case .active(var active) = phase {
      advertise(&active, at: now, &effects)
      phase = .active(active)
    }
  }

  /// From Initialize, when started and well.
  mutating func enter(_ reason: Reason, at now: Instant, _ effects: inout [Effect]) {
    let faults = ownFaults + groupFaults
    guard faults.isEmpty else {
      if reason == .started {
        release(&effects)
        effects.append(.report(.changed(from: .initialize, to: .initialize, .fault(faults))))
      }
      return
    }
    let ownsNow = configuration.isOwner && effectivePriority == 255
    if ownsNow, !isGated {
      becomeActive(.owner, at: now, &effects)
      return
    }
    // What a crash left on the link goes.
    release(&effects)
    var backup = Backup(interval: configuration.interval, downAt: now, at: now)
    if !ownsNow { backup.downAt = now + activeDown(backup.interval) }
    phase = .backup(backup)
    effects.append(.report(.changed(from: .initialize, to: .backup, reason)))
  }

  /// To Initialize.
  mutating func leave(_ reason: Reason, _ effects: inout [Effect]) {
    let before = state
    if before == .active {
      resign(&effects)
    }
    phase = .initialize
    if before != .initialize { effects.append(.report(.changed(from: before, to: .initialize, reason))) }
  }

  mutating func judgeFaults(at now: Instant, _ effects: inout [Effect]) {
    guard isStarted else { return }
    let faults = ownFaults + groupFaults
    if faults.isEmpty {
      if state == .initialize { enter(.recovered, at: now, &effects) }
    } else if state != .initialize {
      leave(.fault(faults), &effects)
    }
  }

  /// After something that the priority depends on: tell the others, wait by the new skew.
  mutating func judgePriority(before: UInt8, at now: Instant, _ effects: inout [Effect]) {
    let priority = effectivePriority
    guard isStarted, priority != before else { return }
    effects.append(.report(.priority(from: before, to: priority)))
    switch phase {
    case .initialize: return
    case .backup(var backup):
      let change =
        skew(backup.interval, priority: priority).nanoseconds - skew(backup.interval, priority: before).nanoseconds
      backup.downAt = backup.downAt + .nanoseconds(change)
      phase = .backup(backup)
    case .active(var active):
      advertise(&active, at: now, &effects)
      phase = .active(active)
    }
  }

  private mutating func hand(over wish: Handover?, at now: Instant, _ effects: inout [Effect]) {
    guard wish != handover else { return }
    guard !configuration.addressesArePermanent else {
      effects.append(.report(.handoverRefused))
      return
    }
    let before = effectivePriority
    handover = wish
    judgePriority(before: before, at: now, &effects)
    if case .active(var active) = phase {
      // By then a preempting peer, whatever its priority, has taken over.
      let patience =
        activeDown(configuration.interval, priority: 1).nanoseconds + configuration.interval.duration.nanoseconds
      active.resignAt = wish == .release ? now + .nanoseconds(patience) : wish == .resign ? now : nil
      phase = .active(active)
    }
  }

  private func reassert(at now: Instant, _ effects: inout [Effect]) {
    guard isStarted else { return }
    if state == .active {
      hold(&effects)
      announce(configuration.announcing.count, &effects)
    } else {
      release(&effects)
    }
  }
}

extension VirtualRouter {
  func skew(_ interval: AdvertInterval, priority: UInt8) -> Duration {
    interval.skew(priority: priority, version: configuration.version)
  }

  func activeDown(_ interval: AdvertInterval, priority: UInt8? = nil) -> Duration {
    interval.activeDown(priority: priority ?? effectivePriority, version: configuration.version)
  }

  func hold(_ effects: inout [Effect]) {
    guard !configuration.addressesArePermanent else { return }
    effects.append(.hold(AddressOrder(addresses: configuration.movingAddresses, accepts: configuration.accepts)))
  }

  func release(_ effects: inout [Effect]) {
    guard !configuration.addressesArePermanent else { return }
    effects.append(.hold(AddressOrder(addresses: [], accepts: configuration.accepts)))
  }

  func announce(_ count: Int, _ effects: inout [Effect]) {
    guard count > 0 else { return }
    effects.append(.announce(configuration.movingAddresses, count: count))
  }

  /// The others hear of it first, then the addresses go: in between nobody else has them yet.
  func resign(_ effects: inout [Effect]) {
    if primaryAddress != nil { effects.append(.send(configuration.advertisement(priority: 0))) }
    release(&effects)
  }
}
