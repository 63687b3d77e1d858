import Model

/// How long an address is away in the worst case, by the configuration.
package struct FailoverBudget: Hashable, Sendable {
  /// Silence until the Backup acts: three intervals after a crash, none after a clean stop.
  package var detection: Duration
  /// What the Backup waits for a better one.
  package var skew: Duration
  /// From the decision to the neighbours' tables: adding addresses and sending. An estimate, or the driver's measurement.
  package var announcement: Duration

  package var total: Duration { detection + skew + announcement }

  /// The Active router disappears just after it advertised.
  package static func crash(
    interval: AdvertInterval, version: ProtocolVersion, backupPriority: UInt8, announcement: Duration
  ) -> FailoverBudget {
    let threefold = Duration.nanoseconds(3 * interval.duration.nanoseconds)
    return FailoverBudget(
      detection: threefold, skew: interval.skew(priority: backupPriority, version: version), announcement: announcement)
  }

  /// The Active router resigns with priority 0 (RFC 9568 §6.4.3).
  package static func cleanStop(
    interval: AdvertInterval, version: ProtocolVersion, backupPriority: UInt8, announcement: Duration
  ) -> FailoverBudget {
    FailoverBudget(
      detection: .zero, skew: interval.skew(priority: backupPriority, version: version), announcement: announcement)
  }

  /// "300 ms detection + 22 ms skew + 5 ms announcement = 327 ms"
  package var description: String {
    func text(_ duration: Duration) -> String { "\((duration.nanoseconds + 500_000) / 1_000_000) ms" }
    return "\(text(detection)) detection + \(text(skew)) skew + \(text(announcement)) announcement = \(text(total))"
  }
}

extension FailoverBudget: CustomStringConvertible {}
