/// TLS handshakes of a listener. Counters.
package struct HandshakeStatistics: Hashable, Codable, Sendable {
  /// Completed, resumed ones too.
  package var done: UInt64 = 0
  /// Of those, the ones that resumed a session.
  package var resumed: UInt64 = 0
  /// Refused by the rate per source, before they began.
  package var limited: UInt64 = 0
  package var failed = HandshakeFailures()

  package init() {}

  package static func + (left: HandshakeStatistics, right: HandshakeStatistics) -> HandshakeStatistics {
    var sum = left
    sum.done &+= right.done
    sum.resumed &+= right.resumed
    sum.limited &+= right.limited
    sum.failed = left.failed + right.failed
    return sum
  }
}

/// Handshakes that came to nothing, by reason.
package struct HandshakeFailures: Hashable, Codable, Sendable {
  /// What came is not TLS.
  package var notTLS: UInt64 = 0
  /// No common version, cipher, group or signature.
  package var mismatch: UInt64 = 0
  /// No certificate for the name, or no common application protocol.
  package var name: UInt64 = 0
  /// The client's certificate is missing or not to be trusted.
  package var certificate: UInt64 = 0
  /// The client gave up, with an alert.
  package var alert: UInt64 = 0
  /// The client went away.
  package var closed: UInt64 = 0
  package var timeout: UInt64 = 0
  package var other: UInt64 = 0

  package init() {}

  package static func + (left: HandshakeFailures, right: HandshakeFailures) -> HandshakeFailures {
    var sum = left
    sum.notTLS &+= right.notTLS
    sum.mismatch &+= right.mismatch
    sum.name &+= right.name
    sum.certificate &+= right.certificate
    sum.alert &+= right.alert
    sum.closed &+= right.closed
    sum.timeout &+= right.timeout
    sum.other &+= right.other
    return sum
  }
}
