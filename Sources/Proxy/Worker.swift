import Balance
import HTTP
import HTTP2
import Kernel
import Model
import Reactor
import Routing
import Sniff
import TLS
import Wire

/// What a worker is told. Everything is a set or a state, so that a repeated message does no harm.
enum WorkerOrder: Sendable {
  /// Serve by this World, on exactly these sockets.
  case adopt(Snapshot, [ListeningSocket], Latch)
  /// Take no new clients; end what can be ended.
  /// Where another process has the sockets, whoever waits in their queues is its.
  case drain(isHandedOver: Bool)
  /// Whose answers are the last of their connections.
  case part(PartingScope)
  /// Say that the loop turns.
  case answer(Latch)
  /// Another worker has freed a connection of a backend that requests wait for.
  case capacity
  /// What becomes, or became, of a request; changes nothing.
  case explain(ExplainOrder)
  case stop
}

struct ListeningSocket: Sendable {
  let descriptor: Int32
  let row: UInt32
  let transport: Listener.Transport
  /// One descriptor for all workers (Unix sockets).
  let isShared: Bool
  /// The bound port, for PROXY headers and wildcard binds.
  let local: Endpoint?
}

/// One thread's event loop with everything it owns.
///
/// The whole state is this one value on the thread's stack: exclusivity is proven by the
/// compiler, nothing is reference-counted per event, nothing is shared but `shared`.
/// The extensions, by the way of a request: Accept, Handshake, ClientInput, Routing, Assign,
/// Connect, Send, Response, Finish; Tunnel beside them. Datagrams, Sessions, Upstream, Replies are UDP's.
///
/// PERF: all methods are `mutating`, those that only look too: a borrowed `self` of this size is copied to the stack
/// for the call, which was 200 instructions each time.
struct Worker: ~Copyable {
  struct Acceptor {
    var socket: ListeningSocket
    var paused = false
    var burst = AcceptBurst()
  }

  /// A snapshot that exchanges may still refer to.
  struct Epoch {
    var snapshot: Snapshot?
    var users = 0
  }

  let number: Int
  let mailbox: Mailbox<WorkerOrder>
  let shared: Shared
  let counters: WorkerCounters
  let loads: LiveLoads

  var epoll: Epoll
  var wheel: TimerWheel
  var streams: Slab<Stream>
  var exchanges: Slab<Exchange>
  var buffers: BufferPool
  var pipes = PipePool(limit: Worker.pipeLimit, capacity: Worker.pipeCapacity)
  var channels: Channels
  /// Clear bytes on their way from a chain to a channel.
  var clear = ByteRegion(capacity: 16 * 1024)
  /// What was just received; a message is parsed where it lies.
  var incoming = ByteRegion(capacity: Worker.regionSize)
  /// The message being written.
  var outgoing = ByteRegion(capacity: Worker.regionSize)
  var text = ByteRegion(capacity: 16 * 1024)
  /// HTTP/2: what was received of a connection, and what is to be sent on one.
  var frames = ByteRegion(capacity: Worker.regionSize)
  var packed = ByteRegion(capacity: Worker.regionSize)
  var head = RequestHead()
  var responseHead = ResponseHead()
  /// The normal form of a request's path, when it differs from what came.
  var normalPath: [UInt8] = []
  var pathIsRewritten = false
  var scratch = MatchScratch()
  var random: Random
  var log: AccessLogWriter
  var datagrams: DatagramState

  var current: Snapshot
  var currentEpoch: UInt32 = 0
  var epochs: [Epoch]
  var acceptors: [UInt32: Acceptor] = [:]
  var pools: [PoolState] = []
  /// By pool row, like `pools`.
  var pickers: [Picker] = []
  /// By pool row and version; empty where a pool is not divided.
  var versionPickers: [[Picker]] = []
  /// Idle backend connections: the list's head by slot.
  var idle: [IdleList] = []
  /// HTTP/2 connections (Trunk.swift), and those with something to send; by slot, the first that new streams may use.
  let engine = FrameEngine()
  var trunks: Slab<Trunk>
  var dirtyTrunks: [UInt32] = []
  var backendTrunks: [UInt32] = []
  /// By slot: of those that may choose, who has chosen HTTP/1.1.
  var speaksHTTP1: [Bool] = []
  /// By exchange: requests that are being passed on to another site, as they came (WorkerSites).
  var passedOn: [UInt32: Chain] = [:]
  /// Copies of requests that are under way, and those that are begun at the end of the turn.
  var copies = 0
  var waitingCopies: [UInt32] = []
  /// Streams that have more to read than one turn allows.
  var ready: [UInt64] = []
  /// Streams whose bytes go one way through pipes (WorkerTransfers), whether there are any, and when to look at the next.
  var transfers: [UInt32: LongTransfer] = [:]
  var hasTransfers = false
  var nextLook = Int64.max
  /// Pools with requests that wait and a backend that has room again.
  var rowsWithRoom: [Int] = []

  /// Coarse clocks, set once per turn.
  var now: Instant
  var milliseconds: Int64
  var isDraining = false
  /// Whose answers are the last of their connections: the node drains, or is about to, or an address goes (`parts`).
  var parting = PartingScope.nobody
  /// Another process goes on with the node's work.
  var isHandedOver = false
  var isStopping = false
  var nextSweep: Int64 = 0
  var relief = Relief()
  var sweepTimer = Stream.none
  /// Clients behind a PROXY header: the destination that it names.
  var proxied: [UInt32: Endpoint] = [:]
  /// What TLS tells of clients, where a listener asks for it.
  var facts: [UInt32: ConnectionFacts] = [:]
  /// By exchange: those that are sampled. And the last ones that were.
  var samples: [UInt32: Sample] = [:]
  var recent = SampleRing()
  /// Clients' handshakes that are under way, and how many steps of them this turn may still take.
  var handshaking = 0
  /// The first and the last to come of those that have not been answered.
  var unanswered = (first: Stream.none, last: Stream.none)
  var handshakeSteps = Worker.stepsPerTurn

  /// How often the loop has turned.
  var turns: UInt64 = 0
  /// PERF: measuring a turn is some 500 instructions; on one turn of 32 it is lost among the others. On one of eight it
  /// was 4% of a round trip over TCP.
  static let sampledTurns: UInt64 = 31

  static let regionSize = 64 * 1024

  init(
    number: Int, mailbox: Mailbox<WorkerOrder>, shared: Shared, counters: WorkerCounters, log: consuming AccessLogWriter
  )
    throws(Errno)
  {
    let epoll = try Epoll()
    try epoll.add(mailbox.wakeup.descriptor, token: Token.make(.mailbox, 0), .level)
    let datagrams = try DatagramState(limit: shared.limits.connections)
    self.epoll = epoll
    self.number = number
    self.mailbox = mailbox
    self.shared = shared
    self.counters = counters
    loads = LiveLoads(counters: shared.loads)
    now = Clock.now()
    milliseconds = now.nanoseconds / 1_000_000
    // Streams and datagram sessions have a limit each.
    wheel = TimerWheel(limit: shared.limits.connections * 2, now: milliseconds)
    streams = Slab(limit: shared.limits.connections, blank: Stream())
    exchanges = Slab(limit: shared.limits.connections, blank: Exchange())
    trunks = Slab(limit: shared.limits.connections, blank: Trunk())
    buffers = BufferPool(bytes: shared.limits.bufferedBytes)
    channels = Channels(limit: shared.limits.connections)
    random = Random(seed: Clock.entropy())
    self.log = log
    self.datagrams = datagrams
    current = Snapshot(generation: 0, listeners: [], pools: [], logsAccess: false)
    epochs = [Epoch(snapshot: current, users: 1)]
  }

  mutating func run() {
    while !isStopping { turn() }
    closeEverything()
  }

  /// One round: wait, handle what happened, then what time has brought.
  ///
  /// PERF: left to itself the compiler calls both this and `dispatch`: 90 instructions a request.
  @inline(__always) private mutating func turn() {
    let wait = ready.isEmpty ? nextLook == .max ? wheel.wait(from: milliseconds) : 1 : 0
    let count = epoll.wait(milliseconds: wait.map { Int32(clamping: min($0, 60_000)) } ?? 60_000)
    now = Clock.now()
    milliseconds = now.nanoseconds / 1_000_000
    handshakeSteps = Worker.stepsPerTurn
    for index in 0..<count { dispatch(epoll[index]) }
    if !ready.isEmpty { resumeReady() }
    if milliseconds >= nextLook { lookAtTransfers() }
    flushReplies()
    wheel.advance(to: milliseconds)
    while let token = wheel.nextDue() { expire(token) }
    if !rowsWithRoom.isEmpty { serveQueues() }
    if !waitingCopies.isEmpty { startCopies() }
    if !dirtyTrunks.isEmpty { flushTrunks() }
    if milliseconds >= nextSweep { sweep() }
    if log.flush(now: milliseconds) { wakeForSweep() }
    turns &+= 1
    if turns & Worker.sampledTurns == 0 {
      measureTurn()
      if buffers.isScarce { relieveBuffers() }
    }
  }

  @inline(__always) private mutating func dispatch(_ event: Epoll.Event) {
    let index = Token.index(event.token)
    switch Token.kind(event.token) {
    case Token.Kind.stream.rawValue:
      guard streams.isUsed(index), streams.generation(index) == Token.generation(event.token) else { return }
      if event.readable {
        if streams[index].flags.contains(.readable) { mute(index) }
        streams[index].flags.insert(.readable)
      }
      if event.ending { streams[index].flags.insert(.ending) }
      if event.writable { streams[index].flags.insert(.writable) }
      advance(index, writable: event.writable)
    case Token.Kind.acceptor.rawValue: accept(index)
    case Token.Kind.datagrams.rawValue: receiveDatagrams(index)
    case Token.Kind.session.rawValue: receiveReplies(index, generation: Token.generation(event.token))
    case Token.Kind.mailbox.rawValue: readMail()
    default: break
    }
  }

  /// Who is not read from, since the other side is full, tells of each arriving segment in vain.
  ///
  /// PERF: tcp-bulk waited 6.4 times a MiB, nearly always in vain, and waits 0.9 times.
  private mutating func mute(_ index: UInt32) {
    guard streams[index].flags.isDisjoint(with: .muted) else { return }
    streams[index].flags.insert(.muted)
    let token = Token.make(.stream, index, streams.generation(index))
    epoll.change(streams[index].fd, token: token, .quietStream)
  }

  /// Wants to be told of bytes again; of those that are there already, too.
  mutating func hear(_ index: UInt32) {
    streams[index].flags.remove(.muted)
    epoll.change(streams[index].fd, token: Token.make(.stream, index, streams.generation(index)), .stream)
  }

  private mutating func measureTurn() {
    let took = max(0, (Clock.now() - now).nanoseconds)
    counters.turns.record(0, nanoseconds: took)
    counters.loop.bump(0, LoopColumn.busy.rawValue, Int(took) * Int(Worker.sampledTurns + 1))
    counters.loop.store(0, LoopColumn.connections.rawValue, streams.count)
  }

  /// Lets a stream that has used up its share of a turn go on.
  private mutating func resumeReady() {
    let tokens = ready
    ready.removeAll(keepingCapacity: true)
    for token in tokens {
      let index = Token.index(token)
      if Token.kind(token) == Token.Kind.session.rawValue {
        receiveReplies(index, generation: Token.generation(token))
        continue
      }
      guard streams.isUsed(index), streams.generation(index) == Token.generation(token) else { continue }
      advance(index, writable: false)
    }
  }

  mutating func continueNextTurn(_ index: UInt32) {
    ready.append(Token.make(.stream, index, streams.generation(index)))
  }

  /// What an event means depends on the stream's phase.
  mutating func advance(_ index: UInt32, writable: Bool) {
    let phase = streams[index].phase
    if writable, phase != .connecting, !streams[index].isDrained {
      guard flush(index) else { return }
      if phase == .trunk { markDirty(streams[index].trunk) }
    }
    switch phase {
    case .proxyHeader: if streams[index].flags.contains(.readable) { readProxyHeader(index) }
    case .handshake: shake(index)
    case .sniffing: if streams[index].flags.contains(.readable) || streams[index].scanned == 0 { sniff(index) }
    case .request: readRequest(index)
    case .exchange: advanceExchange(index)
    case .connecting:
      if writable {
        if streams[index].flags.contains(.trunk) { finishConnectingTrunk(index) } else { finishConnecting(index) }
      }
    case .idle: readIdle(index)
    case .lingering: linger(index)
    case .trunk: if streams[index].flags.contains(.readable) { readTrunk(index) }
    }
  }

  private mutating func advanceExchange(_ index: UInt32) {
    let exchange = streams[index].exchange
    guard exchange != Exchange.none, exchanges.isUsed(exchange) else { return }
    if exchanges[exchange].kind == .tunnel {
      pumpTunnel(exchange)
    } else if streams[index].role == .backend {
      advanceBackend(exchange)
    } else {
      advanceClient(exchange)
    }
  }

  private mutating func expire(_ token: UInt64) {
    let index = Token.index(token)
    if Token.kind(token) == Token.Kind.session.rawValue {
      return expireSession(index, generation: Token.generation(token))
    }
    guard streams.isUsed(index), streams.generation(index) == Token.generation(token) else { return }
    if streams[index].deadline > milliseconds {
      if streams[index].deadline != .max { wheel.arm(streams[index].timer, by: streams[index].deadline) }
      return
    }
    streams[index].deadline = .max
    timeOut(index)
  }

  /// Sets when the stream's wait ends; a deadline that moves back costs one comparison.
  @inline(__always) mutating func setDeadline(_ index: UInt32, _ deadline: Int64) {
    streams[index].deadline = deadline
    if deadline != .max { wheel.arm(streams[index].timer, by: deadline) }
  }

  private mutating func readMail() {
    for order in mailbox.take() {
      switch order {
      case .adopt(let snapshot, let sockets, let latch):
        adopt(snapshot, sockets)
        latch.arrive()
      case .part(let scope): part(scope)
      case .drain(let isHandedOver): drain(isHandedOver: isHandedOver)
      case .answer(let latch): latch.arrive()
      case .capacity: noteRoomEverywhere()
      case .explain(let order): answer(order)
      case .stop: isStopping = true
      }
    }
  }
}
