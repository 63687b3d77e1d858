import DNS
import GeoIP
import Kernel
import Model
import Reactor
import TLS

/// What a worker is told.
enum WorkerOrder: Sendable {
  /// Answer from these zones through these sockets.
  case adopt(Catalog, [ServedSocket], Latch)
  /// The same zones, another view of what is well.
  case view(DynamicView)
  /// No new TCP clients, and an end for idle ones.
  case drain
  case stop
}

struct ServedSocket: Sendable, Hashable {
  var descriptor: Int32
  var isStream: Bool
  /// What comes is TLS.
  var isSecure = false
  /// Bound to every address, so that an answer must say from which it leaves.
  var isWildcard: Bool
}

/// One thread's whole state.
struct Worker: ~Copyable {
  static let wakeToken: UInt64 = 1 << 63
  static let socketToken: UInt64 = 1 << 62
  /// How long a client that is silent is waited for when the server drains.
  static let partingMilliseconds: Int64 = 1000
  /// Between two looks at what has been idle too long.
  static let sweepMilliseconds: Int64 = 250

  var epoll: Epoll
  let mailbox: Mailbox<WorkerOrder>
  let counters: Counters
  var responder: Responder
  var writer = MessageWriter()
  var batch = AnswerBatch()
  var catalog = Catalog()
  var view = DynamicView()
  var sockets: [ServedSocket] = []
  /// UDP sockets that are asked without a pause, by their place in `sockets`: they are not watched.
  var busy: [Int] = []
  var clock: Responder.Moment
  /// Nanoseconds from the monotonic to the wall clock.
  var wallOffset: Int64 = 0

  // Streams.
  var streams: Slab<Stream>
  var buffers: BufferPool
  var received = ByteRegion(capacity: 64 << 10)
  var outgoing = ByteRegion(capacity: 128 << 10)
  /// Zone transfers that are under way, by stream.
  var transfers: [UInt32: ZoneTransfer] = [:]
  var streamLimit = 1000
  var idleMilliseconds: Int64 = 10_000
  /// Streams that have more to do than one turn gives them.
  var unfinished: [Handle] = []
  var channels = Channels(limit: Worker.maximumStreams)
  /// Handshakes under way; at the catalog's limit nobody is taken in, and the secure sockets are not listened to.
  var handshaking = 0
  /// Steps of handshakes that this turn may still take.
  var handshakeSteps = 0
  var isMuted = false
  /// Messages of zone transfers that this turn may still write.
  var transferSteps = 0
  private var signaturesCounted: UInt64 = 0
  var isDraining = false
  var isStopping = false

  static let maximumStreams = 65_536

  init(mailbox: Mailbox<WorkerOrder>, counters: Counters) throws(Errno) {
    let epoll = try Epoll()
    try epoll.add(mailbox.wakeup.descriptor, token: Worker.wakeToken, .level)
    self.epoll = epoll
    self.mailbox = mailbox
    self.counters = counters
    responder = Responder(.init(), seed: Clock.entropy())
    streams = Slab(limit: Worker.maximumStreams, blank: Stream())
    buffers = BufferPool(bytes: 64 << 20)
    clock = .init(now: Clock.now(), unixSeconds: 0)
  }

  mutating func run() {
    var nextSweep: Int64 = 0
    while !isStopping {
      let pause = !unfinished.isEmpty || !busy.isEmpty ? 0 : streams.count > 0 ? Int32(Worker.sweepMilliseconds) : 1000
      let events = epoll.wait(milliseconds: pause)
      readClock()
      handshakeSteps = Worker.stepsPerTurn
      transferSteps = Worker.messagesPerTurn
      for index in 0..<events {
        let event = epoll[index]
        if event.token & Worker.wakeToken != 0 {
          takeOrders()
        } else if event.token & Worker.socketToken != 0 {
          let socket = Int(event.token & 0xffff)
          // A socket that an order of this turn took away.
          guard socket < sockets.count, sockets[socket].descriptor == Int32(event.token >> 16 & 0xffff_ffff) else {
            continue
          }
          if sockets[socket].isStream { accept(socket) } else { answerDatagrams(socket) }
        } else {
          streamEvent(event)
        }
      }
      if !busy.isEmpty { for socket in busy { answerDatagrams(socket) } }
      if !unfinished.isEmpty { goOn() }
      let now = clock.now.nanoseconds / 1_000_000
      if now >= nextSweep {
        nextSweep = now + Worker.sweepMilliseconds
        wallOffset = Clock.wall() * 1000 - Clock.now().nanoseconds
        sweep(now)
      }
    }
    for index in streams.indices where streams.isUsed(index) { close(index) }
    for socket in sockets { Socket.close(socket.descriptor) }
  }

  private mutating func readClock() {
    let now = Clock.now()
    clock = .init(
      now: now, unixSeconds: UInt32(truncatingIfNeeded: (now.nanoseconds &+ wallOffset) / 1_000_000_000))
  }

  private mutating func takeOrders() {
    for order in mailbox.take() {
      switch order {
      case .adopt(let catalog, let sockets, let latch):
        adopt(catalog, sockets)
        latch.arrive()
      case .view(let view):
        responder.prepare(for: view)
        self.view = view
      case .drain: drain()
      case .stop: isStopping = true
      }
    }
  }

  private mutating func adopt(_ next: Catalog, _ wanted: [ServedSocket]) {
    wallOffset = Clock.wall() * 1000 - Clock.now().nanoseconds
    responder.configure(next.settings, keys: next.keys)
    responder.prepare(for: next.view)
    view = next.view
    streamLimit = next.streamLimit
    idleMilliseconds = next.idleMilliseconds
    catalog = next
    guard !isDraining else { return }
    unmute()
    for socket in sockets where !wanted.contains(socket) { leave(socket) }
    var kept: [ServedSocket] = []
    for socket in wanted {
      // Its place in the list is in its token.
      if sockets.contains(socket) { epoll.remove(socket.descriptor) }
      do { try epoll.add(socket.descriptor, token: Worker.token(of: socket, at: kept.count), .level) } catch {
        Socket.close(socket.descriptor)
        continue
      }
      kept.append(socket)
    }
    sockets = kept
    busy = []
  }

  static func token(of socket: ServedSocket, at place: Int) -> UInt64 {
    socketToken | UInt64(UInt32(bitPattern: socket.descriptor)) << 16 | UInt64(place)
  }

  private mutating func drain() {
    isDraining = true
    unmute()
    for socket in sockets { leave(socket) }
    sockets = []
    busy = []
    // A query may be on its way (RFC 7766 §6.2.3 lets a server close an idle connection; this one may not be idle).
    for index in streams.indices where streams.isUsed(index) && isQuiet(index) {
      streams[index].deadline = min(streams[index].deadline, milliseconds + Worker.partingMilliseconds)
    }
  }

  private mutating func leave(_ socket: ServedSocket) {
    // Another process may have the socket, too: then closing alone would leave it watched.
    epoll.remove(socket.descriptor)
    Socket.close(socket.descriptor)
  }

  /// Counts what the responder has just said.
  mutating func count(_ outcome: Responder.Outcome) {
    switch outcome {
    case .respond:
      let account = responder.account()
      switch account.code {
      case .noError: counters.count(.noError)
      case .nameError: counters.count(.nameError)
      case .refused: counters.count(.refused)
      case .serverFailure: counters.count(.serverFailure)
      case .formatError:
        counters.count(.formatError)
        counters.count(.malformed)
      case .notImplemented: counters.count(.notImplemented)
      default: counters.count(.otherCode)
      }
      if account.isTruncated { counters.count(.truncated) }
      if account.signatures != signaturesCounted {
        counters.count(.signed, Int(account.signatures &- signaturesCounted))
        signaturesCounted = account.signatures
      }
    case .drop(.rateLimited): counters.count(.limited)
    case .drop(.notAQuery):
      counters.count(.dropped)
      counters.count(.malformed)
    case .transfer: counters.count(.transfers)
    }
  }
}
