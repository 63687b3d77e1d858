import Model

/// RFC 9568 §6.4.3.
struct Active: Hashable, Sendable {
  var since: Instant
  /// Adver_Timer.
  var advertAt: Instant
  var sentAt: Instant
  var announcements: AnnouncementSchedule
  /// Another Active router, and when the interval with two of them began.
  var rival: Rival?
  /// A release that nobody took up ends in a resignation.
  var resignAt: Instant?
  /// How often the link was asked who answers; nil when that is settled.
  var verification: Int?
  var verifyAt: Instant?

  struct Rival: Hashable, Sendable {
    var address: IPAddress
    var began: Instant
    var heardAt: Instant
    var answeredAt: Instant
    /// It is gone when nothing was heard until then.
    var quietAt: Instant
  }

  var deadline: Instant {
    var first = advertAt
    for other in [announcements.deadline, rival?.quietAt, resignAt, verifyAt] {
      if let other { first = min(first, other) }
    }
    return first
  }
}

extension VirtualRouter {
  mutating func becomeActive(_ reason: Reason, at now: Instant, _ effects: inout [Effect]) {
    let before = state
    var active = Active(
      since: now, advertAt: now, sentAt: now,
      announcements: AnnouncementSchedule(configuration.announcing, at: now))
    advertise(&active, at: now, &effects)
    phase = .active(active)
    hold(&effects)
    announce(configuration.announcing.count, &effects)
    effects.append(.report(.changed(from: before, to: .active, reason)))
  }

  /// Sends an advert and sets the timer anew.
  func advertise(_ active: inout Active, at now: Instant, _ effects: inout [Effect]) {
    effects.append(.send(configuration.advertisement(priority: effectivePriority)))
    active.sentAt = now
    active.advertAt = now + configuration.interval.duration
  }

  mutating func hear(_ admitted: AdmittedAdvert, asActive old: Active, at now: Instant, _ effects: inout [Effect]) {
    let advert = admitted.advertisement
    var active = old
    if advert.priority == 0 {
      answer(&active, at: now, &effects)
      if active.rival?.address == admitted.source {
        endDualActive(&active, at: now, &effects)
      } else if !isHandover(active, admitted, at: now) {
        // Who resigns had the addresses until now.
        assertOwnership(&active, at: now, &effects)
      }
      phase = .active(active)
      return
    }
    note(admitted, &effects)
    let priority = effectivePriority
    // Equal priorities: the greater primary address wins.
    if advert.priority > priority || advert.priority == priority && isLess(than: admitted.source) {
      stepDown(.outranked(by: admitted.source, priority: advert.priority), heard: admitted, at: now, &effects)
      return
    }
    answer(&active, at: now, &effects)
    if active.rival == nil, isHandover(active, admitted, at: now) {
      announce(1, &effects)
      phase = .active(active)
      return
    }
    let quiet = max(advert.interval, configuration.interval).duration.nanoseconds * 3
    let quietAt = now + .nanoseconds(quiet)
    if var rival = active.rival {
      // A rival's neighbours learn its place from its traffic: say ours again, once an interval.
      if rival.answeredAt + configuration.interval.duration <= now {
        announce(1, &effects)
        rival.answeredAt = now
      }
      rival.address = admitted.source
      rival.heardAt = now
      rival.quietAt = quietAt
      active.rival = rival
    } else {
      active.rival = Active.Rival(
        address: admitted.source, began: now, heardAt: now, answeredAt: now, quietAt: quietAt)
      announce(1, &effects)
      effects.append(.report(.dualActiveBegan(rival: admitted.source)))
    }
    phase = .active(active)
  }

  /// Whether this is the last word of the Active router that this one has just replaced.
  private func isHandover(_ active: Active, _ admitted: AdmittedAdvert, at now: Instant) -> Bool {
    now <= active.since + max(admitted.advertisement.interval, configuration.interval).duration
  }

  private func isLess(than other: IPAddress) -> Bool { primaryAddress.map { $0 < other } ?? true }

  /// RFC 9568 §6.4.3: a lower advert is answered at once. At most ten answers an interval, so that a flood of adverts
  /// makes no flood of answers; the next regular advert does the same work.
  private func answer(_ active: inout Active, at now: Instant, _ effects: inout [Effect]) {
    let spacing = configuration.interval.duration.nanoseconds / 10
    guard active.sentAt + .nanoseconds(spacing) <= now else { return }
    advertise(&active, at: now, &effects)
  }

  /// To Backup because of somebody else, who needs no resignation, but must know that there were two: where it hears
  /// first and this one falls silent, nobody would tell the neighbours on this side of a healed cut that the addresses
  /// have moved. So one last advert goes out. It is inferior, which every Active router answers (RFC 9568 §6.4.3).
  private mutating func stepDown(
    _ reason: Reason, heard admitted: AdmittedAdvert, at now: Instant, _ effects: inout [Effect]
  ) {
    effects.append(.send(configuration.advertisement(priority: effectivePriority)))
    release(&effects)
    let interval = configuration.version == .v3 ? admitted.advertisement.interval : configuration.interval
    phase = .backup(Backup(interval: interval, downAt: now + activeDown(interval), lastHeard: admitted.source, at: now))
    effects.append(.report(.changed(from: .active, to: .backup, reason)))
    if interval != configuration.interval { effects.append(.report(.learntInterval(interval, from: admitted.source))) }
  }

  /// To Backup by own will: with a resignation.
  mutating func yield(_ reason: Reason, at now: Instant, _ effects: inout [Effect]) {
    guard state == .active else { return }
    resign(&effects)
    let interval = configuration.interval
    phase = .backup(Backup(interval: interval, downAt: now + activeDown(interval), at: now))
    effects.append(.report(.changed(from: .active, to: .backup, reason)))
  }

  mutating func tick(_ old: Active, at now: Instant, _ effects: inout [Effect]) {
    var active = old
    if let due = active.resignAt, due <= now {
      yield(.handover, at: now, &effects)
      return
    }
    if active.advertAt <= now {
      let due = active.advertAt
      advertise(&active, at: now, &effects)
      // No drift by late ticks; after a long one the count starts anew.
      let next = due + configuration.interval.duration
      if next > now { active.advertAt = next }
    }
    announce(active.announcements.take(configuration.announcing, at: now), &effects)
    if let rival = active.rival, rival.quietAt <= now { endDualActive(&active, at: now, &effects) }
    if let due = active.verifyAt, due <= now {
      active.verifyAt = nil
      effects.append(.verifyAlone(configuration.movingAddresses))
    }
    phase = .active(active)
  }

  private func endDualActive(_ active: inout Active, at now: Instant, _ effects: inout [Effect]) {
    guard let rival = active.rival else { return }
    active.rival = nil
    effects.append(.report(.dualActiveEnded(rival: rival.address, lasted: rival.heardAt - rival.began)))
    assertOwnership(&active, at: now, &effects)
  }

  /// Tells the neighbours where the addresses are, and asks whether anybody else answers for them.
  private func assertOwnership(_ active: inout Active, at now: Instant, _ effects: inout [Effect]) {
    announce(configuration.announcing.count, &effects)
    active.announcements = AnnouncementSchedule(configuration.announcing, at: now)
    active.verification = 1
    active.verifyAt = nil
    effects.append(.verifyAlone(configuration.movingAddresses))
  }

  mutating func verified(_ elsewhere: [IPAddress], at now: Instant, _ effects: inout [Effect]) {
    guard case .active(var active) = phase else { return }
    let ours = elsewhere.filter { configuration.movingAddresses.contains($0) }.sorted()
    if ours.isEmpty {
      guard active.verification != nil else { return }
      active.verification = nil
      active.verifyAt = nil
      effects.append(.report(.ownsAlone))
    } else {
      let attempt = active.verification ?? 1
      effects.append(.report(.answeredElsewhere(ours, attempt: attempt)))
      effects.append(.announce(ours, count: configuration.announcing.count))
      if attempt < configuration.announcing.verifications {
        active.verification = attempt + 1
        active.verifyAt = now + .seconds(Int64(1) << Int64(min(attempt - 1, 5)))
      } else {
        active.verification = nil
        active.verifyAt = nil
      }
    }
    phase = .active(active)
  }
}
