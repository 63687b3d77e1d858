import Balance
import HTTP
import Model
import Reactor
import Routing

/// One request and its response, or one TCP connection: what ties a client's stream to a backend's.
struct Exchange: BitwiseCopyable {
  enum Kind: BitwiseCopyable {
    case http
    /// Bytes both ways: a TCP listener's connection, or what an HTTP request was upgraded to.
    case tunnel
  }

  enum Phase: BitwiseCopyable {
    /// Waiting for a backend with room.
    case queued
    case connecting
    /// The request is being sent; no response head yet.
    case sent
    /// The response's body is passing.
    case response
    /// An answer of our own is out; the rest of the request's body is read and thrown away.
    case discarding
    case tunnel
  }

  struct Flags: OptionSet, BitwiseCopyable {
    let rawValue: UInt32
    static let idempotent = Flags(rawValue: 1)
    /// The client speaks HTTP/1.0.
    static let http10 = Flags(rawValue: 2)
    static let clientKeepAlive = Flags(rawValue: 4)
    static let backendKeepAlive = Flags(rawValue: 8)
    static let upgrade = Flags(rawValue: 16)
    static let connect = Flags(rawValue: 32)
    static let headOnly = Flags(rawValue: 64)
    /// `request` still holds everything that was sent.
    static let replayable = Flags(rawValue: 128)
    /// A byte of the response has gone to the client.
    static let responding = Flags(rawValue: 256)
    static let requestDone = Flags(rawValue: 512)
    static let responseDone = Flags(rawValue: 1024)
    /// Chunks are decoded for the client (HTTP/1.0).
    static let dechunk = Flags(rawValue: 2048)
    /// Counted in the backend's in-flight load.
    static let loaded = Flags(rawValue: 4096)
    /// Counted as a live retry of its pool.
    static let retrying = Flags(rawValue: 8192)
    /// The backend is to be named in a cookie.
    static let setCookie = Flags(rawValue: 16384)
    /// The backend was chosen by persistence.
    static let persistent = Flags(rawValue: 32768)
    static let clientToBackendDone = Flags(rawValue: 65536)
    static let backendToClientDone = Flags(rawValue: 131072)
    static let queued = Flags(rawValue: 262144)
    /// The backend takes no more of the request; it may have answered all the same.
    static let uploadCut = Flags(rawValue: 524288)
    /// The client may hold its body back until it is asked for it.
    static let expectsContinue = Flags(rawValue: 2_097_152)
    /// Some statuses are tried again.
    static let retriesStatus = Flags(rawValue: 4_194_304)
    /// The client takes trailers (TE), and a backend that speaks HTTP/2 is told so.
    static let acceptsTrailers = Flags(rawValue: 8_388_608)
    /// A gRPC call.
    static let grpc = Flags(rawValue: 33_554_432)
    /// Its decisions are kept, and its spans exported.
    static let sampled = Flags(rawValue: 67_108_864)
    /// Its backend speaks HTTP/2.
    static let toBranch = Flags(rawValue: 16_777_216)
    /// How its body is framed is decided with its backend, which may choose what it speaks.
    static let undecided = Flags(rawValue: 268_435_456)
    /// Its backend has chosen otherwise than it did before.
    static let protocolChanged = Flags(rawValue: 134_217_728)
    /// The next try is not sent on a kept-alive connection.
    static let wantsFreshConnection = Flags(rawValue: 1_048_576)
  }

  static let none = UInt32.max
  static let noStatus = UInt8.max
  static let anyVersion = UInt8.max

  var kind = Kind.http
  var phase = Phase.queued
  var flags: Flags = []
  var client = Stream.none
  var backend = Stream.none
  /// The snapshot (an epoch of the worker) that its route belongs to.
  var epoch: UInt32 = 0
  var listener: UInt32 = 0
  var route: UInt32 = 0
  var pool = Exchange.none
  var slot = BackendSlot(.max)
  /// The backend's index in the current snapshot's pool, at the time of the pick.
  var index: UInt32 = 0
  var tried = TriedSet()
  var tries: UInt8 = 0
  var attempts: UInt8 = 0
  /// A group of the pool's `CompiledSplit`.
  var version = Exchange.anyVersion
  var site = SiteChoice.off
  /// A copy of it that is not whole yet.
  var copy = Exchange.none
  /// What `tried`, `wanted` and `index` refer to: `CompiledPool.layout`; 0: nothing yet.
  var layout: UInt64 = 0
  /// The end of its wait for a backend with room; 0: it has not waited.
  var queuedUntil: Int64 = 0
  /// From sending a try to its response's head, in milliseconds; 0: as long as the pool says.
  var tryTimeout: Int64 = 0
  /// Between two pieces of its backend's answer, in milliseconds: the pool's at the time of the try.
  var responseTimeout: Int64 = 60_000
  /// Interim responses so far.
  var interims: UInt8 = 0
  var method = Method.get
  var status: UInt16 = 0
  /// grpc-status, once it is known.
  var grpcStatus = Exchange.noStatus
  /// From when on a client that resets its call does so for its deadline, in loop milliseconds.
  var grpcDeadline = Int64.max
  var ending = Ending.none

  /// The rewritten head and the body's beginning, until they are sent and cannot be wanted again.
  var request = Chain()
  /// How much of `request` this try has sent.
  var sent: UInt32 = 0
  /// The part of `request` that is the head.
  var headLength: UInt32 = 0
  var requestBody = BodyState()
  var responseBody = BodyState()

  /// The key of hash policies, and of persistence.
  var hash: UInt64 = 0
  var stickyHash: UInt64 = 0
  /// By persistence: the index to go to; -1: none.
  var wanted: Int32 = -1

  /// Trailers of HTTP/1.1 for a backend that speaks HTTP/2, until they are sent and cannot be wanted again.
  var trailers = Chain()
  /// What the client of a WebSocket handshake will look for in the answer, where the backend has no such thing.
  var proof = Chain()

  var bytesIn: Int64 = 0
  var bytesOut: Int64 = 0
  /// Loop nanoseconds.
  var started: Int64 = 0
  var triedAt: Int64 = 0
  /// When the try got its connection, if one had to be made.
  var connectedAt: Int64 = 0
  /// Its wait for a backend with room, in milliseconds.
  var waited: Int64 = 0
  var firstByte: Int64 = 0
  /// For the whole request, in loop milliseconds; `.max`: none.
  var deadline = Int64.max
  /// The end of `tryTimeout`, in loop milliseconds; `.max`: none.
  var tryDeadline = Int64.max
  /// The access log's line as far as the request tells it.
  var log = Chain()
  var next = Exchange.none
  var previous = Exchange.none
}

/// How far a body has passed.
struct BodyState: BitwiseCopyable {
  var framing = BodyFraming.none
  var remaining: UInt64 = 0
  var chunks = ChunkDecoder()

  init() {}

  init(_ framing: BodyFraming) {
    self.framing = framing
    if case .length(let length) = framing { remaining = UInt64(length) }
  }

  var isEmpty: Bool {
    switch framing {
    case .none: true
    case .length: remaining == 0
    default: false
    }
  }

  /// How many of the next bytes are content for certain, whatever they are.
  var unseen: UInt64 {
    switch framing {
    case .none: 0
    case .untilClose: .max
    case .length: remaining
    case .chunked: chunks.remainingData
    }
  }

  /// Takes `count` of the `unseen` bytes; whether the body is complete with them.
  mutating func skip(_ count: Int) -> Bool {
    switch framing {
    case .none, .untilClose: return false
    case .length:
      remaining -= UInt64(count)
      return remaining == 0
    case .chunked:
      chunks.skip(UInt64(count))
      return false
    }
  }

  var isOfUnknownLength: Bool {
    switch framing {
    case .chunked, .untilClose: true
    default: false
    }
  }

  /// Walks the body's framing over received bytes: how many belong to it, and whether it is complete.
  mutating func consume(_ region: borrowing ByteRegion, from start: Int) throws(ChunkError) -> (taken: Int, done: Bool)
  {
    let bytes = region.bytes(start..<region.count)
    switch framing {
    case .none: return (0, true)
    case .untilClose: return (bytes.count, false)
    case .length:
      let taken = Int(min(UInt64(bytes.count), remaining))
      remaining -= UInt64(taken)
      return (taken, remaining == 0)
    case .chunked:
      let progress = try chunks.advance(bytes, from: 0)
      return (progress.end, progress.isFinished)
    }
  }
}

extension BodyState {
  /// The next run of content of a chunked body.
  mutating func nextContent(_ region: borrowing ByteRegion, from position: inout Int) throws(ChunkError)
    -> ChunkDecoder.Step
  {
    try chunks.next(region.bytes, from: &position)
  }
}

/// Who ended an exchange, and in which phase. The text stands in logs.
enum Ending: BitwiseCopyable {
  case none
  case clientClosed, clientTimeout, malformedRequest, bodyTooLarge, headTimeout
  case accessDenied, rateLimited, noRoute, connectRefused, misdirected
  case noBackend, poolMissing, queueFull, queueTimeout
  case connectFailed, connectTimeout, handshakeFailed
  case backendReset, backendClosed, responseTimeout, malformedResponse, bodyCut
  case streamRefused, drained
  case requestTimeout, outOfBuffers, stopped, internalLimit, routeUndecided, tunnelIdle
  case upgradeUnsupported
  case sessionIdle, sessionEvicted, listenerRemoved

  var text: StaticString {
    switch self {
    case .none: "-"
    case .clientClosed: "client-closed"
    case .clientTimeout: "client-timeout"
    case .malformedRequest: "malformed-request"
    case .bodyTooLarge: "body-too-large"
    case .headTimeout: "head-timeout"
    case .accessDenied: "access-denied"
    case .rateLimited: "rate-limited"
    case .noRoute: "no-route"
    case .connectRefused: "connect-not-allowed"
    case .misdirected: "misdirected"
    case .noBackend: "no-healthy-backend"
    case .poolMissing: "pool-removed"
    case .queueFull: "queue-full"
    case .queueTimeout: "queue-timeout"
    case .connectFailed: "connect-failed"
    case .connectTimeout: "connect-timeout"
    case .handshakeFailed: "handshake-failed"
    case .backendReset: "backend-reset"
    case .backendClosed: "backend-closed"
    case .responseTimeout: "response-timeout"
    case .malformedResponse: "malformed-response"
    case .bodyCut: "response-cut"
    case .streamRefused: "stream-refused"
    case .drained: "drained"
    case .requestTimeout: "request-timeout"
    case .outOfBuffers: "out-of-buffers"
    case .stopped: "stopped"
    case .internalLimit: "internal-limit"
    case .routeUndecided: "route-undecided"
    case .tunnelIdle: "tunnel-idle"
    case .upgradeUnsupported: "upgrade-unsupported"
    case .sessionIdle: "session-idle"
    case .sessionEvicted: "session-evicted"
    case .listenerRemoved: "listener-removed"
    }
  }

  /// The short plain body of an answer of our own.
  func body(_ status: UInt16) -> StaticString {
    switch self {
    case .noBackend, .poolMissing: "no server is available\n"
    case .queueFull, .queueTimeout: "too many requests wait\n"
    case .connectFailed, .connectTimeout, .handshakeFailed: "no server could be reached\n"
    case .backendReset, .backendClosed, .streamRefused: "the server closed the connection\n"
    case .malformedResponse: "the server sent an invalid response\n"
    case .responseTimeout, .requestTimeout: "the server did not answer in time\n"
    case .bodyTooLarge: "request body too large\n"
    case .malformedRequest: "malformed request\n"
    case .clientTimeout: "request timeout\n"
    case .upgradeUnsupported: "the server takes no such connection\n"
    default: "request failed\n"
    }
  }
}
