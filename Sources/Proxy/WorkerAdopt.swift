import Balance
import Kernel
import Model
import Reactor

/// A pool as one worker has it: how much of it is under way, and who waits. Its balancer is beside it, in `pickers`.
struct PoolState: BitwiseCopyable {
  /// Exchanges of this pool that are under way, and those of them that are retries.
  var live = 0
  var retrying = 0
  /// First and last exchange that wait for a backend with room.
  var queueHead = Exchange.none
  var queueTail = Exchange.none
  var queued = 0
  /// A backend has had room since the queue was last served.
  var hasRoom = false
  /// The next room is for those who wait in other workers.
  var yields = false
}

struct IdleList: BitwiseCopyable {
  var head = Stream.none
  var count: Int32 = 0
}

/// Taking over a World, and leaving.
extension Worker {
  mutating func adopt(_ snapshot: Snapshot, _ sockets: [ListeningSocket]) {
    // While the World that their clients came to still holds.
    let wanted = Set(sockets.map { UInt32($0.descriptor) })
    for key in acceptors.keys where !wanted.contains(key) { retire(key) }
    leave(epoch: currentEpoch)
    current = snapshot
    currentEpoch = enter(snapshot)
    adoptPools(snapshot)
    reconcile(sockets)
    limitDrained()
    for index in trunks.indices where trunks.isUsed(index) { markDirty(index) }
    log.isEnabled = snapshot.logsAccess
    log.hasTemplate = snapshot.logTemplate != nil
    log.places.forget()
    noteRoomEverywhere()
  }

  private mutating func adoptPools(_ snapshot: Snapshot) {
    var slots: Set<BackendSlot> = []
    for (row, pool) in snapshot.pools.enumerated() {
      guard let pool else { continue }
      while pools.count <= row {
        pools.append(PoolState())
        pickers.append(Picker(policy: .first, candidates: [], seed: 0))
      }
      if pickers[row].table.candidates.isEmpty {
        pickers[row] = Picker(table: pool.table, seed: random.next())
      } else {
        pickers[row].update(table: pool.table)
      }
      adoptVersions(row, pool)
      for standing in pool.standings {
        slots.insert(standing.slot)
        while backendTrunks.count <= Int(standing.slot.index) {
          backendTrunks.append(Stream.none)
          speaksHTTP1.append(false)
        }
        while idle.count <= Int(standing.slot.index) { idle.append(IdleList()) }
      }
    }
    for slot in idle.indices where idle[slot].count > 0 && !slots.contains(BackendSlot(UInt32(slot))) {
      closeIdle(slot)
    }
    for slot in backendTrunks.indices where !slots.contains(BackendSlot(UInt32(slot))) {
      closeTrunks(slot)
      speaksHTTP1[slot] = false
    }
  }

  /// Tunnels at backends that are drained have the pool's time left, where it has one.
  private mutating func limitDrained() {
    guard current.pools.contains(where: { $0?.drainTimeout != nil }) else { return }
    for index in exchanges.indices where exchanges.isUsed(index) && exchanges[index].phase == .tunnel {
      guard let pool = current.pools[Int(exchanges[index].pool)], let limit = pool.drainTimeout,
        let backend = pool.index(of: exchanges[index].slot), pool.standings[backend].state != .ready
      else { continue }
      exchanges[index].deadline = min(exchanges[index].deadline, milliseconds + limit)
      setDeadline(exchanges[index].client, min(streams[exchanges[index].client].deadline, exchanges[index].deadline))
    }
  }

  mutating func closeIdle(_ slot: Int) {
    while idle[slot].head != Stream.none { close(idle[slot].head) }
  }

  /// Opens and closes so that exactly these sockets are served.
  private mutating func reconcile(_ sockets: [ListeningSocket]) {
    // A draining data plane binds nothing new, and what it had is closed already.
    guard !isDraining else { return }
    for socket in sockets {
      let key = UInt32(socket.descriptor)
      if acceptors[key] != nil {
        acceptors[key]?.socket = socket
        continue
      }
      acceptors[key] = Acceptor(socket: socket)
      watch(key)
    }
  }

  mutating func watch(_ key: UInt32) {
    guard let socket = acceptors[key]?.socket else { return }
    let kind: Token.Kind = socket.transport == .udp ? .datagrams : .acceptor
    try? epoll.add(socket.descriptor, token: Token.make(kind, key), socket.isShared ? .shared : .level)
  }

  /// Stops listening. Clients that the kernel has accepted already are served first, unless another process serves them.
  mutating func retire(_ key: UInt32, isHandedOver: Bool = false) {
    guard let socket = acceptors[key]?.socket else { return }
    if socket.transport == .udp {
      closeSessions(of: key)
    } else if !socket.isShared, !isHandedOver {
      if acceptors[key]?.paused == false { accept(key, socket, atMost: Socket.backlog) }
    }
    epoll.remove(socket.descriptor)
    acceptors[key] = nil
    if !socket.isShared { Socket.close(socket.descriptor) }
  }

  @inline(__always) mutating func snapshot(of epoch: UInt32) -> Snapshot { epochs[Int(epoch)].snapshot ?? current }

  /// Where an exchange came in, as it was then.
  @inline(__always) mutating func listener(of exchange: UInt32) -> CompiledListener? {
    snapshot(of: exchanges[exchange].epoch).listeners[Int(exchanges[exchange].listener)]
  }

  private mutating func enter(_ snapshot: Snapshot) -> UInt32 {
    if let free = epochs.firstIndex(where: { $0.users == 0 }) {
      epochs[free] = Epoch(snapshot: snapshot, users: 1)
      return UInt32(free)
    }
    epochs.append(Epoch(snapshot: snapshot, users: 1))
    return UInt32(epochs.count - 1)
  }

  mutating func leave(epoch: UInt32) {
    epochs[Int(epoch)].users -= 1
    if epochs[Int(epoch)].users == 0 { epochs[Int(epoch)].snapshot = nil }
  }

  /// No new clients; idle ones get a moment to send what is on its way, then go. Where another process goes on with
  /// the node's work there is no hurry: an idle client goes after its next answer, or when it has been idle for too
  /// long, so that no request meets a connection that is just being closed.
  mutating func drain(isHandedOver: Bool) {
    guard !isDraining else { return }
    isDraining = true
    parting = .everybody
    self.isHandedOver = isHandedOver
    // Datagrams of open sessions come and go through their listener's socket.
    for (key, acceptor) in acceptors {
      if acceptor.socket.transport != .udp || !hasSessions(key) {
        retire(key, isHandedOver: isHandedOver)
      } else if isHandedOver {
        // Only answers go out here; what comes in is the other process's.
        epoll.remove(acceptor.socket.descriptor)
      }
    }
    drainSessions()
    dismissClients()
    for index in streams.indices where streams.isUsed(index) {
      if streams[index].phase == .trunk {
        if streams[index].role == .backend { markDirty(streams[index].trunk) }
      } else if streams[index].phase == .idle {
        close(index)
      }
    }
  }

  /// Who has no request under way gets a moment to send what is on its way, and then no more.
  mutating func dismissClients() {
    for index in streams.indices where streams.isUsed(index) && streams[index].role == .client {
      guard streams[index].phase == .request && streams[index].input.isEmpty || streams[index].phase == .trunk,
        parts(index)
      else { continue }
      if streams[index].phase == .request {
        if isHandedOver { continue }
        setDeadline(index, min(streams[index].deadline, milliseconds + Worker.drainGrace))
      } else {
        leaveTrunk(streams[index].trunk)
      }
    }
  }

  static let drainGrace: Int64 = 500

  mutating func closeEverything() {
    for key in Array(acceptors.keys) { retire(key) }
    for index in streams.indices where streams.isUsed(index) && streams[index].role == .client {
      let exchange = streams[index].exchange
      if exchange != Exchange.none, exchanges.isUsed(exchange) { abort(exchange, .stopped) } else { close(index) }
    }
    for index in streams.indices where streams.isUsed(index) { close(index) }
    closeSessions()
    log.close()
  }

  /// Some times a second, while there is a reason: listeners that were paused try again, and so does who waits for room.
  mutating func sweep() {
    nextSweep = milliseconds + Worker.sweepInterval
    counters.loop.store(0, LoopColumn.connections.rawValue, streams.count)
    for (key, acceptor) in acceptors where acceptor.paused { resumeAccepting(key) }
    noteRoomEverywhere()
    if pools.contains(where: { $0.queued > 0 }) { wakeForSweep() }
  }
}
