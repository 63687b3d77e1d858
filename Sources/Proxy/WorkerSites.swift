import Balance
import HTTP
import Model
import Reactor
import Routing

/// Requests whose client belongs to another site.
extension Worker {
  /// The way to the request's site; nil: it is served here.
  mutating func routeToSite(
    _ exchange: UInt32, _ affinity: CompiledAffinity, headLength: Int
  ) -> CompiledRoute? {
    let choice = chooseSite(affinity)
    exchanges[exchange].site = choice
    guard let other = affinity.other(choice) else { return nil }
    if choice.isForward {
      counters.add(site: other.row, .forwarded)
      keepAsReceived(exchange, headLength: headLength)
      return other.route
    }
    counters.add(site: other.row, .kept)
    return nil
  }

  // MARK: Sites that cannot be reached

  /// What is passed on is written otherwise than what is served here: until it is sent, it is kept as it came.
  private mutating func keepAsReceived(_ exchange: UInt32, headLength: Int) {
    var received = Chain()
    let count = if case .none = head.body { headLength } else { incoming.count }
    if buffers.append(incoming, 0..<count, to: &received) {
      passedOn[exchange] = received
    } else {
      // Without it the client hears of a failure.
      buffers.release(&received)
    }
  }

  /// The request is on its way, or over.
  mutating func forgetAsReceived(_ exchange: UInt32) {
    guard var received = passedOn.removeValue(forKey: exchange) else { return }
    buffers.release(&received)
  }

  /// No connection to the request's site can be made, so nothing of it was sent: it is served here, and its client bound to
  /// this site, as if the other were known to be unwell. False, and nothing is changed, where that cannot be.
  mutating func serveHere(_ exchange: UInt32, after why: Ending) -> Bool {
    let state = exchanges[exchange]
    guard why == .connectFailed || why == .connectTimeout || why == .handshakeFailed, state.ending != .clientClosed,
      milliseconds < state.deadline, case .forward(let number) = state.site,
      let listener = snapshot(of: state.epoch).listeners[Int(state.listener)],
      let other = listener.affinity?.other(state.site), let received = passedOn[exchange],
      let headLength = restore(received, listener, bodyBytes: Int(state.bytesIn))
    else { return false }
    forgetAsReceived(exchange)
    forgetTry(exchange)
    exchanges[exchange].site = .unwell(number)
    counters.add(site: other.row, .kept)
    if isBranch(state.client), case .chunked = head.body { streams[state.client].flags.insert(.chunked) }
    if head.upgrade { exchanges[exchange].flags.insert(.upgrade) }
    exchanges[exchange].requestBody = BodyState(head.body)
    forward(exchange, state.client, listener, listener.actions[Int(state.route)], headLength: headLength)
    return true
  }

  /// The request in `incoming`, and parsed, as when it came, with as much of the body as was taken; the length of its head. nil:
  /// more of the body was taken since.
  private mutating func restore(_ received: Chain, _ listener: CompiledListener, bodyBytes: Int) -> Int? {
    incoming.clear()
    buffers.copy(received, to: &incoming)
    var scanned = 0
    guard let length = try? head.parse(incoming, scanned: &scanned, limits: listener.headLimits),
      length + bodyBytes <= incoming.count, normalizePath()
    else { return nil }
    // What follows is the next request, which waits at its stream.
    incoming.clear()
    buffers.copy(length + bodyBytes, of: received, to: &incoming)
    return length
  }

  /// The exchange is as before it had a pool.
  private mutating func forgetTry(_ exchange: UInt32) {
    if exchanges[exchange].copy != Exchange.none { dropCopy(of: exchange, .copiesCut) }
    releaseBackend(exchange, reusable: false)
    leavePool(exchanges[exchange].pool, exchanges[exchange].flags)
    exchanges[exchange].pool = Exchange.none
    buffers.release(&exchanges[exchange].request)
    buffers.release(&exchanges[exchange].trailers)
    buffers.release(&exchanges[exchange].proof)
    exchanges[exchange].flags.subtract([
      .retrying, .requestDone, .uploadCut, .persistent, .setCookie, .retriesStatus, .acceptsTrailers, .toBranch,
      .undecided, .protocolChanged, .wantsFreshConnection, .upgrade,
    ])
    exchanges[exchange].ending = .none
    exchanges[exchange].tried = TriedSet()
    exchanges[exchange].tries = 0
    exchanges[exchange].wanted = -1
    exchanges[exchange].layout = 0
    exchanges[exchange].version = Exchange.anyVersion
    exchanges[exchange].hash = 0
    exchanges[exchange].stickyHash = 0
    exchanges[exchange].queuedUntil = 0
    exchanges[exchange].tryTimeout = 0
    exchanges[exchange].sent = 0
    exchanges[exchange].bytesIn = 0
  }

  // MARK: What is told

  mutating func chooseSite(_ affinity: CompiledAffinity) -> SiteChoice {
    var isMarked = false
    for line in 0..<head.fields.count
    where incoming.matches(head.fields[line].nameRange, lowercase: CompiledAffinity.markName) {
      isMarked = true
    }
    guard let value = cookie(affinity.cookie) else { return isMarked ? .marked : .newcomer }
    return affinity.table.choose(cookie: incoming.bytes(value), isMarked: isMarked)
  }

  /// What a choice was, for a log: the site, and what was done about it.
  @inline(__always) mutating func siteForLog(_ exchange: UInt32) -> (name: String, deed: StaticString)? {
    if case .off = exchanges[exchange].site { return nil }
    return siteForLog(exchanges[exchange].site, listener(of: exchange))
  }

  private func siteForLog(_ choice: SiteChoice, _ listener: CompiledListener?) -> (name: String, deed: StaticString)? {
    guard let affinity = listener?.affinity else { return nil }
    switch choice {
    case .off: return nil
    case .newcomer, .unknown: return (affinity.model.site, "bound")
    case .own: return (affinity.model.site, "own")
    case .forward: return affinity.other(choice).map { ($0.name, "forwarded") }
    case .unwell: return affinity.other(choice).map { ($0.name, "unwell") }
    case .marked: return (affinity.model.site, "received")
    }
  }
}

extension CompiledAffinity {
  /// For people.
  func explain(_ choice: SiteChoice) -> String? {
    let here = "served here"
    switch choice {
    case .off: return nil
    case .newcomer: return "\(here), and bound to this site, \(model.site): there is no cookie \(model.cookie.name)"
    case .unknown: return "\(here), and bound to this site, \(model.site): the cookie names no site that is known"
    case .own: return "\(here): the cookie names this site, \(model.site)"
    case .marked: return "\(here): another site has passed it on"
    case .forward:
      return other(choice).map { "passed on to \($0.name), by the pool \(pool(of: $0.name)): the cookie names it" }
    case .unwell:
      return other(choice).map {
        "\(here), and bound to this site, \(model.site): the cookie names \($0.name), and that is \($0.ailment ?? "not well")"
      }
    }
  }

  private func pool(of site: String) -> String { model.forward.first { $0.site == site }?.pool ?? "" }
}
