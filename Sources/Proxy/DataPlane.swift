import Balance
package import Kernel
package import Model
import Reactor
import Routing
import Synchronization
package import TLS
import Telemetry

/// Why a World cannot be served. Nothing has changed then.
package enum DataPlaneError: Error, Hashable, Sendable, CustomStringConvertible {
  case bind(listener: String, address: SocketAddress, Errno)
  case pattern(listener: String, place: String, pattern: String, String)
  /// A file of TLS that was right when it was read: OpenSSL does not take it together with the others.
  case material(owner: String, MaterialError)
  case tooManyListeners(Int)
  case tooManyBackends(Int)
  case tooManySites(Int)
  case thread(Errno)

  package var description: String {
    switch self {
    case .bind(let listener, let address, let error): "listener \(listener): cannot listen on \(address): \(error)"
    case .pattern(let listener, let place, let pattern, let reason):
      "listener \(listener): \(place): pattern \(pattern): \(reason)"
    case .material(let owner, let error): "\(owner): \(error)"
    case .tooManyListeners(let limit): "more than \(limit) listeners"
    case .tooManyBackends(let limit): "more than \(limit) backends"
    case .tooManySites(let limit): "more than \(limit) sites of listeners"
    case .thread(let error): "cannot start a worker: \(error)"
    }
  }
}

/// The workers, seen from above: Worlds and drain orders in, observations and statistics out.
package final class DataPlane: Sendable {
  struct State {
    /// By pool: how many persistence entries it may have.
    var persistenceLimits: [String: Int] = [:]
    var listenerRows: [String: UInt32] = [:]
    var poolRows: [String: UInt32] = [:]
    /// By listener and other site.
    var siteRows: [String: [String: UInt32]] = [:]
    /// By listener and route's name.
    var routeRows: [String: [String: UInt32]] = [:]
    var binds: [BindKey: Bound] = [:]
    var tables: [String: PickTable] = [:]
    var versionTables: [String: [PickTable]] = [:]
    /// What backends that have left a pool took for their answers.
    var retired: [String: LatencyHistogram] = [:]
    var encryption = EncryptionTable()
    var secret: String
    /// Who has each slot: a newcomer starts with counters at zero.
    var owners: [BackendSlot: BackendKey] = [:]
    var handles: [Thread.Handle] = []
    var isDraining = false
    var parting = Parting()
    /// Where clients speak HTTP.
    var httpPorts: Set<UInt16> = []
    /// The sockets belong to another process, too.
    var isHandedOver = false
    /// What earlier processes of this node have counted.
    var earlier = StatisticsLedger()
  }

  struct BindKey: Hashable {
    let address: SocketAddress
    let datagram: Bool

    /// Whether both want the same port, one of them perhaps on every address.
    func overlaps(_ other: BindKey) -> Bool {
      guard datagram == other.datagram, case .ip(let mine) = address, case .ip(let theirs) = other.address else {
        return false
      }
      return mine.port == theirs.port && mine.address.family == theirs.address.family
    }
  }

  /// A bound address: a descriptor for each worker, or one that they share.
  struct Bound {
    var descriptors: [Int32]
    /// All workers have all of them.
    let isShared: Bool
    let local: Endpoint?
    /// The file of a Unix socket is somebody else's.
    var isForeign = false
  }

  let shared: Shared
  let mailboxes: [Mailbox<WorkerOrder>]
  let counters: [WorkerCounters]
  private let sink: LogSink
  /// What was bound before this process was there.
  let inherited: InheritedSockets
  /// Of session tickets, for all workers.
  package let ticketKeys = TicketKeys()
  let state: Mutex<State>

  /// Starts the threads; they serve nothing until the first World.
  ///
  /// - Parameter inherited: listening sockets that are there already.
  /// - Parameter report: called on a worker's thread when live traffic to a backend keeps failing; must not block.
  package init(
    workers: Int, limits: DataPlaneLimits = DataPlaneLimits(), inherited: InheritedSockets = InheritedSockets(),
    report: @escaping @Sendable (OutlierReport) -> Void
  ) throws(DataPlaneError) {
    state = Mutex(State(secret: String(Clock.entropy(), radix: 16) + String(Clock.entropy(), radix: 16)))
    self.inherited = inherited
    do throws(Errno) {
      shared = try Shared(limits: limits, report: report)
      sink = try LogSink()
      var mailboxes: [Mailbox<WorkerOrder>] = []
      for _ in 0..<max(1, workers) { mailboxes.append(try Mailbox()) }
      self.mailboxes = mailboxes
      var counters: [WorkerCounters] = []
      for _ in mailboxes { counters.append(try WorkerCounters(limits: limits)) }
      self.counters = counters
      shared.peers.withLock { $0 = mailboxes }
      let sink = self.sink
      var handles = [try Thread.start(name: "sluice-log") { sink.run() }]
      for number in mailboxes.indices {
        let (mailbox, shared, counters) = (mailboxes[number], shared, counters[number])
        handles.append(
          try Thread.start(name: "sluice-\(number)") {
            guard
              var worker = try? Worker(
                number: number, mailbox: mailbox, shared: shared, counters: counters, log: AccessLogWriter(sink: sink))
            else { return sink.complain("worker \(number) cannot start: no descriptors") }
            worker.run()
          })
      }
      state.withLock { $0.handles = handles }
    } catch {
      throw .thread(error)
    }
  }

  package var workers: Int { mailboxes.count }
  var persistenceLimits: [String: Int] { state.withLock { $0.persistenceLimits } }

  /// Serves by a World from now on, or says why not and goes on with the one before.
  ///
  /// New addresses are bound before anything changes. What stays keeps its sockets,
  /// connections and counters.
  package func apply(_ world: World) throws(DataPlaneError) {
    try state.withLock { (state) throws(DataPlaneError) in
      var next = state
      assignRows(world.topology, &next)
      guard next.listenerRows.count <= shared.limits.listeners else { throw .tooManyListeners(shared.limits.listeners) }
      guard next.siteRows.values.reduce(0, { $0 + $1.count }) <= shared.limits.sites else {
        throw .tooManySites(shared.limits.sites)
      }
      for standing in world.standings.joined() where Int(standing.slot.index) >= shared.limits.backends {
        throw .tooManyBackends(shared.limits.backends)
      }
      let opened = state.isDraining ? [] : try bind(world.topology, &next)
      do throws(DataPlaneError) {
        let snapshots = try compile(world, &next)
        resetCounters(world, &next)
        try hand(snapshots, world.topology, &next)
      } catch {
        for key in opened { close(next.binds[key], key) }
        throw error
      }
      sink.setTarget(world.topology.accessLog)
      shared.spans.setLimit(world.topology.tracing?.otlp == nil ? 0 : world.topology.tracing?.queue ?? 0)
      next.persistenceLimits = world.topology.persistenceLimits
      next.httpPorts = world.topology.httpPorts
      state = next
    }
  }

  /// No listener has this name: whose clients are copies has a row like any other.
  static let copies = " copies"

  private func assignRows(_ topology: Topology, _ state: inout State) {
    var counted = state.routeRows.values.reduce(0) { $0 + $1.count }
    for name in [DataPlane.copies] + topology.listeners.map(\.name) where state.listenerRows[name] == nil {
      state.listenerRows[name] = UInt32(state.listenerRows.count)
    }
    for pool in topology.pools where state.poolRows[pool.name] == nil {
      state.poolRows[pool.name] = UInt32(state.poolRows.count)
    }
    for listener in topology.listeners {
      for site in listener.affinity?.forward.map(\.site) ?? [] where state.siteRows[listener.name]?[site] == nil {
        let count = state.siteRows.values.reduce(0) { $0 + $1.count }
        state.siteRows[listener.name, default: [:]][site] = UInt32(count)
      }
      for name in listener.routes.compactMap(\.name)
      where counted < shared.limits.routes && state.routeRows[listener.name]?[name] == nil {
        state.routeRows[listener.name, default: [:]][name] = UInt32(counted)
        counted += 1
      }
    }
  }

  private func bind(_ topology: Topology, _ state: inout State) throws(DataPlaneError) -> [BindKey] {
    var opened: [BindKey] = []
    for listener in topology.listeners {
      for bind in listener.binds {
        let key = BindKey(address: bind.address, datagram: listener.transport == .udp)
        guard state.binds[key] == nil else { continue }
        do throws(Errno) {
          let sharesPort = state.binds.keys.contains { $0.overlaps(key) }
          state.binds[key] = try open(bind, key, alone: !sharesPort)
          opened.append(key)
        } catch {
          for key in opened { close(state.binds[key], key) }
          throw .bind(listener: listener.name, address: bind.address, error)
        }
      }
    }
    return opened
  }

  private func open(_ bind: Bind, _ key: BindKey, alone: Bool) throws(Errno) -> Bound {
    let kind = key.kind
    let found = inherited.take(bind.address, kind)
    if !found.isEmpty { return adopt(found, bind, key) }
    // A socket of ours shares its port with anybody of our user who asks to: make sure that nobody has it yet.
    if alone { try Socket.probeExclusive(bind.address, kind, elsewhere: bind.isMoving) }
    var descriptors: [Int32] = []
    do throws(Errno) {
      if case .unix(let path) = bind.address {
        descriptors.append(try Socket.listen(bind.address, kind))
        if !path.hasPrefix("@") { try Socket.setMode(path, bind.mode) }
        return Bound(descriptors: descriptors, isShared: true, local: nil)
      }
      for _ in mailboxes { descriptors.append(try Socket.listen(bind.address, kind, elsewhere: bind.isMoving)) }
    } catch {
      for descriptor in descriptors { Socket.close(descriptor) }
      throw error
    }
    return Bound(descriptors: descriptors, isShared: false, local: Socket.localEndpoint(descriptors[0]))
  }

  private func close(_ bound: Bound?, _ key: BindKey) {
    guard let bound else { return }
    for descriptor in bound.descriptors { Socket.close(descriptor) }
    removeFile(of: bound, key)
  }

  private func removeFile(of bound: Bound, _ key: BindKey) {
    if !bound.isForeign, case .unix(let path) = key.address, !path.hasPrefix("@") { Socket.removeFile(path) }
  }

  /// A snapshot for each worker, so that they share no reference counts.
  private func compile(_ world: World, _ state: inout State) throws(DataPlaneError) -> [Snapshot] {
    var tables: [String: PickTable] = [:]
    var versionTables: [String: [PickTable]] = [:]
    for (index, pool) in world.topology.pools.enumerated() {
      tables[pool.name] = PickTable(pool: pool, standings: world.standings[index], previous: state.tables[pool.name])
      guard let split = world.splits[pool.name] else { continue }
      versionTables[pool.name] = CompiledSplit.tables(
        pool, world.standings[index], split, previous: state.versionTables[pool.name] ?? [])
    }
    (state.tables, state.versionTables) = (tables, versionTables)
    state.encryption = try state.encryption.adopting(world.topology, tickets: ticketKeys)
    let copied = world.poolsWithCopies
    var snapshots: [Snapshot] = []
    for _ in mailboxes {
      var listeners = [CompiledListener?](repeating: nil, count: state.listenerRows.count)
      var pools = [CompiledPool?](repeating: nil, count: state.poolRows.count)
      for listener in world.topology.listeners {
        let row = state.listenerRows[listener.name] ?? 0
        do throws(RouteTableError) {
          listeners[Int(row)] = try CompiledListener(
            row: row, model: listener, poolRows: state.poolRows,
            tls: state.encryption.context(listener: listener.name), siteRows: state.siteRows[listener.name] ?? [:],
            routeRows: state.routeRows[listener.name] ?? [:], ailments: listener.affinity?.ailments(world) ?? [:],
            copied: copied)
        } catch {
          throw .pattern(listener: listener.name, place: error.place, pattern: error.pattern, "\(error.reason)")
        }
      }
      for (index, pool) in world.topology.pools.enumerated() {
        guard let row = state.poolRows[pool.name], let table = tables[pool.name] else { continue }
        pools[Int(row)] = CompiledPool(
          row: row, model: pool, standings: world.standings[index], table: table,
          secret: world.topology.secret ?? state.secret, tls: state.encryption.context(pool: pool.name),
          split: world.splits[pool.name].map {
            CompiledSplit(pool, $0, tables: versionTables[pool.name] ?? [], row: row)
          })
      }
      snapshots.append(
        Snapshot(
          generation: world.generation, listeners: listeners, pools: pools,
          logsAccess: world.topology.accessLog != .off, logTemplate: world.topology.accessLogTemplate,
          tracing: world.topology.tracing, copiesRow: state.listenerRows[DataPlane.copies] ?? 0))
    }
    return snapshots
  }

  private func resetCounters(_ world: World, _ state: inout State) {
    var owners: [BackendSlot: BackendKey] = [:]
    for (pool, standings) in zip(world.topology.pools, world.standings) {
      for (backend, standing) in zip(pool.backends, standings) {
        let key = BackendKey(pool: pool.name, backend: backend.name)
        owners[standing.slot] = key
        guard let old = state.owners[standing.slot], old != key else { continue }
        for counter in counters { counter.reset(backend: Int(standing.slot.index)) }
        shared.loads.store(Int(standing.slot.index), LoadColumn.failuresInRow.rawValue, 0)
      }
    }
    // A slot whose backend is gone is still shown while something is open on it, so that nobody else gets it.
    let before = state.owners
    state.owners = state.owners.filter { slot, _ in isBusy(slot) }
    state.owners.merge(owners) { _, new in new }
    for (slot, key) in before where state.owners[slot] != key {
      state.retired[key.pool] = (state.retired[key.pool] ?? LatencyHistogram()) + responseTimes(slot)
      for counter in counters { counter.responseTimes.reset(slot.index) }
    }
  }

  private func isBusy(_ slot: BackendSlot) -> Bool {
    shared.loads.load(Int(slot.index), LoadColumn.inFlight.rawValue) != 0
      || counters.contains { $0.backends.load(Int(slot.index), BackendColumn.connections.rawValue) != 0 }
  }

  /// Returns when all workers serve by the new World, so that a drain that was answered has begun everywhere. A worker
  /// that is held up does not hold up the node.
  private func hand(
    _ snapshots: [Snapshot], _ topology: Topology, _ state: inout State
  ) throws(DataPlaneError) {
    let latch: Latch
    do throws(Errno) { latch = try Latch(count: mailboxes.count) } catch { throw .thread(error) }
    var wanted: [BindKey: (UInt32, Listener.Transport)] = [:]
    for listener in topology.listeners {
      for bind in listener.binds {
        wanted[BindKey(address: bind.address, datagram: listener.transport == .udp)] =
          (state.listenerRows[listener.name] ?? 0, listener.transport)
      }
    }
    for (number, mailbox) in mailboxes.enumerated() {
      let sockets = wanted.flatMap { key, value in
        (state.binds[key]?.descriptors(of: number, of: mailboxes.count) ?? []).map { descriptor in
          ListeningSocket(
            descriptor: descriptor, row: value.0, transport: value.1,
            isShared: state.binds[key]?.isShared == true, local: state.binds[key]?.local)
        }
      }
      mailbox.post(.adopt(snapshots[number], sockets, latch))
    }
    _ = latch.wait(milliseconds: 1000)
    for (key, bound) in state.binds where wanted[key] == nil {
      // Workers close their own descriptors when they adopt; a shared one is closed here, when nobody polls it any more.
      if bound.isShared { close(bound, key) }
      state.binds[key] = nil
    }
  }

  /// Takes no new clients; what is open goes on. `openConnections` tells when it is done.
  /// - Parameter isHandedOver: another process has the sockets, and whoever waits in their queues.
  package func drain(isHandedOver: Bool = false) {
    state.withLock { state in
      state.isDraining = true
      if isHandedOver { state.isHandedOver = true }
      for (key, bound) in state.binds where bound.isShared && !state.isHandedOver { removeFile(of: bound, key) }
    }
    for mailbox in mailboxes { mailbox.post(.drain(isHandedOver: isHandedOver)) }
  }

  package var openConnections: Int { shared.openConnections.load(ordering: .relaxed) }

  package func reopenLog() { sink.reopen() }

  /// Access log lines that were lost.
  package var droppedLogLines: Int { sink.dropped }

  /// Ends everything that is open and waits for the threads.
  package func stop() {
    let handles = state.withLock { state in
      defer { state.handles = [] }
      return state.handles
    }
    guard let logger = handles.first else { return }
    for mailbox in mailboxes { mailbox.post(.stop) }
    for handle in handles.dropFirst() { handle.join() }
    // A reader of the log that does not read must not keep the node from ending.
    if sink.stop(within: 1000) { logger.join() }
  }
}
