import Model

/// The protocol's version, with what differs between them.
package enum ProtocolVersion: UInt8, Hashable, Sendable, BitwiseCopyable {
  /// RFC 3768: IPv4, whole seconds, simple-text authentication.
  case v2 = 2
  /// RFC 9568: IPv4 and IPv6, centiseconds, no authentication.
  case v3 = 3
}

/// How often the Active router advertises, in centiseconds as on the wire.
package struct AdvertInterval: Hashable, Comparable, Sendable, BitwiseCopyable {
  package let centiseconds: UInt16

  /// nil outside 1–4095 cs (version 3, 12 bits) or 1–255 whole seconds (version 2, 8 bits).
  package init?(centiseconds: Int, version: ProtocolVersion) {
    switch version {
    case .v3: guard (1...4095).contains(centiseconds) else { return nil }
    case .v2: guard (100...25500).contains(centiseconds), centiseconds % 100 == 0 else { return nil }
    }
    self.centiseconds = UInt16(centiseconds)
  }

  /// One second: both RFCs' default.
  package static let second = AdvertInterval(unchecked: 100)
  private init(unchecked: UInt16) { centiseconds = unchecked }

  package var duration: Duration { .milliseconds(Int64(centiseconds) * 10) }
  package static func < (left: AdvertInterval, right: AdvertInterval) -> Bool { left.centiseconds < right.centiseconds }

  /// Skew_Time: the lower the priority, the longer a Backup waits, so that the highest is first.
  ///
  /// RFC 9568 §6.1: ((256 − priority) × interval) / 256. RFC 3768 §6.1: (256 − priority) / 256 seconds,
  /// whatever the interval.
  package func skew(priority: UInt8, version: ProtocolVersion) -> Duration {
    let unit = version == .v3 ? Int64(centiseconds) * 10_000_000 : 1_000_000_000
    return .nanoseconds((256 - Int64(priority)) * unit / 256)
  }

  /// Active_Down_Interval: silence after which a Backup declares the Active router gone.
  package func activeDown(priority: UInt8, version: ProtocolVersion) -> Duration {
    .nanoseconds(3 * duration.nanoseconds + skew(priority: priority, version: version).nanoseconds)
  }
}
