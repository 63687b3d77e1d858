import Balance
import Kernel
import Model
import Reactor
import Synchronization
import Wire

/// A UDP session's life: opened, idle, ended.
extension Worker {
  /// A new client's session, without a backend yet; nil: it is refused.
  mutating func openSession(
    _ name: SessionName, _ listener: CompiledListener, interface: UInt32, place: (route: UInt32, pool: UInt32)? = nil
  ) -> UInt32? {
    guard !isDraining, admits(name.client.address, listener),
      let place = place ?? route(listener, name.client.address), hasRoom(listener),
      let index = datagrams.sessions.insert()
    else {
      counters.add(listener.row, .refused)
      return nil
    }
    let token = Token.make(.session, index, datagrams.sessions.generation(index))
    guard let timer = wheel.insert(token: token) else {
      datagrams.sessions.remove(index)
      counters.add(listener.row, .refused)
      return nil
    }
    let hash = name.hash(datagrams.key)
    datagrams.sessions[index].name = name
    datagrams.sessions[index].hash = hash
    datagrams.sessions[index].timer = timer
    datagrams.sessions[index].interface = interface
    datagrams.sessions[index].listener = listener.row
    datagrams.sessions[index].route = place.route
    datagrams.sessions[index].pool = place.pool
    datagrams.sessions[index].generation = current.generation
    datagrams.sessions[index].started = now.nanoseconds
    datagrams.table.insert(index, hash: hash)
    touchSession(index)
    counters.add(listener.row, .accepted)
    counters.add(listener.row, .requests)
    counters.add(route: listener.routeRows[Int(place.route)], .requests)
    counters.add(listener.row, .connections)
    counters.add(listener.row, .inFlight)
    shared.listenerConnections.add(Int(listener.row), 0, 1)
    shared.openConnections.wrappingAdd(1, ordering: .relaxed)
    return index
  }

  private mutating func admits(_ source: IPAddress, _ listener: CompiledListener) -> Bool {
    if listener.checksAccess, !listener.model.access.permits(source) { return false }
    guard let rate = listener.model.limits.connectionRatePerSource else { return true }
    return shared.rates.admit(source, purpose: UInt64(listener.row) << 1, rate, now: now)
  }

  /// The route of a source, and the row of the pool that it leads to.
  mutating func route(_ listener: CompiledListener, _ source: IPAddress) -> (route: UInt32, pool: UInt32)? {
    guard let route = matchBySource(listener, source), let row = poolRow(listener.actions[route]) else { return nil }
    return (UInt32(route), row)
  }

  /// Keeps to the listener's limit over all workers: of a few of this worker's sessions, the one that has been idle
  /// longest makes room. So a flood of forged sources, which never come back, displaces mostly itself.
  private mutating func hasRoom(_ listener: CompiledListener) -> Bool {
    guard shared.listenerConnections.load(Int(listener.row), 0) >= listener.model.udp.maxSessions else { return true }
    let bound = datagrams.sessions.indices.upperBound
    guard bound > 0 else { return false }
    var victim = Session.none
    var seen = 0
    var index = random.below(bound)
    for _ in 0..<min(bound, 1024) {
      index = index + 1 < bound ? index + 1 : 0
      guard datagrams.sessions.isUsed(index), datagrams.sessions[index].listener == listener.row else { continue }
      if victim == Session.none || datagrams.sessions[index].deadline < datagrams.sessions[victim].deadline {
        victim = index
      }
      seen += 1
      if seen == 8 { break }
    }
    guard victim != Session.none else { return false }
    endSession(victim, .sessionEvicted)
    return true
  }

  // MARK: Time

  /// Something has passed: the session's idle time starts anew.
  mutating func touchSession(_ index: UInt32) {
    guard let listener = current.listeners[Int(datagrams.sessions[index].listener)] else { return }
    let idle = isDraining ? min(listener.sessionIdle, Worker.drainIdle) : listener.sessionIdle
    let before = datagrams.sessions[index].deadline
    datagrams.sessions[index].deadline = milliseconds + idle
    // The timer fires early and is armed again then, unless the wait has become shorter.
    if milliseconds + idle < before { wheel.arm(datagrams.sessions[index].timer, by: milliseconds + idle) }
  }

  mutating func expireSession(_ index: UInt32, generation: UInt32) {
    guard datagrams.sessions.isUsed(index), datagrams.sessions.generation(index) == generation else { return }
    let session = datagrams.sessions[index]
    guard session.deadline <= milliseconds else { return wheel.arm(session.timer, by: session.deadline) }
    endSession(index, .sessionIdle)
  }

  /// UDP has no end: while a node drains, a session that is silent for so long (ms) has ended.
  private static let drainIdle: Int64 = 2000

  mutating func drainSessions() {
    for index in datagrams.sessions.indices where datagrams.sessions.isUsed(index) {
      let deadline = min(datagrams.sessions[index].deadline, milliseconds + Worker.drainIdle)
      datagrams.sessions[index].deadline = deadline
      wheel.arm(datagrams.sessions[index].timer, by: deadline)
    }
  }

  func hasSessions(_ socket: UInt32) -> Bool {
    for index in datagrams.sessions.indices where datagrams.sessions.isUsed(index) {
      if datagrams.sessions[index].name.socket == socket { return true }
    }
    return false
  }

  // MARK: End

  mutating func endSession(_ index: UInt32, _ why: Ending) {
    writeLog(session: index, why)
    let session = datagrams.sessions[index]
    detach(index)
    datagrams.table.remove(index, hash: session.hash)
    wheel.remove(session.timer)
    datagrams.sessions.remove(index)
    counters.add(session.listener, .connections, -1)
    counters.add(session.listener, .inFlight, -1)
    shared.listenerConnections.add(Int(session.listener), 0, -1)
    shared.openConnections.wrappingSubtract(1, ordering: .relaxed)
  }

  /// The socket that its clients are answered through goes away.
  mutating func closeSessions(of socket: UInt32) {
    flushReplies()
    for index in datagrams.sessions.indices where datagrams.sessions.isUsed(index) {
      if datagrams.sessions[index].name.socket == socket { endSession(index, isStopping ? .stopped : .listenerRemoved) }
    }
  }

  mutating func closeSessions() {
    for index in datagrams.sessions.indices where datagrams.sessions.isUsed(index) { endSession(index, .stopped) }
  }
}
