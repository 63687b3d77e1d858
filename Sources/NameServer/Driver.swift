import DNS
import GeoIP
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
    var databases: [String] = []
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
  private let isStopped = Atomic<Bool>(false)
  private let inherited: InheritedSockets
  private let tickets: TicketKeys?

  /// - Parameters:
  ///   - inherited: sockets that are there already.
  ///   - tickets: what TLS sessions are resumed by; nil: they are not.
  package init(
    inherited: InheritedSockets = InheritedSockets(), tickets: TicketKeys? = nil, loads: @escaping Loads
  ) throws(NameServerError) {
    self.loads = loads
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

  /// Closes the UDP sockets and takes no new TCP clients.
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
  }

  /// Hands the present view down.
  func publish(_ state: inout State) {
    state.catalog.view = state.sets.view
    for mailbox in state.mailboxes { mailbox.post(.view(state.sets.view)) }
  }

  // MARK: Compiling

  private func settings(_ service: NameService, _ world: World, _ state: State) -> Responder.Settings {
    // Nodes with one secret make and accept the same cookies (RFC 9018 §3).
    let shared = world.topology.secret.map { ServerCookies(passphrase: Array($0.utf8)) }
    return Responder.Settings(service, cookies: shared ?? state.cookies)
  }

  private func compile(_ service: NameService, _ world: World, _ state: inout State) throws(NameServerError) {
    var zones: [String: (source: ZoneSource, zone: Zone)] = [:]
    var list: [Zone] = []
    var histories: [ZoneHistory] = []
    var signers: [Name: ZoneSigner] = [:]
    var isNew = false
    for source in service.zones {
      let old = state.zones[source.name]
      let zone: Zone
      if let old, old.source.texts == source.texts, old.source.balanced == source.balanced,
        old.source.signing == source.signing
      {
        zone = old.zone
        signers[zone.apex] = state.catalog.signers[zone.apex]
      } else {
        zone = try compile(source, &signers)
        isNew = isNew || zone.nodeCount > 1000
      }
      var history = ZoneHistory()
      if let index = state.catalog.zones.list.firstIndex(where: { $0.apex == zone.apex }),
        index < state.catalog.histories.count
      {
        history = state.catalog.histories[index]
        if let old, old.source.texts != source.texts { history.record(from: old.zone, to: zone) }
      }
      var kept = source
      // The zone is held once.
      kept.compiled = nil
      zones[source.name] = (kept, zone)
      list.append(zone)
      histories.append(history)
    }
    state.zones = zones
    state.catalog.signers = signers
    state.catalog.zones = Zones(list, signers: signers)
    state.catalog.keys = service.keys.compactMap { TransactionSigner($0) }
    state.catalog.histories = histories
    state.catalog.transfers = service.zones.map(\.transfer)
    state.catalog.settings = settings(service, world, state)
    state.catalog.streamLimit = max(1, service.tcp.connections / max(1, state.mailboxes.count))
    state.catalog.idleMilliseconds = service.tcp.idle.milliseconds
    if state.databases != service.databases {
      do throws(GeoError) {
        state.catalog.places = try GeoDatabases(service.databases)
      } catch {
        throw .database("\(error)")
      }
      state.databases = service.databases
    }
    try encrypt(service, &state)
    state.sets.adopt(service, zones: state.catalog.zones, topology: world.topology)
    // What a large zone's text was taken apart into is most of what a process would keep.
    if isNew { Allocator.trim() }
  }

  private func compile(
    _ source: ZoneSource, _ signers: inout [Name: ZoneSigner]
  ) throws(NameServerError) -> Zone {
    var zone: Zone
    do throws(ZoneErrors) {
      zone = try Zone.compile(source)
    } catch {
      throw .zone(source.name, error.diagnostics.first.map { "\($0)" } ?? "not readable")
    }
    guard let signing = source.signing else { return zone }
    do throws(CryptoError) {
      let signer = try ZoneSigner(signing)
      guard let keyed = zone.adding([Record(zone.apex, .dnskey, ttl: 3600, data: signer.key)]) else { return zone }
      zone = keyed
      signers[zone.apex] = signer
    } catch {
      throw .zone(source.name, "\(signing.keyFile): \(error)")
    }
    return zone
  }

  /// A certificate is parsed once, not with every change of a zone.
  private func encrypt(_ service: NameService, _ state: inout State) throws(NameServerError) {
    if let secure = service.secure {
      state.catalog.handshakeLimit = secure.tls.handshakes
      state.catalog.handshakeMilliseconds = secure.tls.handshakeTimeout.milliseconds
    }
    guard state.secure?.tls != service.secure?.tls else { return state.secure = service.secure }
    do throws(MaterialError) {
      var certificates: [Certificate] = []
      for files in service.secure?.tls.certificates ?? [] { certificates.append(try Certificate(files)) }
      state.catalog.encryption = try service.secure.map { secure throws(MaterialError) in
        try ServerContext(name: "dns", secure.tls, certificates: certificates, tickets: tickets)
      }
    } catch {
      throw .material("\(error)")
    }
    state.secure = service.secure
  }

  // MARK: Sockets

  private func bind(_ service: NameService, _ state: inout State) throws(NameServerError) -> [BindKey] {
    guard !state.isDraining else { return [] }
    var opened: [BindKey] = []
    for key in service.sockets {
      guard state.binds[key] == nil else { continue }
      let (endpoint, isStream) = (key.endpoint, key.isStream)
      var descriptors: [Int32] = []
      do throws(Errno) {
        let address = SocketAddress.ip(endpoint)
        let shares = state.binds.keys.contains {
          $0.isStream == isStream && $0.endpoint.port == endpoint.port
            && $0.endpoint.address.family == endpoint.address.family
        }
        let kind: Socket.Kind = isStream ? .stream : .datagram
        let isWildcard = endpoint.address.isUnspecified
        descriptors = inherited.take(address, kind, destinations: isWildcard)
        if !shares, descriptors.isEmpty { try Socket.probeExclusive(address, kind) }
        let found = descriptors.count
        while descriptors.count < state.mailboxes.count {
          do throws(Errno) {
            descriptors.append(try Socket.listen(address, kind, destinations: isWildcard))
          } catch {
            // The service manager's socket is in no group that others could join.
            if found > 0 { break }
            throw error
          }
        }
      } catch {
        for descriptor in descriptors { Socket.close(descriptor) }
        for key in opened { for descriptor in state.binds[key] ?? [] { Socket.close(descriptor) } }
        throw .bind(endpoint, error)
      }
      state.binds[key] = descriptors
      opened.append(key)
    }
    // What fits the minimum of IPv6 with a margin for tunnels arrives whole, or else something is wrong.
    let mode: Socket.Fragmentation = service.udpLimit <= 1232 ? .never : .byInterface
    for (key, descriptors) in state.binds where !key.isStream {
      for descriptor in descriptors { Socket.setFragmentation(descriptor, key.endpoint.address.family, mode) }
    }
    return opened
  }

  /// Returns when all workers answer from the new catalog.
  private func hand(_ state: inout State) throws(NameServerError) {
    let wanted = Set(state.service.sockets)
    // Workers close their own sockets when they adopt.
    state.binds = state.binds.filter { wanted.contains($0.key) }
    let latch: Latch
    do throws(Errno) { latch = try Latch(count: state.mailboxes.count) } catch { throw .thread(error) }
    for (number, mailbox) in state.mailboxes.enumerated() {
      let count = state.mailboxes.count
      let sockets = state.binds.flatMap { key, descriptors in
        descriptors.indices.filter { $0 % count == number }.map {
          ServedSocket(
            descriptor: descriptors[$0], isStream: key.isStream, isSecure: key.isSecure,
            isWildcard: key.endpoint.address.isUnspecified)
        }
      }
      mailbox.post(.adopt(state.catalog, sockets, latch))
    }
    _ = latch.wait(milliseconds: 1000)
  }

  /// The configuration has no `dns` any more.
  private func retire(_ state: inout State) {
    state.service = NameService()
    state.catalog = Catalog()
    state.zones = [:]
    state.sets = DynamicSets()
    state.databases = []
    state.secure = nil
    try? hand(&state)
  }
}

extension NameService {
  /// Every socket that is to be there.
  fileprivate var sockets: [NameServer.BindKey] {
    binds.flatMap { [.init(endpoint: $0, isStream: false), .init(endpoint: $0, isStream: true)] }
      + (secure?.binds ?? []).map { .init(endpoint: $0, isStream: true, isSecure: true) }
  }
}
