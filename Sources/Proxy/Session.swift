import Kernel
import Model
import Reactor
import Wire

/// What a UDP session is known by.
///
/// With a backend for each datagram, a client has a session with each of its backends,
/// each with its own socket: so every reply finds its way, and a backend sees one client.
struct SessionName: Equatable, BitwiseCopyable {
  var client: Endpoint
  /// The address of ours that the client has sent to; replies leave from it.
  var local: IPAddress
  /// The listener's socket (the key of its acceptor).
  var socket: UInt32
  /// The backend that the session is tied to; `anyBackend`: it may move.
  var backend = BackendSlot(.max)

  static let anyBackend = BackendSlot(.max)

  /// Keyed, so that nobody can choose sources that collide.
  func hash(_ key: (UInt64, UInt64)) -> UInt32 {
    var sip = SipHash(key: key)
    if client.address.family == .v4 {
      sip.update(client.address.low << 32 | local.low)
    } else {
      sip.update(client.address.high)
      sip.update(client.address.low)
      sip.update(local.high)
      sip.update(local.low)
    }
    sip.update(UInt64(client.port) << 32 | UInt64(socket))
    sip.update(UInt64(backend.index))
    return UInt32(truncatingIfNeeded: sip.finish())
  }
}

/// A UDP client with its backend. A plain value in the worker's slab.
struct Session: BitwiseCopyable {
  static let none = UInt32.max

  var name = SessionName(client: Endpoint(.anyV4, 0), local: .anyV4, socket: 0)
  var hash: UInt32 = 0
  /// The socket connected to the backend; -1: none, the next datagram picks one.
  var fd: Int32 = -1
  var timer = Session.none
  /// The interface of a link-local client; else 0.
  var interface: UInt32 = 0
  /// In loop milliseconds; moves back with each datagram, the timer follows when it fires.
  var deadline = Int64.max
  var listener: UInt32 = 0
  var route: UInt32 = 0
  var pool = Session.none
  var slot = BackendSlot(.max)
  /// The backend's index in its pool, in the World of `generation`.
  var index: UInt32 = 0
  /// The backend that has just failed, which the next pick avoids.
  var avoided = BackendSlot(.max)
  /// The World that its place was last checked against.
  var generation: UInt64 = 0
  var tries: UInt32 = 0
  var received: UInt64 = 0
  var replied: UInt64 = 0
  var bytesIn: UInt64 = 0
  var bytesOut: UInt64 = 0
  /// Loop nanoseconds.
  var started: Int64 = 0
  var firstReply: Int64 = 0
  /// When the datagram was sent that waits for a reply; 0: none does.
  var asked: Int64 = 0
}

/// UDP as one worker has it: sessions by the client's address and port.
struct DatagramState: ~Copyable {
  var sessions: Slab<Session>
  var table = SessionTable()
  let key = (Clock.entropy(), Clock.entropy())
  /// From clients, on their way to backends; empty between events.
  var inbound: DatagramBatch
  /// From backends, on their way to clients; empty between turns.
  var replies: DatagramBatch
  /// The listener's socket that `replies` leave through.
  var repliesSocket = Session.none
  /// Encoded PROXY headers, by session; only where the pool wants them.
  var prefixes: [UInt32: [UInt8]] = [:]

  init(limit: Int) throws(Errno) {
    let inbound = try DatagramBatch(.fromMany)
    let replies = try DatagramBatch(.fromOne)
    sessions = Slab(limit: limit, blank: Session())
    self.inbound = inbound
    self.replies = replies
  }

  func find(_ name: SessionName) -> UInt32? {
    var probe = table.probe(name.hash(key))
    while let index = table.next(&probe) {
      if sessions[index].name == name { return index }
    }
    return nil
  }
}
