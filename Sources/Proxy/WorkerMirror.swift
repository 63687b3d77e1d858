import Balance
import HTTP
import Kernel
import Model
import Reactor

/// Copies of requests, for pools that are to see traffic without answering it.
///
/// A copy is an exchange of its own, whose client is a branch without a connection: what is written to it is gone. It is
/// begun when the turn's events are through, has one try, waits for nobody, and is dropped at any limit, so that the
/// request that it was taken from knows nothing of it.
extension Worker {
  @inline(__always) mutating func isCopy(_ exchange: UInt32) -> Bool {
    streams[exchanges[exchange].client].flags.contains(.copy)
  }

  /// A request is about to be sent: its head is in `outgoing`, what came of its body in `incoming` from `start` on.
  mutating func considerCopy(_ exchange: UInt32, _ route: CompiledRoute, _ pool: CompiledPool, from start: Int) {
    if let mirror = route.mirror, mirror.takes(&random) { return copy(exchange, mirror, from: start) }
    // Whoever goes to the new version anyhow is no control.
    guard let mirror = pool.split?.mirror, exchanges[exchange].version != mirror.version, mirror.takes(&random) else {
      return
    }
    copy(exchange, mirror, from: start)
  }

  private mutating func copy(_ exchange: UInt32, _ mirror: CompiledMirror, from start: Int) {
    let state = exchanges[exchange]
    let begun = Int(state.request.count) - Int(state.headLength)
    let isDone = state.flags.contains(.requestDone)
    var isChunked = false
    if case .chunked = head.body { isChunked = true }
    guard Int(mirror.pool) < current.pools.count, let pool = current.pools[Int(mirror.pool)],
      CompiledMirror.fits(
        state.flags, hasBody: !isDone || begun > 0, chunked: isChunked, multiplexed: pool.isMultiplexed,
        mayFallBack: pool.mayFallBack)
    else { return count(.copiesUnfit) }
    var length = UInt64(begun)
    if case .length = state.requestBody.framing { length += state.requestBody.remaining }
    guard length <= UInt64(mirror.body) else { return count(.copiesLong) }
    guard copies < mirror.inFlight else { return count(.copiesBusy) }
    guard let copy = openCopy(of: exchange, mirror) else { return count(.copiesBusy) }
    hashKey(copy, pool, source: streams[state.client].source.address)
    // A canary's are for its version; others go where a client would.
    if mirror.version == Exchange.anyVersion, let split = pool.split {
      chooseVersion(copy, split, pool, source: streams[state.client].source.address)
    }
    text.clear()
    text.append("X-Sluice-Mirror: 1\r\n\r\n")
    let isHeld =
      buffers.append(outgoing, 0..<outgoing.count - 2, to: &exchanges[copy].request)
      && buffers.append(text, 0..<text.count, to: &exchanges[copy].request)
    exchanges[copy].headLength = UInt32(exchanges[copy].request.count)
    guard isHeld, buffers.append(incoming, start..<start + begun, to: &exchanges[copy].request) else {
      return drop(copy: copy, .copiesBusy)
    }
    if isDone { return waitingCopies.append(copy) }
    exchanges[copy].requestBody.remaining = UInt64(mirror.body - begun)
    exchanges[exchange].copy = copy
  }

  /// A client that nobody is, and its exchange; nil: at a limit.
  private mutating func openCopy(of exchange: UInt32, _ mirror: CompiledMirror) -> UInt32? {
    let original = exchanges[exchange]
    guard let client = streams.insert() else { return nil }
    guard let timer = wheel.insert(token: Token.make(.stream, client, streams.generation(client))) else {
      streams.remove(client)
      return nil
    }
    guard let copy = exchanges.insert() else {
      wheel.remove(timer)
      streams.remove(client)
      return nil
    }
    copies += 1
    streams[client].timer = timer
    streams[client].phase = .exchange
    streams[client].flags = [.branch, .copy, .writable, .unspliceable, .http, .ended]
    streams[client].row = current.copiesRow
    streams[client].source = streams[original.client].source
    streams[client].exchange = copy
    exchanges[copy].client = client
    exchanges[copy].listener = current.copiesRow
    exchanges[copy].epoch = currentEpoch
    epochs[Int(currentEpoch)].users += 1
    exchanges[copy].started = now.nanoseconds
    exchanges[copy].pool = mirror.pool
    exchanges[copy].version = mirror.version
    exchanges[copy].method = original.method
    exchanges[copy].flags = original.flags.intersection([.headOnly, .acceptsTrailers]).union([
      .replayable, .requestDone,
    ])
    exchanges[copy].tryTimeout = mirror.timeout
    exchanges[copy].deadline = milliseconds + 2 * mirror.timeout
    pools[Int(mirror.pool)].live += 1
    counters.add(current.copiesRow, .inFlight)
    return copy
  }

  /// A piece of the original's body, at the beginning of `incoming`.
  mutating func copyBody(_ exchange: UInt32, _ count: Int, isDone: Bool) {
    let copy = exchanges[exchange].copy
    let room = exchanges[copy].requestBody.remaining
    guard count <= room else { return dropCopy(of: exchange, .copiesLong) }
    exchanges[copy].requestBody.remaining = room - UInt64(count)
    guard buffers.append(incoming, 0..<count, to: &exchanges[copy].request) else {
      return dropCopy(of: exchange, .copiesBusy)
    }
    guard isDone else { return }
    exchanges[exchange].copy = Exchange.none
    waitingCopies.append(copy)
  }

  /// The rest of the body will not come.
  mutating func dropCopy(of exchange: UInt32, _ why: LoopColumn) {
    let copy = exchanges[exchange].copy
    exchanges[exchange].copy = Exchange.none
    drop(copy: copy, why)
  }

  /// Once a turn, when the originals are on their way.
  mutating func startCopies() {
    let started = waitingCopies
    waitingCopies.removeAll(keepingCapacity: true)
    for copy in started {
      exchanges[copy].requestBody = BodyState()
      if assign(copy: copy) { count(.copies) } else { drop(copy: copy, .copiesFull) }
    }
  }

  /// A copy that found nobody with room, or came to nothing.
  mutating func drop(copy: UInt32, _ why: LoopColumn) {
    count(why)
    let client = exchanges[copy].client
    retireExchange(copy)
    close(client)
  }

  private mutating func count(_ what: LoopColumn) { counters.loop.bump(0, what.rawValue, 1) }
}
