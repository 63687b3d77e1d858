import BGP
import Kernel
import Model

/// One peer with what its driver knows of it.
struct BGPPeer {
  let name: String
  /// What the operator asked for; of a dynamic neighbour, of its range.
  var config: BGPSpeaker
  let isDynamic: Bool
  var remote: PeerName
  var options: PeerSocket.Options
  var speaker: Speaker
  /// The speaker's, kept so that a turn does not ask all of them.
  var deadline: Instant?
  /// Connections by the session's number, to the loop's.
  var links: [ConnectionID: UInt64] = [:]
  var accepted: UInt64 = 0
  /// The routes have changed since they were last told.
  var isDirty = true
  var since: Instant
  var lastError: String?
  var bfd: String?
  /// Of the session that is Established.
  var negotiated: Negotiated?

  func report() -> BGPPeerState {
    var state = BGPPeerState(
      name: name, address: remote.address, state: speaker.session.state.rawValue, since: since)
    state.lastError = lastError
    state.bfd = bfd
    state.peerAS = negotiated?.peerAS
    state.identifier = negotiated?.peerIdentifier
    state.holdTime = Int(negotiated?.holdTime ?? 0)
    state.families = negotiated?.families ?? []
    state.capabilities = negotiated?.peerCapabilities.map(\.name) ?? []
    state.announced = speaker.announced.count
    state.received = speaker.received.count(.v4) + speaker.received.count(.v6)
    state.counters = BGPPeerCounters(speaker.session.counters)
    return state
  }

  func tables() -> BGPTables {
    BGPTables(
      peer: name, announced: speaker.announced.announced.map { BGPRouteView($0.prefix, $0.nextHop, $0.attributes) },
      received: speaker.received.routes.map { BGPRouteView($0.prefix, $0.route.nextHop, $0.route.attributes) })
  }
}

/// One TCP connection.
struct BGPLink {
  let fd: Int32
  let peer: String
  let id: ConnectionID
  /// The connection stands; before, it is on its way.
  var isOpen = false
  /// What the socket did not take yet, from `sent` on.
  var output: [UInt8] = []
  var sent = 0
  /// Nothing more is said or heard: it ends when the output is out and the peer has closed, or at `closeBy`.
  var isClosing = false
  var closeBy: Instant?
  /// The peer does not read what we say, so we do not read what it says.
  var isPaused = false
  /// Since when the socket has taken nothing (RFC 9687).
  var stalledSince: Instant?
  /// Our ends, for "next hop self".
  var addresses = SelfAddresses()

  var pending: Int { output.count - sent }

  /// Beyond this the peer is not read: each of its messages may ask for an answer.
  static let highWater = 1 << 20
  /// Beyond this new routes wait: only the last of several changes needs to be said.
  static let patience = 1 << 18
}
