import Balance
import HTTP
import Kernel
import Model
import Reactor
import Routing
import Wire

/// A client's bytes become requests.
extension Worker {
  /// Reads and parses what comes between requests: one request a turn, so that a client that sends many at once keeps
  /// nobody waiting.
  mutating func readRequest(_ index: UInt32) {
    // A reload may have removed the listener, or made it another protocol's.
    guard let listener = current.listeners[Int(streams[index].row)], listener.model.transport == .http else {
      return close(index)
    }
    guard receiveRequest(index) else { return }
    var scanned = Int(streams[index].scanned)
    let isFresh = scanned == 0
    do throws(HeadError) {
      guard let length = try head.parse(incoming, scanned: &scanned, limits: listener.headLimits) else {
        streams[index].scanned = UInt32(scanned)
        return holdPartialHead(index, listener, isFresh: isFresh)
      }
      streams[index].scanned = 0
      buffers.release(&streams[index].input)
      beginRequest(index, listener, headLength: length)
    } catch {
      if error == .unsupportedVersion, becomeTrunk(index, listener) { return }
      counters.add(listener.row, .malformed)
      refuse(index, listener, status: error.status, .malformedRequest, reason: error.reason)
    }
  }

  /// Puts what is known of the next head into `incoming`; false when there is nothing new to parse.
  private mutating func receiveRequest(_ index: UInt32) -> Bool {
    incoming.clear()
    let held = Int(streams[index].input.count)
    if held > 0 { buffers.copy(streams[index].input, to: &incoming) }
    guard streams[index].flags.contains(.readable) else { return held > 0 && streams[index].scanned == 0 }
    let result = receive(index)
    if result.value > 0 {
      counters.add(streams[index].row, .bytesIn, result.value)
      return true
    }
    if result.wouldBlock { return held > 0 && streams[index].scanned == 0 }
    if result.isEnd, held > 0, streams[index].scanned == 0 {
      // A client may end its side after a whole request: serve it first.
      streams[index].flags.insert(.ended)
      noteEmpty(index)
      return true
    }
    close(index)
    return false
  }

  private mutating func holdPartialHead(_ index: UInt32, _ listener: CompiledListener, isFresh: Bool) {
    if streams[index].flags.contains(.ended) { return close(index) }
    let held = Int(streams[index].input.count)
    if isFresh { setDeadline(index, milliseconds + listener.headTimeout) }
    guard buffers.append(incoming, held..<incoming.count, to: &streams[index].input) else {
      return refuse(index, listener, status: 503, .outOfBuffers, reason: "out of buffers")
    }
    if streams[index].flags.contains(.readable) { continueNextTurn(index) }
  }

  /// A whole head lies in `incoming`.
  mutating func beginRequest(_ index: UInt32, _ listener: CompiledListener, headLength: Int) {
    streams[index].served &+= 1
    counters.add(listener.row, .requests)
    let source = streams[index].source.address
    if let rate = listener.model.limits.requestRatePerSource,
      !shared.rates.admit(source, purpose: UInt64(listener.row) << 1 | 1, rate, now: now)
    {
      counters.add(listener.row, .rateLimited)
      return refuse(index, listener, status: 429, .rateLimited, reason: "too many requests")
    }
    if head.method == .connect, !listener.model.http.allowConnect {
      return refuse(index, listener, status: 405, .connectRefused, reason: "CONNECT is not allowed")
    }
    if case .length(let length) = head.body, length > listener.bodyLimit {
      counters.add(listener.row, .malformed)
      return refuse(index, listener, status: 413, .bodyTooLarge, reason: "request body too large")
    }
    let route: Int
    if listener.routes.asksForFacts { scratch.facts = facts[connection(of: index)] }
    switch matchRoute(listener, source) {
    case .route(let found): route = found
    case .none: return refuse(index, listener, status: 404, .noRoute, reason: "no route")
    case .undecided:
      return refuse(index, listener, status: 500, .routeUndecided, reason: "a route's pattern cost too much")
    case .badPath:
      counters.add(listener.row, .malformed)
      return refuse(index, listener, status: 400, .malformedRequest, reason: "invalid path")
    }
    guard let exchange = startExchange(client: index, listener: listener, route: route, kind: .http) else {
      return refuse(index, listener, status: 503, .internalLimit, reason: "too many requests at once")
    }
    describe(exchange, index, listener)
    let action = listener.actions[route]
    switch action.action {
    case .respond(let response): answer(exchange, response, headLength: headLength, action)
    case .redirect(let redirect): answer(exchange, redirect, headLength: headLength, action)
    case .pool, .split:
      let elsewhere = listener.affinity.flatMap { routeToSite(exchange, $0, headLength: headLength) }
      forward(exchange, index, listener, elsewhere ?? action, headLength: headLength)
    }
  }

  /// What the exchange keeps of the head.
  private mutating func describe(_ exchange: UInt32, _ index: UInt32, _ listener: CompiledListener) {
    var flags: Exchange.Flags = []
    if head.method.isIdempotent { flags.insert(.idempotent) }
    if head.minorVersion == 0 { flags.insert(.http10) }
    if !head.keepAlive { streams[index].flags.insert(.lastRequest) }
    if head.keepAlive, streams[index].served < listener.maxRequests, !parts(index) { flags.insert(.clientKeepAlive) }
    if head.upgrade { flags.insert(.upgrade) }
    if head.method == .connect { flags.insert(.connect) }
    if head.method == .head { flags.insert(.headOnly) }
    if head.expectsContinue { flags.insert(.expectsContinue) }
    exchanges[exchange].flags.formUnion(flags)
    exchanges[exchange].method = head.method
    exchanges[exchange].requestBody = BodyState(head.body)
    if isBranch(index) { describeCall(exchange) }
    if log.isEnabled { describeForLog(exchange, index) }
    if current.samples { considerSampling(exchange, index, listener) }
  }

  mutating func forward(
    _ exchange: UInt32, _ index: UInt32, _ listener: CompiledListener, _ route: CompiledRoute, headLength: Int
  ) {
    guard choosePool(exchange, route), let pool = current.pools[Int(exchanges[exchange].pool)] else {
      return failExchange(exchange, status: 503, .poolMissing)
    }
    exchanges[exchange].attempts = route.attempts ?? pool.attempts
    if route.retriesStatus ?? pool.retriesStatus { exchanges[exchange].flags.insert(.retriesStatus) }
    exchanges[exchange].tryTimeout = route.tryTimeout
    if route.requestTimeout > 0 { exchanges[exchange].deadline = milliseconds + route.requestTimeout }
    if exchanges[exchange].flags.contains(.grpc) { limitCall(exchange) }
    hashKey(exchange, pool, source: streams[index].source.address)
    if pool.persists { findPersistent(exchange, pool, source: streams[index].source.address) }
    if let split = pool.split { chooseVersion(exchange, split, pool, source: streams[index].source.address) }
    if pool.isMultiplexed { prepareForBranch(exchange, index, pool) }
    writeRequestHead(exchange, index, listener, route)
    exchanges[exchange].headLength = UInt32(outgoing.count)
    guard !outgoing.overflowed else {
      return failExchange(exchange, status: 431, .malformedRequest)
    }
    guard buffers.append(outgoing, 0..<outgoing.count, to: &exchanges[exchange].request) else {
      return failExchange(exchange, status: 503, .outOfBuffers)
    }
    exchanges[exchange].flags.insert(.replayable)
    guard takeEarlyBody(exchange, index, from: headLength) else { return }
    if route.mirror != nil || pool.split != nil { considerCopy(exchange, route, pool, from: headLength) }
    assign(exchange)
  }

  /// Body bytes that came with the head go behind it; what follows the body is the next request.
  mutating func takeEarlyBody(_ exchange: UInt32, _ index: UInt32, from start: Int) -> Bool {
    if exchanges[exchange].requestBody.isEmpty {
      exchanges[exchange].flags.insert(.requestDone)
      return keepPipelined(exchange, index, from: start)
    }
    guard start < incoming.count else { return true }
    if exchanges[exchange].flags.contains(.undecided) { return keepPipelined(exchange, index, from: start) }
    guard let (taken, content, done) = takeBody(exchange, from: start) else { return false }
    exchanges[exchange].bytesIn += Int64(taken)
    guard buffers.append(incoming, start..<start + content, to: &exchanges[exchange].request) else {
      failExchange(exchange, status: 503, .outOfBuffers)
      return false
    }
    if done {
      exchanges[exchange].flags.insert(.requestDone)
      return keepPipelined(exchange, index, from: start + taken)
    }
    return true
  }

  mutating func keepPipelined(_ exchange: UInt32, _ index: UInt32, from start: Int) -> Bool {
    guard start < incoming.count else { return true }
    if buffers.append(incoming, start..<incoming.count, to: &streams[index].input) { return true }
    if exchanges[exchange].phase == .discarding {
      retireAndLinger(exchange)
    } else {
      failExchange(exchange, status: 503, .outOfBuffers)
    }
    return false
  }

  /// Walks over the body's bytes in `incoming`: how many belong to it, and how many of them, from `start` on, are to be
  /// passed on. nil: the body is malformed or too large, and the client was told so.
  mutating func takeBody(_ exchange: UInt32, from start: Int) -> (taken: Int, content: Int, done: Bool)? {
    do throws(ChunkError) {
      if exchanges[exchange].flags.contains(.toBranch), case .chunked = exchanges[exchange].requestBody.framing {
        let piece = try takeContent(exchange, from: start)
        if isWithinBodyLimit(exchange, piece.taken) { return piece }
      } else {
        let piece = try exchanges[exchange].requestBody.consume(incoming, from: start)
        if isWithinBodyLimit(exchange, piece.taken) { return (piece.taken, piece.taken, piece.done) }
      }
      refuseBody(exchange, status: 413, .bodyTooLarge)
    } catch {
      refuseBody(exchange, status: error.status, .malformedRequest)
    }
    return nil
  }

  /// A chunked body's length is known only as it comes.
  private mutating func isWithinBodyLimit(_ exchange: UInt32, _ more: Int) -> Bool {
    guard exchanges[exchange].requestBody.isOfUnknownLength,
      let listener = current.listeners[Int(exchanges[exchange].listener)]
    else { return true }
    return exchanges[exchange].bytesIn + Int64(more) <= listener.bodyLimit
  }

  private mutating func refuseBody(_ exchange: UInt32, status: UInt16, _ why: Ending) {
    counters.add(exchanges[exchange].listener, .malformed)
    exchanges[exchange].flags.remove(.clientKeepAlive)
    failExchange(exchange, status: status, why)
  }

  // MARK: Routing

  enum RouteChoice { case route(Int), none, undecided, badPath }

  mutating func matchRoute(_ listener: CompiledListener, _ source: IPAddress) -> RouteChoice {
    guard normalizePath() else { return .badPath }
    let found = listener.routes.match(
      head, incoming, normalPath: pathIsRewritten ? normalPath : nil, source: source, scratch: &scratch)
    if let found { return .route(found) }
    return scratch.exhausted ? .undecided : .none
  }

  /// Whether the path has a normal form; where it is another, it is in `normalPath`.
  @inline(__always) mutating func normalizePath() -> Bool {
    pathIsRewritten = false
    guard head.targetForm == .origin || head.targetForm == .absolute else { return true }
    switch PathNormalizer.normalize(incoming, head.pathRange, into: &normalPath) {
    case .normal: break
    case .rewritten: pathIsRewritten = true
    case .refused: return false
    }
    return true
  }

  mutating func matchBySource(
    _ listener: CompiledListener, _ source: IPAddress, facts: ConnectionFacts? = nil
  ) -> Int? {
    if listener.routes.asksForFacts { scratch.facts = facts }
    return listener.routes.match(RouteRequest(source: source), fields: NoFields(), scratch: &scratch)
  }

  /// The route's pool, or one of its weighted pools; false when the World has none.
  mutating func choosePool(_ exchange: UInt32, _ route: CompiledRoute) -> Bool {
    guard let row = poolRow(route) else { return false }
    exchanges[exchange].pool = row
    pools[Int(row)].live += 1
    return true
  }

  /// nil when the route leads to no pool of this World.
  mutating func poolRow(_ route: CompiledRoute) -> UInt32? {
    var row = UInt32.max
    switch route.action {
    case .pool(let only): row = only
    case .split(let shares, let total):
      guard total > 0 else { return nil }
      let ticket = random.below(total)
      for (sum, share) in shares where ticket < sum {
        row = share
        break
      }
    default: return nil
    }
    return Int(row) < current.pools.count && current.pools[Int(row)] != nil ? row : nil
  }

  mutating func hashKey(_ exchange: UInt32, _ pool: CompiledPool, source: IPAddress) {
    let key: BalancePolicy.HashKey
    switch pool.model.policy {
    case .maglev(let wanted), .boundedLoad(let wanted, _): key = wanted
    default: return
    }
    switch key {
    case .source: exchanges[exchange].hash = pool.keys.hash(source)
    case .uri:
      // The path as routes see it: every spelling of it has one backend.
      let path = pathIsRewritten ? pool.keys.hash(normalPath.span) : pool.keys.hash(incoming.bytes(head.pathRange))
      exchanges[exchange].hash = path &* 31 &+ pool.keys.hash(incoming.bytes(head.queryRange))
    case .header(let name):
      guard let field = head.fields.index(of: name, in: incoming.bytes) else { return }
      exchanges[exchange].hash = pool.keys.hash(incoming.bytes(head.fields[field].valueRange))
    case .cookie(let name):
      guard let value = cookie(Array(name.utf8)) else { return }
      exchanges[exchange].hash = pool.keys.hash(incoming.bytes(value))
    }
  }
}

// Parts of the worker that are written while others are read are passed one by one: the compiler then sees that
// they are different parts.

extension RequestHead {
  mutating func parse(_ region: borrowing ByteRegion, scanned: inout Int, limits: HeadLimits) throws(HeadError) -> Int?
  {
    try parse(region.bytes, scanned: &scanned, limits: limits)
  }
}

extension ResponseHead {
  mutating func parse(
    _ region: borrowing ByteRegion, method: Method, scanned: inout Int, limits: HeadLimits
  ) throws(HeadError) -> Int? {
    try parse(region.bytes, method: method, scanned: &scanned, limits: limits)
  }
}

extension PathNormalizer {
  static func normalize(_ region: borrowing ByteRegion, _ range: Range<Int>, into scratch: inout [UInt8]) -> Outcome {
    normalize(region.bytes(range), into: &scratch)
  }
}

extension RouteTable {
  func match(
    _ head: borrowing RequestHead, _ region: borrowing ByteRegion, normalPath: [UInt8]?, source: IPAddress,
    scratch: inout MatchScratch
  ) -> Int? {
    let bytes = region.bytes
    let fields = HeadFields(bytes: bytes, lines: head.fields.lines)
    let (host, method, query) = (head.hostNameRange, head.methodRange, head.queryRange)
    if let normalPath {
      let request = RouteRequest(
        host: bytes.extracting(host), path: normalPath.span, method: bytes.extracting(method),
        query: bytes.extracting(query),
        head: bytes, source: source)
      return match(request, fields: fields, scratch: &scratch)
    }
    let request = RouteRequest(
      host: bytes.extracting(host), path: bytes.extracting(head.pathRange), method: bytes.extracting(method),
      query: bytes.extracting(query), head: bytes, source: source)
    return match(request, fields: fields, scratch: &scratch)
  }
}

/// A parsed head's fields as routing looks them up.
struct HeadFields: FieldLookup, ~Escapable {
  let bytes: Span<UInt8>
  let lines: Span<HeaderField>

  @_lifetime(copy bytes, copy lines)
  init(bytes: Span<UInt8>, lines: Span<HeaderField>) {
    self.bytes = bytes
    self.lines = lines
  }

  func value(of name: Span<UInt8>, from cursor: inout Int) -> Range<Int>? {
    while cursor < lines.count {
      let line = lines[cursor]
      cursor += 1
      if bytes.matches(line.nameRange, lowercase: name) { return line.valueRange }
    }
    return nil
  }
}

extension Span where Element == UInt8 {
  /// Whether the bytes of `range` are `name` (lower case), ignoring ASCII case.
  func matches(_ range: Range<Int>, lowercase name: Span<UInt8>) -> Bool {
    guard range.count == name.count else { return false }
    for offset in name.indices {
      let byte = self[range.lowerBound + offset]
      guard (byte &- 0x41 < 26 ? byte | 0x20 : byte) == name[offset] else { return false }
    }
    return true
  }
}
