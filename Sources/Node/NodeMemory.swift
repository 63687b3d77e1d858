package import Health
package import Model
internal import Planner

/// What a node knows that the process after it shall not have to learn anew.
package struct NodeMemory: Codable, Sendable {
  package struct Known: Hashable, Codable, Sendable {
    package var pool: String
    package var backend: String
    package var address: String
    package var memory: BackendHealth.Memory
  }

  /// An operator's word, and what the file said when it was given.
  package struct Word: Hashable, Codable, Sendable {
    package var pool: String
    package var backend: String
    package var state: AdministrativeState?
    package var weight: Int?
    package var fileState: AdministrativeState
    package var fileWeight: Int
  }

  package struct SiteDrain: Hashable, Codable, Sendable {
    package var site: String
    /// nil: until it is taken back.
    package var until: Instant?
  }

  package var generation: UInt64 = 0
  package var known: [Known] = []
  package var words: [Word] = []
  package var sites: [SiteDrain] = []
  package var handovers: [String: VIPHandover] = [:]
  /// True: withdrawn; false: announced, whatever its health.
  package var withdrawals: [String: Bool] = [:]
  /// How pools' clients are divided among versions.
  package var splits: [String: VersionSplit] = [:]
  package var events: [Event] = []

  package init() {}
}

extension Truth {
  var memory: NodeMemory {
    var memory = NodeMemory()
    memory.known = health.memory(topology)
    memory.handovers = handovers
    memory.splits = splits
    memory.sites = sites.drains.map { NodeMemory.SiteDrain(site: $0.key, until: $0.value.until) }
    for pool in topology.pools {
      for backend in pool.backends {
        let key = BackendKey(pool: pool.name, backend: backend.name)
        guard overrides.states[key] != nil || overrides.weights[key] != nil else { continue }
        memory.words.append(
          NodeMemory.Word(
            pool: pool.name, backend: backend.name, state: overrides.states[key], weight: overrides.weights[key],
            fileState: backend.state, fileWeight: backend.weight))
      }
    }
    return memory
  }
}

extension Node {
  /// The last part of a process's life begins: nothing changes any more until `keepOn` or `letGo`.
  package func beginHandover() throws(Refusal) -> NodeMemory {
    guard phase == .serving else { throw phase == .draining ? .draining : .starting }
    guard !isBeingReplaced else { throw .upgrading }
    isBeingReplaced = true
    var memory = truth.memory
    memory.generation = world?.generation ?? 0
    memory.withdrawals = announcements.words.mapValues { $0 == .withdraw }
    memory.events = log.events(after: 0)
    note(.upgrade, "a new process is started")
    return memory
  }

  /// Nobody takes over: everything goes on as it was.
  package func keepOn(_ reason: String) {
    isBeingReplaced = false
    note(.upgrade, "the new process does not take over, this one goes on: \(reason)")
    // What happened meanwhile.
    post(.tick)
  }

  /// Another process serves: this one speaks to nobody but its own clients any more.
  /// - Returns: the VIPs that were active here, and are left as they are; nil: the node stops, and nobody takes over.
  package func letGo(to process: Int32) -> [String]? {
    guard phase == .serving, isBeingReplaced else { return nil }
    phase = .draining
    note(.upgrade, "process \(process) serves; \(ports.openConnections()) connections end here")
    let active = ports.vips.leave()
    ports.stopProbes()
    ports.leaveSockets()
    ports.bgp.stop(.restart)
    ports.stopPeers()
    lastSnapshot = snapshot()
    return active
  }

  /// Before `begin`: what the process before this one knew. Until `takeOver` routers and peers are left to it.
  package func recall(_ memory: NodeMemory) {
    isHeldBack = true
    truth.recall(memory)
    log.recall(memory.events)
    world = World(generation: memory.generation, topology: Topology(), standings: [])
    recalled = memory
  }

  /// The process before this one has let go.
  /// - Parameter active: VIPs that it was active for.
  package func takeOver(active: [String]) {
    guard isHeldBack else { return }
    isHeldBack = false
    let now = ports.now()
    if let recalled {
      for drain in recalled.sites {
        let rest = drain.until.map { $0 - now }
        if rest.map({ $0 > .zero }) ?? true { _ = try? truth.observe(.site(drain.site, .drain(rest)), at: now) }
      }
      truth.handovers = recalled.handovers.filter { name, _ in truth.topology.vips.contains { $0.name == name } }
      for (name, isWithdrawn) in recalled.withdrawals {
        announcements.set(isWithdrawn ? .withdraw : .announce, for: name)
      }
    }
    recalled = nil
    note(.upgrade, "took over from the process before")
    ports.vips.resume(active)
    // Their floating addresses stay.
    floating.activeVIPs = Set(active)
    if let world { orderVIPs(world) }
    orderPeers()
    reconcileAnnouncements(at: now, isForced: true)
    followFloating()
    isDirty = true
    post(.tick)
  }
}
