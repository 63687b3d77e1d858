import Model

/// How loudly a takeover is told to switches and neighbours (gratuitous ARP, unsolicited Neighbour Advertisements).
package struct AnnouncementPolicy: Hashable, Sendable {
  /// Packets per address in one burst.
  package var count = 3
  /// After the first burst comes a second one, for the neighbours that missed it; nil: none.
  package var delay: Duration? = .seconds(5)
  /// While Active, one burst of one packet so often; nil: never.
  package var refresh: Duration?
  /// How often to ask again while somebody else still answers for an address.
  package var verifications = 5

  package init(
    count: Int = 3, delay: Duration? = .seconds(5), refresh: Duration? = nil, verifications: Int = 5
  ) {
    self.count = count
    self.delay = delay
    self.refresh = refresh
    self.verifications = verifications
  }
}

/// When an Active router announces next.
struct AnnouncementSchedule: Hashable, Sendable {
  private var repeatAt: Instant?
  private var refreshAt: Instant?

  var deadline: Instant? { [repeatAt, refreshAt].compactMap { $0 }.min() }

  /// A burst went out now.
  init(_ policy: AnnouncementPolicy, at now: Instant) {
    repeatAt = policy.delay.map { now + $0 }
    refreshAt = policy.refresh.map { now + $0 }
  }

  /// How many packets per address are due now.
  mutating func take(_ policy: AnnouncementPolicy, at now: Instant) -> Int {
    var count = 0
    if let due = repeatAt, due <= now {
      repeatAt = nil
      count = policy.count
    }
    if let due = refreshAt, due <= now {
      refreshAt = policy.refresh.map { now + max($0, .milliseconds(1)) }
      count = max(count, 1)
    }
    return count
  }
}
