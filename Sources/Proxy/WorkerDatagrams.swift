import Balance
import Kernel
import Model
import Reactor

/// Datagrams from clients: to their session, and on to its backend.
///
/// The kernel hands a client's datagrams always to the same worker (the hash of addresses
/// and ports picks the socket of the `SO_REUSEPORT` group), so sessions are a worker's own.
extension Worker {
  /// One batch; the listener's socket is level-triggered, so what is left comes back next turn.
  mutating func receiveDatagrams(_ key: UInt32) {
    // An event of the very turn in which the socket was left to another process.
    guard !isHandedOver, let socket = acceptors[key]?.socket, let listener = current.listeners[Int(socket.row)] else {
      return
    }
    datagrams.inbound.clear()
    guard datagrams.inbound.receive(from: socket.descriptor).value > 0 else { return }
    if listener.model.udp.balancing == .datagram {
      for index in 0..<datagrams.inbound.count {
        if let name = name(of: index, key, socket) { balance(index, name, listener, tried: TriedSet()) }
      }
    } else {
      forwardRuns(key, socket, listener)
    }
    datagrams.inbound.clear()
  }

  /// Neighbours of the same session go in one call.
  private mutating func forwardRuns(_ key: UInt32, _ socket: ListeningSocket, _ listener: CompiledListener) {
    var session = Session.none
    var start = 0
    let count = datagrams.inbound.count
    for index in 0..<count {
      let name = name(of: index, key, socket)
      let found = name.flatMap { find($0, listener) } ?? Session.none
      if found != Session.none, found == session { continue }
      if session != Session.none { forward(start..<index, session) }
      start = index
      session = found
      if found == Session.none, let name {
        session = openSession(name, listener, interface: interface(of: index)) ?? Session.none
        if session == Session.none { counters.add(listener.row, .dropped) }
      }
    }
    if session != Session.none { forward(start..<count, session) }
  }

  /// Who sent a datagram, and where to; nil: nobody who could be answered.
  private mutating func name(of index: Int, _ key: UInt32, _ socket: ListeningSocket) -> SessionName? {
    guard let client = datagrams.inbound.source(index), client.port != 0, !datagrams.inbound.isTruncated(index) else {
      counters.add(socket.row, .dropped)
      return nil
    }
    let any: IPAddress = client.address.family == .v4 ? .anyV4 : .anyV6
    let local = datagrams.inbound.destination(index)?.address ?? socket.local?.address ?? any
    return SessionName(client: client, local: local, socket: key)
  }

  /// Link-local addresses mean nothing without their interface; all others are left to the routes.
  private mutating func interface(of index: Int) -> UInt32 {
    guard let destination = datagrams.inbound.destination(index), destination.address.family == .v6,
      destination.address.high >> 54 == 0xfe80 >> 6
    else { return 0 }
    return destination.interface
  }

  /// The open session of this name; one that a reload has given to another listener ends.
  private mutating func find(_ name: SessionName, _ listener: CompiledListener) -> UInt32? {
    guard let index = datagrams.find(name) else { return nil }
    if datagrams.sessions[index].listener == listener.row { return index }
    endSession(index, .listenerRemoved)
    return nil
  }

  // MARK: A backend for a session

  private mutating func forward(_ range: Range<Int>, _ index: UInt32) {
    let row = datagrams.sessions[index].listener
    guard check(index) else { return counters.add(row, .dropped, range.count) }
    noteDatagrams(range, index)
    var start = range.lowerBound
    // A backend that has refused what came before is left, and this goes to the next.
    for _ in 0..<Worker.sendTries {
      if let why = attach(index) {
        counters.add(row, .dropped, range.upperBound - start)
        return endSession(index, why)
      }
      start = transmit(start..<range.upperBound, index)
      if start == range.upperBound { return }
    }
    counters.add(row, .dropped, range.upperBound - start)
  }

  private static let sendTries = 2

  private mutating func noteDatagrams(_ range: Range<Int>, _ index: UInt32) {
    let bytes = datagrams.inbound.length(range)
    counters.add(datagrams.sessions[index].listener, .bytesIn, bytes)
    datagrams.sessions[index].bytesIn += UInt64(bytes)
    datagrams.sessions[index].received += UInt64(range.count)
    if datagrams.sessions[index].asked == 0 { datagrams.sessions[index].asked = now.nanoseconds }
    touchSession(index)
  }

  /// Sends a run to the session's backend; where it stopped, if the backend has failed.
  private mutating func transmit(_ range: Range<Int>, _ index: UInt32) -> Int {
    let session = datagrams.sessions[index]
    var start = range.lowerBound
    while start < range.upperBound {
      let rest = start..<range.upperBound
      let result =
        if let prefix = datagrams.prefixes[index] {
          datagrams.inbound.send(rest, to: session.fd, after: prefix)
        } else {
          datagrams.inbound.send(rest, to: session.fd)
        }
      if result.value > 0 {
        let next = min(start + result.value, range.upperBound)
        counters.add(session.slot, .bytesOut, datagrams.inbound.length(start..<next))
        start = next
      } else if Worker.isLoss(result) {
        counters.add(session.listener, .dropped)
        start += 1
      } else {
        upstreamFailed(index)
        return start
      }
    }
    return start
  }

  /// A datagram that got lost here says nothing of the backend.
  static func isLoss(_ result: Transfer) -> Bool {
    result.value == 0 || result.wouldBlock || result.error == .noBuffers || result.error == .messageTooLong
  }

  // MARK: A backend for each datagram

  private mutating func balance(
    _ index: Int, _ name: SessionName, _ listener: CompiledListener, tried: TriedSet
  ) {
    guard let (route, row) = self.route(listener, name.client.address), let pool = current.pools[Int(row)],
      let backend = pick(pool, source: name.client.address, tried: tried)
    else { return counters.add(listener.row, .dropped) }
    var name = name
    name.backend = pool.standings[backend].slot
    var session = find(name, listener)
    if session == nil {
      session = openSession(name, listener, interface: interface(of: index), place: (route, row))
    }
    guard let session, check(session) else { return counters.add(listener.row, .dropped) }
    if let why = attach(session) {
      counters.add(listener.row, .dropped)
      return endSession(session, why)
    }
    // Every datagram is a request of its own here.
    if datagrams.sessions[session].received > 0 {
      counters.add(listener.row, .requests)
      counters.add(name.backend, .requests)
    }
    if transmit(index..<index + 1, session) == index + 1 { return noteDatagrams(index..<index + 1, session) }
    guard tried.isEmpty else { return counters.add(listener.row, .dropped) }
    var tried = tried
    tried.insert(backend)
    name.backend = SessionName.anyBackend
    balance(index, name, listener, tried: tried)
  }
}
