import Balance
import Kernel
import Model
import Reactor
import Sniff

/// A UDP session's backend: picked, connected, given up.
extension Worker {
  /// Once for each World: whether the session may go on, and whether its backend still takes it.
  mutating func check(_ index: UInt32) -> Bool {
    let session = datagrams.sessions[index]
    guard session.generation != current.generation else { return true }
    datagrams.sessions[index].generation = current.generation
    guard let listener = current.listeners[Int(session.listener)],
      !listener.checksAccess || listener.model.access.permits(session.name.client.address)
    else {
      endSession(index, .accessDenied)
      return false
    }
    if let pool = current.pools[Int(session.pool)] {
      if let backend = pool.index(of: session.slot), pool.standings[backend].acceptsPersistent {
        datagrams.sessions[index].index = UInt32(backend)
      } else {
        detach(index)
      }
      return true
    }
    detach(index)
    guard let place = route(listener, session.name.client.address) else {
      endSession(index, .noRoute)
      return false
    }
    datagrams.sessions[index].route = place.route
    datagrams.sessions[index].pool = place.pool
    return true
  }

  /// Makes sure that the session has a backend; else, why not.
  mutating func attach(_ index: UInt32) -> Ending? {
    if datagrams.sessions[index].fd >= 0 { return nil }
    guard let pool = current.pools[Int(datagrams.sessions[index].pool)] else { return .poolMissing }
    var tried = TriedSet()
    if let avoided = pool.index(of: datagrams.sessions[index].avoided) { tried.insert(avoided) }
    for _ in 0..<Worker.connectTries {
      // When all others are out, the one that has failed gets another chance.
      guard let backend = choose(index, pool, tried) ?? choose(index, pool, TriedSet()) else { return .noBackend }
      do throws(Errno) {
        if try connect(index, backend, pool) { return nil }
        return .noBackend
      } catch {
        // Ours, not the backend's: no descriptors, or no local ports.
        if error == .noDescriptors || error == .noDescriptorsInSystem || error == .addressNotAvailable {
          log.warn("\(pool.model.name): cannot open a session: \(error)")
          return .internalLimit
        }
        let slot = pool.standings[backend].slot
        counters.add(slot, .connectFailures)
        counters.add(slot, .failures)
        countTowardsOutlier(pool: pool.row, slot: slot, Ending.connectFailed.text)
        tried.insert(backend)
      }
    }
    return .connectFailed
  }

  private static let connectTries = 3

  private mutating func choose(_ index: UInt32, _ pool: CompiledPool, _ tried: TriedSet) -> Int? {
    let name = datagrams.sessions[index].name
    if name.backend != SessionName.anyBackend { return pool.index(of: name.backend) }
    if let sticky = stickyBackend(name.client.address, pool), !tried.contains(sticky) { return sticky }
    return pick(pool, source: name.client.address, tried: tried)
  }

  mutating func pick(_ pool: CompiledPool, source: IPAddress, tried: TriedSet) -> Int? {
    let row = Int(pool.row)
    let request = PickRequest(hash: pickers[row].hashes ? pool.keys.hash(source) : 0, tried: tried)
    if let split = pool.split, let index = pickOfVersion(pool, split, request, source: source) { return index }
    return pickers[row].pick(request, loads: loads, random: &random, now: now)
  }

  /// false: another worker has taken the backend's last place.
  private mutating func connect(_ index: UInt32, _ backend: Int, _ pool: CompiledPool) throws(Errno) -> Bool {
    let slot = pool.standings[backend].slot
    let load = shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, 1)
    if let limit = pool.limit(backend), load > limit {
      shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, -1)
      return false
    }
    do throws(Errno) {
      let fd = try Socket.connect(pool.model.backends[backend].address, .datagram)
      do throws(Errno) {
        try epoll.add(fd, token: Token.make(.session, index, datagrams.sessions.generation(index)), .datagrams)
      } catch {
        Socket.close(fd)
        throw error
      }
      datagrams.sessions[index].fd = fd
    } catch {
      shared.loads.add(Int(slot.index), LoadColumn.inFlight.rawValue, -1)
      throw error
    }
    datagrams.sessions[index].slot = slot
    datagrams.sessions[index].index = UInt32(backend)
    datagrams.sessions[index].avoided = SessionName.anyBackend
    if datagrams.sessions[index].tries > 0 { counters.add(slot, .retries) }
    datagrams.sessions[index].tries += 1
    datagrams.sessions[index].asked = now.nanoseconds
    counters.add(slot, .requests)
    counters.add(slot, .connects)
    counters.add(slot, .connections)
    stick(datagrams.sessions[index].name, backend, pool)
    if pool.model.sendProxy == .v2 { datagrams.prefixes[index] = proxyHeader(datagrams.sessions[index].name) }
    return true
  }

  /// Before each datagram, since any may be lost or be the first that a restarted backend sees.
  private mutating func proxyHeader(_ name: SessionName) -> [UInt8] {
    let port = acceptors[name.socket]?.socket.local?.port ?? 0
    return ProxyHeader(source: name.client, destination: Endpoint(name.local, port), transport: .datagram).encodeV2()
  }

  /// The backend has refused a datagram, or cannot be reached: the next one goes to another.
  mutating func upstreamFailed(_ index: UInt32) {
    let session = datagrams.sessions[index]
    counters.add(session.slot, .failures)
    if session.pool != Session.none { countTowardsOutlier(pool: session.pool, slot: session.slot, "refused") }
    detach(index)
    datagrams.sessions[index].avoided = session.slot
  }

  /// Gives up the socket to the backend, and the place in its load.
  mutating func detach(_ index: UInt32) {
    let session = datagrams.sessions[index]
    guard session.fd >= 0 else { return }
    Socket.close(session.fd)
    datagrams.sessions[index].fd = -1
    datagrams.sessions[index].asked = 0
    if !datagrams.prefixes.isEmpty { datagrams.prefixes[index] = nil }
    shared.loads.add(Int(session.slot.index), LoadColumn.inFlight.rawValue, -1)
    counters.add(session.slot, .connections, -1)
    if Int(session.pool) < pools.count { noteRoom(Int(session.pool)) }
  }
}

/// Persistence by source; other kinds need HTTP.
extension Worker {
  private mutating func stickyHash(_ source: IPAddress, _ pool: CompiledPool) -> (
    hash: UInt64, idle: Int64, entries: Int
  )? {
    guard case .source(let prefixV4, let prefixV6, let idle, let entries) = pool.persistence else { return nil }
    let prefix = IPPrefix(source, length: source.family == .v4 ? prefixV4 : prefixV6)
    return (pool.keys.hash(prefix?.address ?? source) | 1, idle, entries)
  }

  private mutating func stickyBackend(_ source: IPAddress, _ pool: CompiledPool) -> Int? {
    guard let key = stickyHash(source, pool),
      let name = shared.stickiness.find(pool: pool.model.name, hash: key.hash, now: milliseconds),
      let backend = pool.model.backends.firstIndex(where: { $0.name == name }),
      pool.standings[backend].acceptsPersistent
    else { return nil }
    guard let limit = pool.limit(backend) else { return backend }
    return loads.inFlight(pool.standings[backend].slot) < limit ? backend : nil
  }

  private mutating func stick(_ name: SessionName, _ backend: Int, _ pool: CompiledPool) {
    guard name.backend == SessionName.anyBackend, let key = stickyHash(name.client.address, pool) else { return }
    shared.stickiness.store(
      pool: pool.model.name, hash: key.hash, backend: pool.model.backends[backend].name, now: milliseconds,
      idle: key.idle, maxEntries: key.entries)
  }
}

extension CompiledPool {
  /// The most connections that a backend takes at once; nil: unlimited.
  func limit(_ backend: Int) -> Int? { standings[backend].maxConnections ?? model.backends[backend].maxConnections }
}
