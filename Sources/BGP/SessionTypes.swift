/// The words in which a session and its driver talk.

/// The states of RFC 4271 §8.2.2.
package enum SessionState: String, Hashable, Sendable, CaseIterable {
  case idle = "Idle"
  case connect = "Connect"
  case active = "Active"
  case openSent = "OpenSent"
  case openConfirm = "OpenConfirm"
  case established = "Established"
}

/// One TCP connection of a session. Numbers are never used twice by a session, so a late word about a
/// connection that is gone means nothing.
package struct ConnectionID: Hashable, Sendable {
  package enum Origin: Hashable, Sendable {
    /// We connected.
    case outgoing
    /// The peer connected; the driver picks the number.
    case incoming
  }

  package let origin: Origin
  package let number: UInt64

  package init(_ origin: Origin, _ number: UInt64) {
    self.origin = origin
    self.number = number
  }
}

package enum SessionEvent: Hashable, Sendable {
  case start
  case stop(SessionStop)
  /// The peer connected.
  case accepted(ConnectionID)
  /// Our connection stands.
  case connected(ConnectionID)
  /// Refused, reset, timed out or closed by the peer.
  case failed(ConnectionID)
  case received(ConnectionID, [UInt8])
  /// End this session for what its content did (a prefix limit), and try again later.
  case fault(Notification)
  case bfd(BFDWord)
  /// `deadline` has passed. Early or spurious calls do nothing.
  case timer
}

/// What BFD says of the path. Administratively down says nothing (RFC 5882 §3.2).
package enum BFDWord: Hashable, Sendable {
  case up
  case down
  case administrativelyDown
}

/// Why we end a session of our own will.
package enum SessionStop: Hashable, Sendable {
  case shutdown(String)
  case deconfigured
  /// A planned restart: closed without a word, so that graceful restart keeps our routes (RFC 4724 §4).
  case restart
  /// Ends and starts again at once.
  case reset(String)
  case reconfigured
}

package enum SessionEffect: Hashable, Sendable {
  case connect(ConnectionID)
  /// Whole messages, in order.
  case send(ConnectionID, [UInt8])
  /// After what was sent before it.
  case close(ConnectionID)
  case state(SessionState)
  case established(Negotiated)
  /// A session that was Established is over.
  case ended(SessionEnd)
  /// An attempt that never got there.
  case attemptFailed(SessionEnd)
  case update(Update)
  case refresh(RouteRefresh)
}

package enum SessionEnd: Hashable, Sendable, CustomStringConvertible {
  case sent(Notification)
  case received(Notification)
  case closed
  case stopped(SessionStop)
  /// The peer came back on a new connection (RFC 4724 §5).
  case peerRestarted

  package var description: String {
    switch self {
    case .sent(let notification): "sent \(notification)"
    case .received(let notification): "received \(notification)"
    case .closed: "connection closed"
    case .stopped: "stopped"
    case .peerRestarted: "peer restarted"
    }
  }
}
