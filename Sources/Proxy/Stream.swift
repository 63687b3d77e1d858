import Model
import Reactor
import TLS

/// A connection, to a client or to a backend. A plain value in the worker's slab.
struct Stream: BitwiseCopyable {
  enum Role: BitwiseCopyable { case client, backend }

  /// What the next event means.
  enum Phase: BitwiseCopyable {
    /// Client: a PROXY header is expected.
    case proxyHeader
    /// TLS begins; an exchange that waits for it is connecting.
    case handshake
    /// Client: a ClientHello is expected, which is passed on unread.
    case sniffing
    /// Client (HTTP): between requests, or within a head.
    case request
    /// In use by an exchange.
    case exchange
    /// Backend: the connection is being established.
    case connecting
    /// Backend: kept alive, in the idle list of its slot.
    case idle
    /// Client: the answer is out; what still comes is read and thrown away, then closed.
    case lingering
    /// Its bytes are HTTP/2 frames.
    case trunk
  }

  struct Flags: OptionSet, BitwiseCopyable {
    let rawValue: UInt32
    /// The kernel may have bytes for us (edge-triggered: remembered until a short read).
    static let readable = Flags(rawValue: 1)
    static let writable = Flags(rawValue: 2)
    /// The peer has said that it will send no more, or that something is wrong.
    static let ending = Flags(rawValue: 4)
    /// The end was read.
    static let ended = Flags(rawValue: 8)
    /// We have sent our end.
    static let shut = Flags(rawValue: 16)
    /// Backend: has served an exchange before this one.
    static let reused = Flags(rawValue: 64)
    /// Client: its listener speaks HTTP.
    static let http = Flags(rawValue: 128)
    /// Client: has said that this is its last request.
    static let lastRequest = Flags(rawValue: 256)
    /// Client: the source comes from a PROXY header.
    static let proxied = Flags(rawValue: 512)
    /// Linger after flushing instead of closing.
    static let lingerWhenFlushed = Flags(rawValue: 1024)
    /// Its bytes must pass through our memory: they are encrypted, or its socket knows no splice.
    static let unspliceable = Flags(rawValue: 2048)
    /// Much has come from it at once, so that the next piece goes through a pipe.
    static let bulk = Flags(rawValue: 4096)
    /// Closed without an orderly end: the peer must see that something is missing.
    static let cut = Flags(rawValue: 8192)
    /// It carries HTTP/2 (Trunk.swift).
    static let trunk = Flags(rawValue: 1 << 16)
    /// It is one HTTP/2 stream of a trunk: no descriptor of its own.
    static let branch = Flags(rawValue: 1 << 17)
    /// Branch: what is read from it is framed as a chunked body.
    static let chunked = Flags(rawValue: 1 << 18)
    /// Branch of a client: its final response's head is out.
    static let answered = Flags(rawValue: 1 << 19)
    /// Branch: whoever writes to it waits until it has room again.
    static let paused = Flags(rawValue: 1 << 20)
    /// Branch of a backend: the peer has not processed it.
    static let refused = Flags(rawValue: 1 << 21)
    /// Client: what is sent next is its last, and the connection's end follows in the same turn.
    static let closing = Flags(rawValue: 1 << 23)
    /// Events tell of its end and of room alone, until what is known to be there was read.
    static let muted = Flags(rawValue: 1 << 24)
    /// The end was read, but TLS had not told of it (RFC 8446 §6.1): what was to come before it may be missing.
    static let torn = Flags(rawValue: 1 << 25)
    /// Client: its handshake has not got an answer of ours yet; in the list of those.
    static let unanswered = Flags(rawValue: 1 << 26)
    /// Client: nobody; its request is a copy of another's. A branch that belongs to no trunk.
    static let copy = Flags(rawValue: 1 << 27)
  }

  static let none = UInt32.max

  var fd: Int32 = -1
  var role = Role.client
  var phase = Phase.request
  var flags: Flags = []
  /// The exchange that it works for.
  var exchange = Stream.none
  var timer = Stream.none
  /// In loop milliseconds; `.max`: none. The timer may be armed for earlier, never for later.
  var deadline = Int64.max
  /// Received and not yet consumed: a partial head, or pipelined requests.
  var input = Chain()
  /// What the socket has refused so far.
  var output = Chain()
  /// The pipe whose bytes go to this stream, before those of `output`.
  var pipe = Stream.none
  /// Its TLS side; `none`: it speaks in clear.
  var channel = Stream.none
  /// What was agreed on for its bytes.
  var negotiated = NegotiatedProtocol.none
  var piped: UInt32 = 0
  var next = Stream.none
  var previous = Stream.none
  /// Client: the listener's row. Backend: the slot.
  var row: UInt32 = 0
  /// Client: how far a partial head was searched for its end (the parser's).
  /// Branch: how much of `input`, at its end, is a trailer section.
  var scanned: UInt32 = 0
  /// Client: requests so far. Backend: exchanges so far.
  var served: UInt32 = 0
  /// Branch: how much of `output`, at its end, is a trailer section.
  var trailing: UInt32 = 0
  /// Trunk: its row in `trunks`. Branch: its trunk's, while that exists.
  var trunk = Stream.none
  /// Branch: the stream's number on its connection.
  var id: Int32 = 0
  /// Client: where it comes from.
  var source = Endpoint(.anyV4, 0)

  /// It takes more: nothing waits for the socket, or the branch has room.
  @inline(__always) var isDrained: Bool {
    output.isEmpty && piped == 0 || flags.contains(.branch) && output.count <= Trunk.branchShare
  }
}

/// What an epoll token or a timer token means.
enum Token {
  enum Kind: UInt8 { case mailbox = 1, acceptor, stream, datagrams, session }

  static func make(_ kind: Kind, _ index: UInt32, _ generation: UInt32 = 0) -> UInt64 {
    UInt64(kind.rawValue) << 56 | UInt64(generation & 0xff_ffff) << 32 | UInt64(index)
  }

  @inline(__always) static func kind(_ token: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: token >> 56) }
  @inline(__always) static func index(_ token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: token) }
  @inline(__always) static func generation(_ token: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: token >> 32) & 0xff_ffff
  }
}
