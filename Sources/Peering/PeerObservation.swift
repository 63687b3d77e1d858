/// What a node learns from and about its peers; goes up to the node's truth.
package enum PeerObservation: Hashable, Sendable {
  case up(peer: String, Introduction)
  case down(peer: String, reason: String)
  /// Down for longer than the configured timeout: what it said is old.
  case stale(peer: String)
  /// It is no peer any more.
  case gone(peer: String)
  /// At most once a second: it is there. The round trip is smoothed; nil until it was measured.
  case heard(peer: String, roundTrip: Duration?)
  /// All that the peer says of itself now.
  case reports(peer: String, [PeerReportKey: PeerReport])
  /// The peer's words; maybe known already.
  case registers(peer: String, [Register])
  case letter(peer: String, topic: String, body: [UInt8])
  /// Whether the letter was taken in by the other node. A letter that was under way when the link fell is told as
  /// not delivered, though it may have been.
  case receipt(peer: String, id: UInt64, isDelivered: Bool)
  /// This node cannot take calls.
  case deaf(reason: String)
  /// Somebody called who is no peer.
  case turnedAway(reason: PeeringError)

  package struct Introduction: Hashable, Sendable {
    package var site: String
    package var version: String
    /// The peer's clock minus this node's, in milliseconds, to the accuracy of half a round trip.
    package var skew: Int64

    package init(site: String, version: String, skew: Int64) {
      self.site = site
      self.version = version
      self.skew = skew
    }
  }
}

extension PeerObservation {
  /// Whom it is about; nil: this node, or a stranger.
  package var peer: String? {
    switch self {
    case .up(let name, _), .down(let name, _), .stale(let name), .gone(let name), .heard(let name, _),
      .reports(let name, _), .registers(let name, _), .letter(let name, _, _), .receipt(let name, _, _):
      name
    case .deaf, .turnedAway: nil
    }
  }
}
