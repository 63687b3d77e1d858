package import Kernel
package import Model
import Reactor
import Synchronization
package import Telemetry

/// From one process of a node to the next: sockets, counters, secrets.
extension DataPlane {
  /// Sockets that were bound before this process, as they are: what waits in their queues is not lost.
  func adopt(_ found: [Int32], _ bind: Bind, _ key: BindKey) -> Bound {
    var descriptors = found
    let isForeign = inherited.isForeign(bind.address)
    guard case .ip = bind.address else {
      return Bound(descriptors: descriptors, isShared: true, local: nil, isForeign: isForeign)
    }
    // More workers than the process before: they join the group. A socket that is in none (the service manager's) is
    // everybody's; for datagrams the first worker's, since a session has one worker.
    while descriptors.count < mailboxes.count,
      let another = try? Socket.listen(bind.address, key.kind, elsewhere: bind.isMoving)
    {
      descriptors.append(another)
    }
    return Bound(
      descriptors: descriptors, isShared: !key.datagram && descriptors.count < mailboxes.count,
      local: Socket.localEndpoint(descriptors[0]), isForeign: isForeign)
  }

  /// Copies of all listening sockets, for the process that comes next; the caller closes them.
  package func copySockets() throws(Errno) -> [HandedSockets] {
    try state.withLock { (state) throws(Errno) in
      var result: [HandedSockets] = []
      for (key, bound) in state.binds {
        result.append(
          try HandedSockets(copying: bound.descriptors, .init(key.address, key.kind), isForeign: bound.isForeign))
      }
      return result
    }
  }

  /// Everything that was counted, by name; what earlier processes have counted is in it.
  package func ledger() -> StatisticsLedger {
    let statistics = statistics()
    var ledger = state.withLock { $0.earlier }
    ledger.loops = statistics.loops
    ledger.droppedLogLines = statistics.droppedLogLines
    ledger.listeners.merge(statistics.listeners) { _, new in new }
    ledger.responseTimes.merge(statistics.responseTimes) { _, new in new }
    for (slot, owner) in state.withLock({ $0.owners }) { ledger[owner] = statistics.backends[slot] ?? ledger[owner] }
    return ledger
  }

  /// What the processes before this one have counted until now: takes the place of what was said before.
  package func setEarlier(_ ledger: StatisticsLedger) { state.withLock { $0.earlier = ledger } }
  package func closeEarlier() { state.withLock { $0.earlier = $0.earlier.closed } }

  /// What cookies and table keys are made with where the configuration has no secret.
  package var secret: String {
    get { state.withLock { $0.secret } }
    set { state.withLock { $0.secret = newValue } }
  }

  /// All entries of the persistence tables.
  package func allPersistence() -> [PersistenceEntry] {
    (0..<DataPlane.persistenceParts).flatMap { persistenceEntries(part: $0, since: 0).entries }
  }

  /// Whether every worker's loop turns.
  package func isResponsive(within milliseconds: Int32) -> Bool {
    guard let latch = try? Latch(count: mailboxes.count) else { return true }
    for mailbox in mailboxes { mailbox.post(.answer(latch)) }
    return latch.wait(milliseconds: milliseconds)
  }
}

extension DataPlane.BindKey {
  var kind: Socket.Kind { datagram ? .datagram : .stream }
}

extension DataPlane.Bound {
  /// Those that a worker serves: each is one worker's, or all are everybody's.
  func descriptors(of worker: Int, of workers: Int) -> [Int32] {
    isShared ? descriptors : descriptors.indices.filter { $0 % workers == worker }.map { descriptors[$0] }
  }
}
