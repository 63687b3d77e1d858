/// What one BFD session is configured to be.
package struct SessionSettings: Hashable, Sendable {
  /// Our discriminator: unique on this node, not 0 (0 counts as 1).
  package var discriminator: UInt32
  /// How often we want to send, and how often we can hear; whole microseconds, 1 µs to 71 minutes.
  package var transmit: Duration
  package var receive: Duration
  /// How many packets in a row may be lost; 0 counts as 1.
  package var multiplier: UInt8
  /// Sends nothing until the peer spoke (§6.1).
  package var passive: Bool
  /// The least TTL that a packet may arrive with: 255 for a single hop (RFC 5881 §5), 255 less the
  /// hops between for multihop (RFC 5883 §5).
  package var minimumTTL: UInt8

  package init(
    discriminator: UInt32, transmit: Duration = .milliseconds(300), receive: Duration = .milliseconds(300),
    multiplier: UInt8 = 3, passive: Bool = false, minimumTTL: UInt8 = 255
  ) {
    self.discriminator = max(discriminator, 1)
    self.transmit = transmit
    self.receive = receive
    self.multiplier = max(multiplier, 1)
    self.passive = passive
    self.minimumTTL = minimumTTL
  }

  /// RFC 5883 §4: the port tells multihop packets apart.
  package static let singleHopPort: UInt16 = 3784
  package static let multihopPort: UInt16 = 4784
}
