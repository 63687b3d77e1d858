import Model

/// What is known in each state, and nothing else.
enum Phase: Hashable, Sendable {
  case initialize
  case backup(Backup)
  case active(Active)
}

/// RFC 9568 §6.4.2.
struct Backup: Hashable, Sendable {
  /// Active_Adver_Interval: the Active router's, learnt from its adverts; this router's own before.
  var interval: AdvertInterval
  /// Active_Down_Timer.
  var downAt: Instant
  var lastHeard: IPAddress?
  /// Of that advert; of none, when this phase began.
  var heardAt: Instant
  /// Who resigned, until somebody else is heard.
  var resigned: IPAddress?
  /// Until then a living Active router of lower priority is left alone.
  var preemptAt: Instant?
  /// In a group: the timer ran out, and the group has not decided yet.
  var isReady = false

  init(interval: AdvertInterval, downAt: Instant, lastHeard: IPAddress? = nil, at now: Instant) {
    self.interval = interval
    self.downAt = downAt
    self.lastHeard = lastHeard
    heardAt = now
  }
}

extension VirtualRouter {
  mutating func hear(_ admitted: AdmittedAdvert, asBackup old: Backup, at now: Instant, _ effects: inout [Effect]) {
    let advert = admitted.advertisement
    var backup = old
    defer { phase = .backup(backup) }
    if advert.priority == 0 {
      // Never later than it was: a flood of resignations must not put the takeover off.
      backup.downAt = min(backup.downAt, now + skew(backup.interval, priority: effectivePriority))
      backup.resigned = admitted.source
      return
    }
    guard defers(to: advert.priority, &backup, at: now) else { return }
    if advert.version == .v3, advert.interval != backup.interval {
      backup.interval = advert.interval
      effects.append(.report(.learntInterval(advert.interval, from: admitted.source)))
    }
    note(admitted, &effects)
    backup.lastHeard = admitted.source
    backup.heardAt = now
    backup.resigned = nil
    backup.isReady = false
    backup.downAt = now + activeDown(backup.interval)
  }

  /// Whether an Active router of this priority is left in place.
  private func defers(to priority: UInt8, _ backup: inout Backup, at now: Instant) -> Bool {
    if priority >= effectivePriority {
      backup.preemptAt = nil
      return true
    }
    guard configuration.preempts || handover == .claim else { return true }
    guard configuration.preemptDelay > .zero, handover != .claim else { return false }
    let until = backup.preemptAt ?? now + configuration.preemptDelay
    backup.preemptAt = until
    return now < until
  }

  mutating func note(_ admitted: AdmittedAdvert, _ effects: inout [Effect]) {
    guard admitted.namesOtherAddresses, notedSenders.count < 16, notedSenders.insert(admitted.source).inserted else {
      return
    }
    effects.append(.report(.otherAddresses(from: admitted.source)))
  }

  mutating func tick(at now: Instant, _ effects: inout [Effect]) {
    switch phase {
    case .initialize: return
    case .active(let active): tick(active, at: now, &effects)
    case .backup(var backup):
      guard backup.downAt <= now else { return }
      if isGated {
        backup.isReady = true
        phase = .backup(backup)
      } else {
        becomeActive(takeoverReason(backup, at: now), at: now, &effects)
      }
    }
  }

  func takeoverReason(_ backup: Backup, at now: Instant) -> Reason {
    backup.resigned.map { .resignation(of: $0) } ?? .silence(of: backup.lastHeard, for: now - backup.heardAt)
  }
}
