import DNS
package import Kernel
package import Model
import Reactor
import Synchronization
package import Telemetry
package import TLS

/// Why a World cannot be answered from. Nothing has changed then.
package enum NameServerError: Error, Hashable, Sendable, CustomStringConvertible {
  case bind(Endpoint, Errno)
  case zone(String, String)
  case database(String)
  case material(String)
  case thread(Errno)

  package var description: String {
    switch self {
    case .bind(let endpoint, let error): "dns: cannot listen on \(SocketAddress.ip(endpoint)): \(error)"
    case .zone(let name, let reason): "dns: zone \(name): \(reason)"
    case .database(let reason), .material(let reason): "dns: \(reason)"
    case .thread(let error): "dns: cannot start a worker: \(error)"
    }
  }
}

/// The name server, seen from above: Worlds in, statistics out.
package final class NameServer: Sendable {
  /// Load by backend slot: connections and requests under way.
  package typealias Loads = @Sendable () -> [BackendSlot: Int]

  struct State {
    var service = NameService()
    var world: World?
    var catalog = Catalog()
    var zones: [String: (source: ZoneSource, zone: Zone)] = [:]
    var sets = DynamicSets()
    var diary = NameDiary()
    var databases: [GeoFile] = []
    /// What the catalog's TLS was compiled from.
    var secure: SecureNames?
    var binds: [BindKey: [Int32]] = [:]
    var mailboxes: [Mailbox<WorkerOrder>] = []
    var counters: [Counters] = []
    var handles: [Thread.Handle] = []
    var notifications = Notifications()
    /// When load was last taken in.
    var measured = Clock.now()
    var isDraining = false
    let cookies: ServerCookies
  }

  struct BindKey: Hashable {
    var endpoint: Endpoint
    var isStream: Bool
    var isSecure = false
  }

  let state: Mutex<State>
  private let wakeup: Wakeup
  private let loads: Loads
  private let tell: @Sendable ([NameTurn]) -> Void
  private let isStopped = Atomic<Bool>(false)
  let inherited: InheritedSockets
  let tickets: TicketKeys?

  /// - Parameters:
  ///   - inherited: sockets that are there already.
  ///   - tickets: what TLS sessions are resumed by; nil: they are not.
  ///   - tell: takes what has become of names; called with a lock held.
  package init(
    inherited: InheritedSockets = InheritedSockets(), tickets: TicketKeys? = nil,
    tell: @escaping @Sendable ([NameTurn]) -> Void = { _ in }, loads: @escaping Loads
  ) throws(NameServerError) {
    self.loads = loads
    self.tell = tell
    self.tickets = tickets
    self.inherited = inherited
    state = Mutex(State(cookies: ServerCookies(key: (Clock.entropy(), Clock.entropy()))))
    do throws(Errno) { wakeup = try Wakeup() } catch { throw .thread(error) }
  }

  deinit { wakeup.close() }

  // MARK: Orders

  /// Answers by a World from now on, or says why not and goes on with the one before.
  package func apply(_ world: World) throws(NameServerError) {
    try state.withLock { (state) throws(NameServerError) in
      let before = state.world
      state.world = world
      guard let service = world.topology.names else {
        if !state.mailboxes.isEmpty { retire(&state) }
        return
      }
      // Threads come with the first configuration that has something for them to do.
      if state.mailboxes.isEmpty { try start(service.workers ?? world.topology.workers ?? Thread.cores, &state) }
      var next = state
      let isNew = before == nil || state.service != service || state.catalog.settings != settings(service, world, state)
      if isNew || state.sets.topology != world.topology { try compile(service, world, &next) }
      next.sets.outlook.adopt(world)
      next.service = service
      next.sets.recompile(at: Clock.now())
      next.catalog.view = next.sets.view
      let opened = try bind(service, &next)
      do throws(NameServerError) {
        if isNew || !opened.isEmpty || state.sets.topology != world.topology {
          next.sets.topology = world.topology
          try hand(&next)
        } else if next.sets.generation != state.sets.generation {
          for mailbox in next.mailboxes { mailbox.post(.view(next.sets.view)) }
        }
      } catch {
        for key in opened { for descriptor in next.binds[key] ?? [] { Socket.close(descriptor) } }
        throw error
      }
      for (zone, policy) in zip(next.catalog.zones.list, next.catalog.transfers) where !policy.notify.isEmpty {
        let old = state.catalog.zones.list.first { $0.apex == zone.apex }
        if old?.serial != zone.serial { next.notifications.add(zone, policy.notify, at: Clock.now()) }
      }
      state = next
      tellTurns(&state)
      // Notifications and aliases need not wait for the next second.
      wakeup.signal()
    }
  }

  /// Whose verdict is about to change, or is not any more.
  package func pace(_ changes: [BackendKey: Bool]) {
    state.withLock { state in
      for (key, isChanging) in changes {
        if isChanging { state.sets.outlook.changing.insert(key) } else { state.sets.outlook.changing.remove(key) }
      }
      refresh(&state)
    }
  }

  /// What the nodes of each site say that they have under way; answers follow within a second.
  package func applySiteLoads(_ loads: [String: SiteLoad]) {
    state.withLock { $0.sets.outlook.siteLoads = loads }
  }

  /// TCP clients that are there.
  package var openStreams: Int {
    state.withLock { $0.counters }.reduce(0) { $0 + Int(clamping: $1.read(.open)) }
  }

  /// Closes the UDP sockets and takes no new TCP clients; those that are there have another answer or a second.
  package func drain() {
    state.withLock { state in
      state.isDraining = true
      for mailbox in state.mailboxes { mailbox.post(.drain) }
    }
  }

  /// Copies of all listening sockets, for the process that comes next; the caller closes them.
  package func copySockets() throws(Errno) -> [HandedSockets] {
    try state.withLock { (state) throws(Errno) in
      var result: [HandedSockets] = []
      for (key, descriptors) in state.binds {
        let name = InheritedSockets.Name(.ip(key.endpoint), key.isStream ? .stream : .datagram)
        result.append(try HandedSockets(copying: descriptors, name))
      }
      return result
    }
  }

  /// Ends the threads.
  package func stop() {
    isStopped.store(true, ordering: .relaxed)
    wakeup.signal()
    let handles = state.withLock { state in
      for mailbox in state.mailboxes { mailbox.post(.stop) }
      defer { state.handles = [] }
      return state.handles
    }
    for handle in handles { handle.join() }
  }

  package func statistics() -> NameStatistics {
    let counters = state.withLock { $0.counters }
    var result = NameStatistics()
    for one in counters { result.add(one) }
    return result
  }

  // MARK: Threads

  private func start(_ count: Int, _ state: inout State) throws(NameServerError) {
    do throws(Errno) {
      for number in 0..<max(1, count) {
        let mailbox = try Mailbox<WorkerOrder>()
        let counters = try Counters()
        state.handles.append(
          try Thread.start(name: "sluice-dns-\(number)") {
            guard var worker = try? Worker(mailbox: mailbox, counters: counters) else { return }
            worker.run()
          })
        state.mailboxes.append(mailbox)
        state.counters.append(counters)
      }
      state.handles.append(try Thread.start(name: "sluice-dns") { [self] in tend() })
    } catch {
      throw .thread(error)
    }
  }

  /// What time alone changes, each second: answers lengthen their TTL, and follow load.
  private func tend() {
    while !isStopped.load(ordering: .relaxed) {
      _ = wakeup.wait(milliseconds: 1000)
      wakeup.clear()
      guard !isStopped.load(ordering: .relaxed) else { return }
      notify()
      resolveAliases()
      let loads = loads()
      state.withLock { state in
        let now = Clock.now()
        state.sets.measure(loads, after: Double((now - state.measured).milliseconds) / 1000)
        state.measured = now
        refresh(&state)
      }
    }
  }

  private func refresh(_ state: inout State) {
    let before = state.sets.generation
    state.sets.recompile(at: Clock.now())
    if state.sets.generation != before { publish(&state) }
    tellTurns(&state)
  }

  private func tellTurns(_ state: inout State) {
    let turns = state.diary.turns(state.sets, at: Clock.now())
    if !turns.isEmpty { tell(turns) }
  }

  /// Hands the present view down.
  func publish(_ state: inout State) {
    state.catalog.view = state.sets.view
    for mailbox in state.mailboxes { mailbox.post(.view(state.sets.view)) }
  }

  /// The configuration has no `dns` any more.
  private func retire(_ state: inout State) {
    state.service = NameService()
    state.catalog = Catalog()
    state.zones = [:]
    state.sets = DynamicSets()
    state.diary = NameDiary()
    state.databases = []
    state.secure = nil
    try? hand(&state)
  }
}
