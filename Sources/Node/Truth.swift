package import Health
package import Model
internal import Peering
package import Planner

/// All that a node knows and wants, as one value: a change that cannot be carried
/// out is undone by keeping the value from before it.
package struct Truth: Sendable {
  package private(set) var topology = Topology()
  package private(set) var health = HealthBook()
  package internal(set) var overrides = Overrides()
  package internal(set) var sites = SiteBook()
  package private(set) var peers = PeerBook()
  /// How rollouts divide pools.
  package private(set) var splits: [String: VersionSplit] = [:]
  /// Who does worse than its pool's others, and in what.
  package private(set) var drifting: [BackendKey: String] = [:]
  /// Operators' words on VIPs.
  package var handovers: [String: VIPHandover] = [:]
  /// VIPs that this node has now.
  var heldVIPs: Set<String> = []
  private var backends: [BackendKey: Backend] = [:]
  private var hasSiteNews = false

  package init() {}

  /// How an earlier process divided clients, where there are such versions still; after the first `load`.
  mutating func recall(_ splits: [String: VersionSplit]) {
    for pool in topology.pools {
      guard let split = splits[pool.name], pool.versionLabels.contains(split.version) else { continue }
      self.splits[pool.name] = split
    }
  }

  /// What an earlier process knew; before the first `load`, which keeps of it what the configuration still names.
  mutating func recall(_ memory: NodeMemory) {
    health.recall(memory.known)
    for word in memory.words {
      let key = BackendKey(pool: word.pool, backend: word.backend)
      overrides.states[key] = word.state
      overrides.weights[key] = word.weight
      var backend = Backend(name: word.backend, address: .unix("@"))
      (backend.state, backend.weight) = (word.fileState, word.fileWeight)
      backends[key] = backend
    }
  }

  /// Takes a configuration over; what it still names keeps its health and overrides.
  /// - Returns: overrides that the new file made void.
  package mutating func load(_ topology: Topology, at now: Instant) -> [(key: BackendKey, reason: String)] {
    var next: [BackendKey: Backend] = [:]
    for pool in topology.pools {
      for backend in pool.backends { next[BackendKey(pool: pool.name, backend: backend.name)] = backend }
    }
    let before = self
    let dropped = overrides.reconcile(from: backends, to: next)
    backends = next
    self.topology = topology
    splits = splits.surviving(before.topology, topology)
    drifting = drifting.filter { next[$0.key] != nil && next[$0.key]?.address == before.backends[$0.key]?.address }
    sites.reconcile(topology.names?.sites ?? [])
    adoptSharedOrders(except: Set(before.backends.keys))
    let states = overrides.states
    reconcileHandovers(from: before.topology)
    let probed = topology.withVIPScripts
    health.reconcile(
      probed, isProbed: { (states[$0] ?? next[$0]?.state) != .maintenance || $0.isVIPScript }, at: now)
    for key in next.keys where before.backends[key] != nil { resume(key, from: before.state(of: key), at: now) }
    return dropped
  }

  /// - Returns: whether anything may now stand otherwise than before.
  package mutating func observe(_ change: Change, at now: Instant) throws(Refusal) -> Bool {
    let revision = health.revision
    switch change {
    case .load, .peer, .vip, .store: return true
    case .bgp, .announcement, .names: return false
    case .probes(let reports): for report in reports { health.handle(report, at: now) }
    case .outlier(let trip): health.handle(.trip(failures: trip.failures, reason: trip.reason), trip.key, at: now)
    case .tick:
      health.tick(at: now)
      guard let names = topology.names else { break }
      // A report that has become stale may change a site's standing too; what it does is up to the plan.
      if !sites.tick(at: now).isEmpty || !names.sites.isEmpty { return true }
    case .site(let name, let order):
      guard topology.names?.sites.contains(where: { $0.name == name }) == true else { throw .noSuchSite(name) }
      return sites.order(name, order, at: now)
    case .drift(let key, let reason):
      guard backends[key] != nil else { throw .noSuchBackend(key) }
      drifting[key] = reason
      return true
    case .split(let pool, let split):
      guard let found = topology.pools.first(where: { $0.name == pool }) else { throw .noSuchPool(pool) }
      if let split, !found.versionLabels.contains(split.version) {
        throw .noSuchVersion(pool: pool, split.version)
      }
      splits[pool] = split
      return true
    case .override(let key, let order):
      guard topology.pools.contains(where: { $0.name == key.pool }) else { throw .noSuchPool(key.pool) }
      guard backends[key] != nil else { throw .noSuchBackend(key) }
      let before = state(of: key)
      overrides.set(order, for: key)
      resume(key, from: before, at: now)
      return true
    }
    return health.revision != revision
  }

  mutating func observe(_ observation: PeerObservation, at now: Instant) -> PeerBook.Remark? {
    let remark = peers.observe(observation, at: now)
    if let name = observation.peer, sites.hear(name, peers.peers[name].map { SiteBook.Report($0) }) {
      hasSiteNews = true
    }
    return remark
  }

  /// Whether peers have said something new of sites since this was asked.
  mutating func takeSiteNews() -> Bool {
    defer { hasSiteNews = false }
    return hasSiteNews
  }

  mutating func merge(_ registers: [Register]) -> [Register] { peers.merge(registers) }

  mutating func nextStamp(node: String, wall: Int64) -> Stamp { peers.nextStamp(node: node, wall: wall) }

  mutating func share(_ value: String?, _ key: RegisterKey, node: String, wall: Int64) {
    peers.say(value, key, node: node, wall: wall)
  }

  func knows(_ key: BackendKey) -> Bool { backends[key] != nil }
  func backend(_ key: BackendKey) -> Backend? { backends[key] }

  /// What the file said of a backend when a kept word was said.
  mutating func remember(_ row: KeptOverride) {
    var backend = Backend(name: row.key.backend, address: Topology.nowhere)
    backend.state = row.fileState
    backend.weight = row.fileWeight
    backends[row.key] = backend
  }

  /// Whether the order says something else than what is in force.
  func differs(_ order: Change.Order, for key: BackendKey) -> Bool {
    switch order {
    case .state(let state): self.state(of: key) != state
    case .weight(let weight): (overrides.weights[key] ?? backends[key]?.weight) != weight
    }
  }

  /// What peers said of backends that have just come.
  mutating func adoptSharedOrders(except known: Set<BackendKey>) {
    for (key, register) in peers.registers.entries {
      let backend = BackendKey(pool: key.pool, backend: key.backend)
      guard backends[backend] != nil, !known.contains(backend), let order = key.order(register.value) else { continue }
      overrides.set(order, for: backend)
    }
  }

  mutating func takeTurned() -> [BackendKey] { health.takeTurned() }
  package mutating func takeRemarks() -> [HealthBook.Remark] { health.takeRemarks() }
  package mutating func takePaces() -> [BackendKey: Bool] { health.takePaces() }

  /// The next World. `busy` are slots that the data plane still has connections on.
  package func plan(after world: World?, busy: Set<BackendSlot> = [], at now: Instant) -> World {
    var input = PlannerInput(topology: topology, previous: world)
    input.observations = health.observations(topology)
    input.overrides = overrides
    input.splits = splits
    input.drifting = Set(drifting.keys)
    input.busySlots = busy
    var next = Planner.plan(input, at: now)
    next.sites = siteStandings(next, after: world, at: now)
    return next
  }

  /// When time alone changes something.
  package func nextDeadline(at now: Instant) -> Instant? {
    [health.nextDeadline, sites.nextDeadline(topology.names?.sites ?? [], at: now)].compactMap { $0 }.min()
  }

  private func siteStandings(_ next: World, after world: World?, at now: Instant) -> [String: SiteStanding] {
    guard let names = topology.names, !names.sites.isEmpty else { return [:] }
    return sites.standings(names.sites, own: next.siteVotes, previous: world?.sites ?? [:], at: now)
  }

  /// What would differ with another configuration, as if its newcomers were up.
  package func preview(_ next: Topology, after world: World?, at now: Instant) -> WorldDiff {
    var copy = self
    _ = copy.load(next, at: now)
    var input = PlannerInput(topology: next, previous: world)
    input.observations = copy.health.observations(next)
    for (key, backend) in copy.backends where backends[key]?.address != backend.address {
      input.observations[key] = Observation(Verdict(.up, reason: "assumed", since: now))
    }
    input.overrides = copy.overrides
    input.splits = copy.splits
    return WorldDiff(from: world, to: Planner.plan(input, at: now))
  }

  /// The checks that shall run: none for a backend in maintenance.
  package func probeTargets() -> [ProbeTarget] {
    var targets: [ProbeTarget] = []
    targets += topology.vipScriptTargets
    for pool in topology.pools {
      for backend in pool.backends {
        let key = BackendKey(pool: pool.name, backend: backend.name)
        guard state(of: key) != .maintenance else { continue }
        if let probe = pool.probe {
          let address = backend.address.with(port: backend.probePort)
          var target = ProbeTarget(key: key, address: address, check: .probe(probe))
          target.tls = probe.encryption(pool.tls)
          targets.append(target)
        }
        if let agent = pool.agent {
          targets.append(ProbeTarget(key: key, address: backend.address.with(port: agent.port), check: .agent(agent)))
        }
      }
    }
    return targets
  }

  private func state(of key: BackendKey) -> AdministrativeState? { overrides.states[key] ?? backends[key]?.state }

  /// What was known of a backend before its maintenance is old.
  private mutating func resume(_ key: BackendKey, from before: AdministrativeState?, at now: Instant) {
    guard before == .maintenance, state(of: key) != .maintenance else { return }
    health.handle(.resume, key, at: now)
  }
}

extension SocketAddress {
  fileprivate func with(port: UInt16?) -> SocketAddress {
    guard let port, case .ip(let endpoint) = self else { return self }
    return .ip(Endpoint(endpoint.address, port))
  }
}
