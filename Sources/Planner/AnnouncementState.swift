package import Model

/// How much a prefix is said, worst first.
package enum AnnouncementLevel: Int, Hashable, Comparable, Sendable {
  case withdrawn
  /// Said as less preferred, so that traffic leaves while open connections live.
  case degraded
  case announced

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One announcement's level with its hysteresis.
///
///     withdrawn ◄── down-after ── degraded ◄── down-after ── announced
///               ──  up-after  ──►          ──  up-after  ──►
///
/// A wish must last that long; one that turns back starts anew. The first verdict counts at once.
package struct AnnouncementState: Hashable, Sendable {
  package private(set) var level = AnnouncementLevel.withdrawn
  package private(set) var reason = "not judged yet"
  package private(set) var since: Instant
  private var isJudged = false
  /// The wish for another level, and since when that is in its direction.
  private var wish: AnnouncementLevel?
  private var wishedSince: Instant

  package init(at now: Instant) {
    since = now
    wishedSince = now
  }

  /// What health says now.
  /// - Returns: whether the level changed.
  @discardableResult package mutating func judge(
    _ goal: AnnouncementLevel, reason: String, upAfter: Duration, downAfter: Duration, at now: Instant
  ) -> Bool {
    guard isJudged else {
      isJudged = true
      return enter(goal, reason, at: now)
    }
    guard goal != level else {
      wish = nil
      self.reason = reason
      return false
    }
    if wish.map({ ($0 > level) != (goal > level) }) ?? true { wishedSince = now }
    wish = goal
    guard now - wishedSince >= (goal > level ? upAfter : downAfter) else { return false }
    enter(goal, reason, at: now)
    return true
  }

  /// When the wish comes true, if nothing else happens.
  package func deadline(upAfter: Duration, downAfter: Duration) -> Instant? {
    wish.map { wishedSince + ($0 > level ? upAfter : downAfter) }
  }

  @discardableResult private mutating func enter(
    _ goal: AnnouncementLevel, _ reason: String, at now: Instant
  ) -> Bool {
    level = goal
    self.reason = reason
    since = now
    wish = nil
    return true
  }
}
